"""Tables in Markdown: of rows, of the fields of a struct, of what a class says of itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

Row = Sequence[str]


def table(headings: Row, rows: Iterable[Row]) -> str:
    """One line a row, whatever stands in its cells."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in row)} |\n" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """As it would be typed."""
    return f"`{text}`"


def codes(names: Iterable[object]) -> str:
    return ", ".join(code(name) for name in names)


def prose(documented: object) -> str:
    """The docstring of something, without its indentation."""
    return inspect.getdoc(documented) or ""


def in_short(documented: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(prose(documented).split("\n\n")[0].split())


def kind_of(found: Any) -> str:
    """A type as a reader of settings wants it: words to choose from, a number and its bounds."""
    if get_origin(found) is Literal:
        return codes(get_args(found))
    if get_origin(found) is Annotated:
        of, *notes = get_args(found)
        bounds = [_bounds(note) for note in notes if isinstance(note, msgspec.Meta)]
        return " ".join([kind_of(of), *filter(None, bounds)])
    text = found.__name__ if isinstance(found, type) and not get_args(found) else str(found)
    return code(re.sub(r"\b(?:typing|collections\.abc|nemesis\.faults)\.", "", text))


def _bounds(note: msgspec.Meta) -> str:
    match note.ge, note.le:
        case None, None:
            return "" if note.gt is None else f"above {note.gt:g}"
        case low, None:
            return f"{low:,} or more"
        case None, high:
            return f"up to {high:,}"
        case low, high:
            return f"{low:,} to {high:,}"


def default_of(field: msgspec.structs.FieldInfo) -> str:
    """The default of a field as it is written in a file; "needed" where there is none."""
    if field.default is not msgspec.NODEFAULT:
        return written(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return written(field.default_factory())
    return "needed"


def written(value: object) -> str:
    """As in JSON, which YAML understands, too."""
    if value == "":
        return "(empty)"
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return code(text.strip('"') if isinstance(value, str) else text)


# A docstring tells of fields as "`name`: what it is." or "`name`, `other`: what they are."
_NAMES = r"`\w+`(?:(?:, | and )`\w+`)*"
_TOLD = re.compile(rf"({_NAMES}): (.*?)(?=[.;]? {_NAMES}: |\n|\Z)")


def told(kind: type) -> Mapping[str, str]:
    """What the docstrings of a class and of those it is made of say of fields, by field."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        paragraphs = inspect.cleandoc(each.__dict__.get("__doc__") or "").split("\n\n")
        text = "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        for names, said in _TOLD.findall(text):
            found.update(dict.fromkeys(re.findall(r"`(\w+)`", names), said.rstrip(".;")))
    return found


def fields(kind: type[msgspec.Struct], *, without: Iterable[str] = ()) -> str:
    """The table of the fields of a struct: name, type, default, and what is said of them."""
    said, aside = told(kind), set(without)
    rows = [
        [code(f.encode_name), kind_of(f.type), default_of(f), said.get(f.name, "")]
        for f in msgspec.structs.fields(kind)
        if f.name not in aside
    ]
    if not any(row[3] for row in rows):
        return table(["setting", "type", "default"], [row[:3] for row in rows])
    return table(["setting", "type", "default", "meaning"], rows)
