"""Find out what a file is, and read it.

Rules
1. Content decides, the extension only where content is not enough: people rename files.
2. A format that is asked for by name is not second-guessed.
3. Everything that can be wrong with a path or a file is a FormatError; a file that can be read but
   breaks a rule of histories is a HistoryError.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from checkers.formats import edn, jepsen_log, jsonl, porcupine
from checkers.formats.edn_reader import EdnError, elements
from checkers.formats.source import Decoded, FormatError, Source, quote
from checkers.history import History


class Format(msgspec.Struct, frozen=True):
    """A way to write a history down. `decode` raises FormatError."""

    name: str
    description: str
    extensions: tuple[str, ...]
    decode: Callable[[Source], Decoded]


FORMATS: dict[str, Format] = {
    module.NAME: Format(module.NAME, module.DESCRIPTION, extensions, module.decode)
    for module, extensions in (
        (jsonl, (".jsonl", ".ndjson")),
        (edn, (".edn",)),
        (jepsen_log, (".log",)),
        (porcupine, ()),
    )
}

IN_FOLDERS = ("history.jsonl", "history.edn")  # a run of ours; a store of Jepsen's


# An array of objects; EDN has no colon that something other than a name follows.
_JSON_ARRAY = re.compile(rb'\s*\[\s*\{\s*"[^"\n]*"\s*:[\s"\d\[{-]')


class Loaded(msgspec.Struct, frozen=True):
    """A history and where it came from. `path` is the file that was read, `format` its format's
    name, `notices` are sentences for the user: what was dropped, assumed or passed over."""

    history: History
    path: Path
    format: str
    notices: list[str] = []


def read_history(path: str | Path, format: str | None = None) -> Loaded:  # noqa: A002
    """The history in a file, or in the folder of a saved run.

    `format` is a key of FORMATS, None to find it out. Raises FormatError where the path or the file
    cannot be read as a history, HistoryError where it breaks a rule of histories.
    """
    if format is not None and format not in FORMATS:
        raise _unknown(str(path), format)
    try:
        file = _file(Path(path))
        data = file.read_bytes()
    except OSError as error:
        raise FormatError(
            str(path),
            None,
            f"'{error.strerror}' when reading it",
            "a file that can be read",
            "Check the path and its permissions.",
        ) from None
    source = Source.of(str(file), data)
    if not source.data.strip():
        raise source.error(
            None,
            "an empty file",
            "a history",
            "The recorder wrote nothing, or died before its first line; there is nothing to judge.",
        )
    chosen = FORMATS[format] if format is not None else detect(source)
    decoded = chosen.decode(source)
    history = History(decoded.operations)
    return Loaded(history, file, chosen.name, [*decoded.notices, *unjudged(_completing(history))])


def _completing(history: History) -> set[str]:
    return {str(o.process) for o in history.of_nemesis() if o.type in ("ok", "fail")}


def unjudged(names: Collection[str]) -> list[str]:
    """A notice of processes with a name that completed operations as clients do, if there are."""
    named = sorted({*names} - {"nemesis"})
    if not named:
        return []
    rest = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return [
        f"Not judged: what {', '.join(map(quote, named[:3]))}{rest} did. Clients are processes "
        "with a number; a process with a name is taken for one that injects faults."
    ]


def detect(source: Source) -> Format:
    """The format of a file by its content, or else by its extension; raises FormatError."""
    number, first = next(source.lines(), (1, b""))
    if b"\0" in first:
        raise source.error(
            number,
            "bytes that are no text",
            "a history as text",
            "If the file is compressed or a tool's own store, unpack or export it first.",
        )
    if _JSON_ARRAY.match(source.data):
        raise source.error(
            number,
            "a JSON array",
            jsonl.DESCRIPTION,
            "Write one operation a line, as `jq -c '.[]'` does.",
        )
    name = _by_content(source, first.lstrip())
    if name is None:
        extension = Path(source.name).suffix
        name = next((f.name for f in FORMATS.values() if extension in f.extensions), None)
    if name is None:
        raise source.error(
            number,
            f"{quote(first)}, which begins no format known here",
            "one of: " + "; ".join(f"{f.name} ({f.description})" for f in FORMATS.values()),
            "Name the format if it is one of these, or convert the file to jsonl.",
        )
    return FORMATS[name]


def _by_content(source: Source, first: bytes) -> str | None:
    if re.match(rb'\s*\{\s*["}]', source.data):
        return jsonl.NAME
    if re.match(rb"[\[(^,;]|\{\s*([:#;]|$)|#[A-Za-z_]", first):
        return porcupine.NAME if _is_key_value(first) else edn.NAME
    head = source.data[:1_000_000].decode(errors="replace")
    if any(jepsen_log.OPERATION.match(line) for line in head.split("\n")):
        return jepsen_log.NAME
    return None


def _is_key_value(first: bytes) -> bool:
    """Whether the first line is one whole map of a key-value history, without index or time."""
    try:
        values = [value for _, value in elements(first.decode())]
    except (EdnError, UnicodeDecodeError):
        return False
    return (
        len(values) == 1
        and isinstance(values[0], dict)
        and not {"index", "time"} & values[0].keys()
        and porcupine.fits(edn.Located(1, values[0]))
    )


def _unknown(path: str, name: str) -> FormatError:
    near = difflib.get_close_matches(name.lower(), FORMATS, n=2, cutoff=0.4) or list(FORMATS)
    return FormatError(
        path,
        None,
        f"the format {name!r}",
        "one of " + ", ".join(FORMATS),
        f"Did you mean {' or '.join(near)}? Without a name, the format is found out.",
    )


def _file(path: Path) -> Path:
    """The file to read: `path`, or the history in the folder it names."""
    if path.is_dir():
        held = next((path / name for name in IN_FOLDERS if (path / name).is_file()), None)
        if held is None:
            raise FormatError(
                str(path),
                None,
                "a folder without a history",
                "a file, or a run's folder with " + " or ".join(IN_FOLDERS),
                "Give the folder of one run (one that holds history.jsonl), or the file itself.",
            )
        return held
    if not path.exists():
        raise FormatError(
            str(path),
            None,
            "a path where nothing is",
            "a recorded history, or the folder of a run",
            "Check the spelling; relative paths start at the current directory.",
        )
    return path
