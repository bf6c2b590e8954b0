"""Exhaustive exploration of small systems of machines, and the FLP argument made executable."""
