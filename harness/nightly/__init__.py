"""Nights: many runs by a plan, failures grouped with those of before, and the morning's word."""
