"""Clients of nodes that speak Maelstrom's protocol."""
