"""Finding a system by name or by the path of its YAML file."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from harness.contracts import System
from harness.systems.command import CommandSystem
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


def names() -> tuple[str, ...]:
    """The systems that are installed, by the names of their entry points."""
    return tuple(sorted(entry_points(group=GROUP).names))


def system(name_or_path: str | Path) -> System:
    """A system by its name, or by the path of a YAML file that describes it.

    An entry point of the group `antipaxos.systems` gives a System or the path of such a file.
    Raises TrialError if there is none, or with every mistake of the file.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")) or os.sep in text:
        return CommandSystem(specification(Path(name_or_path)))
    found = entry_points(group=GROUP, name=text)
    if not found:
        raise TrialError(
            [f"no system {text!r}. {nearest(text, names())} Or give the path of a YAML file."]
        )
    return _load(next(iter(found)))


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
