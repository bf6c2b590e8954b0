"""What a run's folder says in short, for the index, whatever state it is in.

Rules
1. Nothing here raises: a run may be half written, killed, damaged, or no run at all.
2. A run without verdict.json has no verdict: nothing is judged here.
3. Only small files are read whole; a history is counted, not parsed.
4. Anybody may have written the folder. Looking at it runs nothing that it names, imports no system,
   and follows no link; YAML that would grow when it is read (aliases) or exhaust the stack of its
   parser (libyaml's ends the process with a segmentation fault) is refused.
"""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from checkers.verdict import Verdict
from harness.fingerprint import Fingerprint, fingerprint
from harness.serve import opening
from harness.store.folder import RunFolder
from harness.store.index import Facts

SUMMARY_MAX = 600  # characters
SMALL_BYTES = 8_000_000
TRIAL_BYTES = 64_000
DEPTH_MAX = 40
_MARKS_MAX = 400  # signs of nesting: fewer exhaust no stack
COUNTED_BYTES = 64_000_000  # of a history; beyond, its operations are not counted
_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 1 << 16
_INVOKE = b'"type":"invoke"'
# Whatever a file of anybody may do to its reader: numbers too long, nesting too deep among them.
UNREADABLE = (OSError, ValueError, ArithmeticError, RecursionError, yaml.YAMLError)
_STARTED = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-(\d+)")
_MARKS = ("trial.yaml", "case.json", "history.jsonl", "verdict.json")

# The parser of libyaml, where it is there, is ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NESTING = re.compile(rb"[\[{?:-]")


class _Last(msgspec.Struct):
    time: int


def facts_of(root: Path, label: str, name: str) -> Facts | None:
    """None where the folder is no run."""
    try:
        folder = opening.run_folder(root, label, name)
    except opening.NotHere:
        return None
    if not any(_is_file(folder.path / mark) for mark in _MARKS):
        return None
    named = _STARTED.match(name)
    started = "{}-{}-{} {}:{}:{}".format(*named.groups()[:6]) if named else ""
    settings, trouble = _settings(folder)
    told = _told(folder)
    if isinstance(told, str):
        trouble, told = " ".join(filter(None, (trouble, told))), None
    found = _found(told)
    counted = (None, None) if told is None else counted_history(folder.history)
    return Facts(
        label=label,
        name=name,
        started=started,
        **settings,
        verdict="" if told is None else told.kind.value,
        cause="" if told is None else told.cause or "",
        summary="" if told is None else told.summary[:SUMMARY_MAX],
        law="" if found is None else found.law,
        fingerprint="" if found is None else found.name,
        operations=counted[0],
        duration_s=counted[1],
        report=_is_file(folder.report),
        trouble=trouble,
    )


def settings_of(folder: RunFolder) -> Mapping[str, Any]:
    """trial.yaml as a mapping, as it is. Raises OSError, ValueError, ArithmeticError and
    yaml.YAMLError."""
    text = small(folder.trial, TRIAL_BYTES)
    _check_shape(text)
    settings = yaml.load(text, Loader=_LOADER)
    if not isinstance(settings, dict):
        raise ValueError("it is not a mapping of settings")
    return settings


def verdict_of(folder: RunFolder) -> Verdict | None:
    """None where there is none yet. Raises OSError and ValueError where it cannot be read."""
    try:
        return msgspec.json.decode(small(folder.verdict), type=Verdict)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as wrong:
        raise ValueError(str(wrong)) from wrong


def _check_shape(text: bytes) -> None:
    """Raises ValueError. Parsing for events only, which nests nothing, doubles the time, and is
    spared the usual file."""
    if b"*" not in text and len(_NESTING.findall(text)) < _MARKS_MAX:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has aliases, which no run writes")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise ValueError(f"it is nested deeper than {DEPTH_MAX} levels")


def small(file: Path, most: int = SMALL_BYTES) -> bytes:
    """A part of a run as a whole. Raises OSError, and ValueError where it is not small."""
    with opening.part(file) as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most:,} bytes")
    return content


def notices_of(folder: RunFolder) -> list[str]:
    """None where there are none, or somebody changed them."""
    try:
        return msgspec.json.decode(small(folder.notices), type=list[str])
    except (OSError, ValueError, RecursionError):
        return []


def _is_file(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def counted_history(history: Path) -> tuple[int | None, float | None]:
    """How many operations clients began, and the time of the last line in seconds; None where
    nobody can say."""
    with contextlib.suppress(*UNREADABLE), opening.part(history) as file:
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL_BYTES, 0))
        lines = file.read().rsplit(b"\n", 2)
        last = msgspec.json.decode(lines[-2], type=_Last).time / 1e9 if len(lines) > 2 else None
        if last is None and len(lines) == 2:
            last = msgspec.json.decode(lines[0], type=_Last).time / 1e9
        return (_invoked(file) if size <= COUNTED_BYTES else None), last
    return None, None


def _invoked(file: Any) -> int:
    file.seek(0)
    count, rest = 0, b""
    while chunk := file.read(_CHUNK_BYTES):
        count += (rest + chunk).count(_INVOKE) - rest.count(_INVOKE)
        rest = chunk[-len(_INVOKE) + 1 :]
    return count


def _settings(folder: RunFolder) -> tuple[dict[str, Any], str]:
    """Of the trial, what the index holds; and a sentence about what is wrong with it."""
    try:
        settings = settings_of(folder)
    except FileNotFoundError:
        return {}, "It has no trial.yaml."
    except UNREADABLE as wrong:
        return {}, f"Its trial.yaml cannot be read: {_first_line(wrong)}."
    texts = {
        name: str(settings.get(name) or "")[:200]
        for name in ("system", "workload", "faults", "cluster")
    }
    options = settings.get("options")
    if isinstance(options, dict) and "mutant" in options:
        texts["system"] += f":{options['mutant']}"[:100]  # another system, for whoever looks
    if settings.get("scenario"):
        texts["faults"] = str(settings["scenario"])[:200]
    numbers = {
        name: number
        for name in ("nodes", "seed")
        if isinstance(number := settings.get(name), int) and abs(number) < 2**63
    }
    return {**texts, **numbers}, ""


def _told(folder: RunFolder) -> Verdict | str | None:
    try:
        return verdict_of(folder)
    except UNREADABLE as wrong:
        return f"Its verdict.json cannot be read: {_first_line(wrong)}."


def _found(verdict: Verdict | None) -> Fingerprint | None:
    return None if verdict is None else fingerprint(verdict)


def _first_line(wrong: Exception) -> str:
    return (str(wrong).splitlines() or [type(wrong).__name__])[0][:200]
