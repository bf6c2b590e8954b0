"""Recorded histories as files: ours and those of other tools, found out by their content.

`read_history(path)` reads any of FORMATS or a saved run's folder; `write_jsonl` writes ours.
"""

from checkers.formats.jsonl import write_jsonl
from checkers.formats.reading import FORMATS, Loaded, read_history, unjudged
from checkers.formats.source import FormatError, torn

__all__ = [
    "FORMATS",
    "FormatError",
    "Loaded",
    "read_history",
    "torn",
    "unjudged",
    "write_jsonl",
]
