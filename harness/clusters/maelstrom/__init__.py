"""The maelstrom cluster: nodes that speak Maelstrom's protocol on standard input and output."""
