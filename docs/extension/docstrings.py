"""Docstrings, which here are plain text with backticks, as what autodoc reads.

Rules
1. Words stay as they are: what means something to reStructuredText is escaped. `So` is code, an
   indented block is code, and lines that begin with a dash or a number are a list.
2. `Rules` and `Sources`, the words that open a list in the head of a module, stay with it.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_SPAN = re.compile(r"``[^`]+``|`[^`\n]+(?:\n[^`\n]+)?`")
_ITEM = re.compile(r"(?:-|\d+\.) ")
_SPECIAL = re.compile(r"([\\*|_`<>:\[\]])")


def rendered(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText."""
    found: list[str] = []
    block: list[str] = []
    for line in [*lines, ""]:
        begins = _ITEM.match(line) and not line.startswith(" ")
        if not line.strip() or begins:
            found += _block(block)
            block = []
        if line.strip():
            block.append(line)
    return found


def _block(lines: list[str]) -> list[str]:
    """A paragraph, an item or a piece of code, with the empty line after it."""
    if not lines:
        return []
    if all(line.startswith("  ") for line in lines):
        return ["::", "", *(f"    {line}" for line in lines), ""]
    marker = _ITEM.match(lines[0])
    text = "\n".join(line.strip() for line in lines)
    if marker is None:
        return [_escaped(text.replace("\n", " ")), ""]
    sign = marker[0].strip()
    rest = _escaped(text[marker.end() :].replace("\n", " "))
    return [f"{sign} {rest}", ""]


def _escaped(text: str) -> str:
    parts, last = [], 0
    for span in _SPAN.finditer(text):
        parts.append(_SPECIAL.sub(r"\\\1", text[last : span.start()]))
        # A letter right behind a span would keep it from being one.
        parts.append(f"\\ ``{span[0].strip('`')}``\\ ")
        last = span.end()
    return "".join([*parts, _SPECIAL.sub(r"\\\1", text[last:])])


def render(_app: Sphinx, _what: str, _name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    """What autodoc calls with the lines of a docstring, which it reads afterwards."""
    lines[:] = rendered(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", render)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
