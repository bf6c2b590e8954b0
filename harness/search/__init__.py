"""Searching: which cases to run next, where their number is what costs."""
