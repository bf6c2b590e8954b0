"""What the reference says of faults, packages, topologies and targets: read off nemesis."""

from __future__ import annotations

from collections.abc import Iterator

from extension.tables import code, codes, fields, prose, table
from nemesis import packages, pictures
from nemesis.capabilities import needs
from nemesis.faults import undo_name
from nemesis.resolution import FAULTS, describe
from nemesis.topologies import TOPOLOGIES


def faults() -> str:
    """Every kind of fault: what it does, its fields, what it needs, what undoes it."""
    return "\n".join(_faults())


def _faults() -> Iterator[str]:
    yield "In schedules a fault is an object: the name of its kind under `fault`, and its settings."
    yield "`topology` and `target` are [names](topologies.md); from them `links` and `nodes` are"
    yield "filled in when it is applied.\n"
    for name, kind in FAULTS.items():
        fault = kind()
        yield f"## `{name}`\n\n{prose(kind)}\n"
        yield f"Needs the capability `{needs(fault)}`. Undone by `{undo_name(fault)}`.\n"
        yield fields(kind) + "\n"
    yield "## Capabilities\n"
    yield pictures.block("capabilities") + "\n"


def bundles() -> str:
    """Every package of faults, with its scenes."""
    parts = [pictures.block("packages"), ""]
    for name, package in packages.PACKAGES.items():
        if not package.decks:
            continue
        scenes = {s.name: s for deck in package.decks for slot in deck for s in slot}.values()
        rows = [
            [s.name, ", ".join(dict.fromkeys(describe(act.fault) for act in s.acts)), s.story]
            for s in scenes
        ]
        parts += [f"## `{name}`\n", table(["scene", "faults", "what it looks for"], rows)]
    return "\n".join(parts)


def topologies() -> str:
    """Every shape of partition, drawn, and every target."""
    targeted = codes(name for name, topology in TOPOLOGIES.items() if topology.targeted)
    return (
        f"A picture has a row for each sender and a column for each receiver: {code('x')} is a cut "
        f"link. These take a target: {targeted}.\n\n{_lifted(pictures.block('topologies'))}\n\n"
        f"## Targets\n\n{pictures.block('targets')}\n"
    )


def _lifted(text: str) -> str:
    """Headings one level up: on their own page they are the second."""
    return text.replace("### ", "## ")
