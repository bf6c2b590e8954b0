"""Nodes as hosts of their own: Linux namespaces, joined by a bridge, gone with the harness."""
