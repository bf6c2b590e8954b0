"""Templates of commands: texts with `{placeholders}`; `{{` and `}}` stand for braces.

Rules
1. A placeholder that stands for several arguments must be an argument by itself.
2. Which placeholders exist is checked when the file is read; filling in then cannot fail.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping, Sequence

from harness.trial import nearest

_FORMATTER = string.Formatter()


def problem_of(text: str, valid: Collection[str], several: Collection[str] = ()) -> str | None:
    """A sentence about what is wrong with a template, None if nothing is. `valid` stand for texts,
    `several` for any number of arguments."""
    try:
        names = [field for _, field, _, _ in _FORMATTER.parse(text) if field is not None]
    except ValueError as trouble:
        return f"{text!r} is no template: {trouble}. Write '{{{{' for a brace that is meant."
    for name in names:
        if name in several:
            if text != f"{{{name}}}":
                return f"{{{name}}} stands for several arguments: make it an item of its own."
        elif name not in valid:
            return f"{text!r} has an unknown placeholder {name!r}. {nearest(name, valid)}"
    return None


def fill(text: str, values: Mapping[str, str]) -> str:
    parts = []
    for literal, field, _, _ in _FORMATTER.parse(text):
        parts.append(literal)
        if field is not None:
            parts.append(values[field])
    return "".join(parts)


def fill_all(
    texts: Sequence[str],
    values: Mapping[str, str],
    several: Mapping[str, Sequence[str]],
) -> list[str]:
    """Arguments out of templates; those that are one of `several` become its arguments."""
    arguments: list[str] = []
    for text in texts:
        name = text[1:-1]
        if name in several and text == f"{{{name}}}":
            arguments.extend(several[name])
        else:
            arguments.append(fill(text, values))
    return arguments
