"""Finding a system: by name, by the path of its YAML file, or by the name of what builds it.

Rules
1. A system that is given as an object (a closure of a test, say) has a name of its own in this
   process, which no other ever gets: what was read of a name once stays true.
2. A file is read anew for whoever asks, since a process may live longer than what the file said;
   only within `read_once`, while one trial is settled, a name is one and the same system.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from harness.contracts import System
from harness.systems.bare import MachineSystem
from harness.systems.command import CommandSystem
from harness.systems.machines import named
from harness.systems.reading import specification
from harness.systems.specification import CLIENT
from harness.trial import TrialError, nearest

GROUP = "antipaxos.systems"

_MEMBERS = (
    "name",
    "workloads",
    "framings",
    "defaults",
    "check_options",
    "command",
    "client",
    "ready",
    "leaders",
    "clusters",
)

_given: dict[str, System] = {}
_read: ContextVar[dict[str, System] | None] = ContextVar("read", default=None)


def names() -> tuple[str, ...]:
    """The systems that are installed, by the names of their entry points."""
    return tuple(sorted(entry_points(group=GROUP).names))


@contextlib.contextmanager
def read_once() -> Iterator[None]:
    """While this lasts, a system that was found is not looked for again (rule 2): a dozen checks
    of one trial ask for it, and a file takes tens of milliseconds. One in another does nothing."""
    if _read.get() is not None:
        yield
        return
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def system(name_or_path: str | Path) -> System:
    """A system by its name, by the path of a YAML file that describes it, or by 'FILE.py:name' or
    'module:name' of a System, or of a function or class that builds a machine.

    An entry point of the group `antipaxos.systems` gives a System or the path of such a file.
    Raises TrialError if there is none, or with every mistake of the file.
    """
    read = _read.get()
    if read is None:
        return _found(name_or_path)
    text = str(name_or_path)
    if text not in read:
        read[text] = _found(name_or_path)
    return read[text]


def _found(name_or_path: str | Path) -> System:
    text = str(name_or_path)
    if text in _given:
        return _given[text]
    if names_python(text):
        return made_of(named(text, f"system {text!r}"), text)
    if isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")) or os.sep in text:
        return CommandSystem(specification(Path(name_or_path)))
    found = entry_points(group=GROUP, name=text)
    if not found:
        raise TrialError(
            [
                f"no system {text!r}. {nearest(text, names())} Or give the path of a YAML file, or "
                "FILE.py:name of a function that builds a machine."
            ]
        )
    return _load(next(iter(found)))


def names_python(text: str) -> bool:
    """Is it 'FILE.py:name' or 'module:name'?"""
    return ":" in text and not text.endswith((".yaml", ".yml"))


def made_of(thing: Any, name: str) -> System:
    """The system that an object is or describes: a System, the path of a YAML file, or what builds
    a machine. Raises TrialError for anything else."""
    if isinstance(thing, str | Path):
        return CommandSystem(specification(Path(thing)))
    if not isinstance(thing, type) and all(hasattr(thing, member) for member in _MEMBERS):
        return cast(System, thing)
    if callable(thing):
        return MachineSystem(thing, name)
    raise TrialError(
        [
            f"system {name!r} is {thing!r:.200}. Give a System, the path of a YAML file, or a "
            "function that builds a machine."
        ]
    )


def give(system: System, name: str) -> str:
    """Have a system under a name in this process, for as long as it lasts; the name it got, which
    is another one where a system has this."""
    number, free = 1, name
    while free in _given or (number == 1 and name in names()):
        if _given.get(free) is system:
            return free
        number += 1
        free = f"{name}#{number}"
    _given[free] = system
    return free


def is_given(name: str) -> bool:
    """Is it known in this process only?"""
    return name in _given


def _load(entry: EntryPoint) -> System:
    try:
        given = entry.load()
    except (ImportError, AttributeError) as trouble:
        raise TrialError(
            [
                f"system {entry.name!r} is registered as {entry.value}, which cannot be loaded: "
                f"{trouble}. Install it again, or correct its entry point."
            ]
        ) from trouble
    if isinstance(given, str | Path):
        return CommandSystem(specification(Path(given)))
    missing = [member for member in _MEMBERS if not hasattr(given, member)]
    if missing:
        raise TrialError(
            [
                f"system {entry.name!r} ({entry.value}) is neither a System nor the path of a YAML "
                f"file: it lacks {', '.join(missing)}. See docs/systems.md."
            ]
        )
    if CLIENT not in given.framings:
        raise TrialError(
            [
                f"system {entry.name!r} ({entry.value}) has no port '{CLIENT}' among its framings, "
                "through which clients reach a node. Add it."
            ]
        )
    return cast(System, given)
