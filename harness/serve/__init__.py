"""A small web application over the store."""
