"""Which histories a list of paths stands for.

Rules
1. A file stands for itself, whatever its name. So does the folder of a run, one that holds
   history.jsonl or history.edn; it is not searched further.
2. Any other folder is searched, in the order of names, links to folders not followed. In it count
   the folders of runs, and the files that begin like a history: their content decides, not their
   names. What is passed over is told; hidden files and folders are not even looked at.
3. A path that cannot be looked at is kept: judging it finds the words, and the others are judged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from checkers.formats import FormatError
from checkers.formats.reading import IN_FOLDERS, detect
from checkers.formats.source import Source

_HEAD_BYTES = 64 * 1024
_NAMED_MAX = 3

# A run's other files, where its history is gone.
_NEVER = frozenset({"ledger.jsonl", "trace.jsonl", "run.log", "log"})


class Gathered(msgspec.Struct, frozen=True):
    """`one`: a single history was asked for, and no search. `notices`: sentences on what was passed
    over."""

    histories: Sequence[Path]
    one: bool
    notices: Sequence[str] = ()


def gather(paths: Sequence[Path]) -> Gathered:
    """The histories in the order of the paths, each once."""
    if len(paths) == 1 and not _to_search(paths[0]):
        return Gathered(paths, one=True)
    found: dict[Path, None] = {}
    notices: list[str] = []
    for path in paths:
        if not _to_search(path):
            found[path] = None
            continue
        passed_over: list[Path] = []
        inside = list(_search(path, passed_over))
        found.update(dict.fromkeys(inside or [path]))  # judging an empty one says what is wrong
        if passed_over and inside:
            notices.append(_told(path, passed_over))
    return Gathered(tuple(found), one=len(paths) == 1 and paths[0] in found, notices=notices)


def _to_search(path: Path) -> bool:
    return path.is_dir() and not _is_run(path)


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in IN_FOLDERS)


def _search(folder: Path, passed_over: list[Path]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        passed_over.append(folder)
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if _is_run(path):
                yield path
            else:
                yield from _search(path, passed_over)
        elif entry.is_file() and _begins_like_a_history(path):
            yield path
        elif not entry.is_dir():
            passed_over.append(path)


def _begins_like_a_history(file: Path) -> bool:
    if file.name in _NEVER:
        return False
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
        # By content alone: of a name that says nothing the extension must not decide.
        return bool(head.strip()) and detect(Source.of("", head)) is not None
    except FormatError:
        return False
    except OSError:
        return True  # it might be one: judging it says why it cannot be read


def _told(folder: Path, passed_over: Sequence[Path]) -> str:
    named = ", ".join(str(path.relative_to(folder)) for path in passed_over[:_NAMED_MAX])
    rest = len(passed_over) - _NAMED_MAX
    more = f" and {rest} more" if rest > 0 else ""
    return f"{folder}: passed over, since they are no histories: {named}{more}"
