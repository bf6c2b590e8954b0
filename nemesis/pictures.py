"""Pictures of topologies, and the page of the manual that is printed from the code.

Rules
1. A picture is a reachability matrix: a row is a sender, a column a receiver, `.` an open link,
   `x` a cut one. Clients appear where a link of theirs is cut.
2. The manual (docs/faults.md) holds generated blocks between `<!-- begin NAME -->` and
   `<!-- end -->`. They are the output of this module, and a test compares them.

`python -m nemesis.pictures docs/faults.md` rewrites them in place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Sequence
from itertools import zip_longest
from pathlib import Path

from nemesis import packages, topologies
from nemesis.capabilities import needs
from nemesis.faults import CLIENT, Link
from nemesis.plans import Deck
from nemesis.resolution import FAULTS, describe
from nemesis.targets import TARGETS, size

DRAWN = (3, 4, 5)  # numbers of nodes in the manual
COLUMN_GAP = " " * 6
_BLOCK = re.compile(r"(<!-- begin (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def picture(links: Collection[Link], nodes: Sequence[str]) -> str:
    """The reachability matrix with these links cut; no newline at the end."""
    hosts = [*nodes, CLIENT] if any(CLIENT in link for link in links) else list(nodes)
    cut = set(links)
    margin = max(len(h) for h in [*hosts, "from"])
    lines = [f"{'from':<{margin}}  to " + " ".join(hosts)]
    for src in hosts:
        row = [_sign(src, dst, cut).rjust(len(dst)) for dst in hosts]
        lines.append(f"{src:<{margin}}     " + " ".join(row).rstrip())
    return "\n".join(lines)


def drawn(name: str) -> str:
    """The pictures of a topology for n = 3, 4, 5, side by side, nodes in their natural order."""
    topology = topologies.find(name)
    columns = []
    for n in DRAWN:
        nodes = tuple(f"n{i}" for i in range(1, n + 1))
        chosen = nodes[: size(topology.drawn, n)]
        links = topologies.ordered(topology.cut(nodes, chosen), nodes)
        columns.append(picture(links, nodes).splitlines())
    widths = [max(len(line) for line in column) for column in columns]
    rows = zip_longest(*columns, fillvalue="")
    return "\n".join(
        COLUMN_GAP.join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def rewritten(page: str) -> str:
    """The page with every generated block as the code would print it now.

    Raises ValueError on a block of an unknown name.
    """
    return _BLOCK.sub(lambda m: f"{m[1]}{block(m[2])}\n{m[3]}", page)


def block(name: str) -> str:
    """A generated block: 'topologies', 'targets', 'packages', 'capabilities' or 'scenes of
    PACKAGE'."""
    kind, _, of = name.partition(" of ")
    if kind == "scenes":
        return _scenes(packages.package(of).decks)
    if name not in _BLOCKS:
        raise ValueError(
            f"no generated block {name!r}: there are {', '.join(_BLOCKS)}, scenes of …"
        )
    return _BLOCKS[name]()


def _sign(src: str, dst: str, cut: Collection[Link]) -> str:
    if src == dst:
        return "-"
    return "x" if (src, dst) in cut else "."


def _topologies() -> str:
    parts = []
    for name, topology in topologies.TOPOLOGIES.items():
        needs = f" Needs {topology.nodes_min} nodes." if topology.nodes_min > 2 else ""
        takes = " Takes a target." if topology.targeted else ""
        parts.append(f"### `{name}`\n\n{topology.summary}{takes}{needs}")
        if name != "explicit":
            parts[-1] += f"\n\n```text\n{drawn(name)}\n```"
    return "\n\n".join(parts)


def _targets() -> str:
    rows = [f"| `{name}` | {target.summary} |" for name, target in TARGETS.items()]
    return "\n".join(["| target | nodes |", "|---|---|", *rows])


def _packages() -> str:
    rows = []
    for package in packages.PACKAGES.values():
        scenes = [scene for deck in package.decks for slot in deck for scene in slot]
        wanted = dict.fromkeys(needs(act.fault) for scene in scenes for act in scene.acts)
        rows.append(f"| `{package.name}` | {package.summary} | {', '.join(wanted) or 'nothing'} |")
    return "\n".join(["| package | what it does | needs |", "|---|---|---|", *rows])


def _capabilities() -> str:
    kinds: dict[str, list[str]] = {}
    for kind, fault in FAULTS.items():
        kinds.setdefault(needs(fault()), []).append(f"`{kind}`")
    rows = [f"| {capability} | {', '.join(faults)} |" for capability, faults in kinds.items()]
    return "\n".join(["| capability | faults that need it |", "|---|---|", *rows])


def _scenes(decks: Sequence[Deck]) -> str:
    rows = []
    for deck in decks:
        for slot in deck:
            for scene in slot:
                faults = dict.fromkeys(describe(act.fault) for act in scene.acts)
                rows.append(f"| {scene.name} | {', '.join(faults)} | {scene.story} |")
    return "\n".join(["| scene | faults | what it looks for |", "|---|---|---|", *rows])


_BLOCKS: dict[str, Callable[[], str]] = {
    "topologies": _topologies,
    "targets": _targets,
    "packages": _packages,
    "capabilities": _capabilities,
}


def main(path: Path) -> None:
    page = path.read_text()
    path.write_text(rewritten(page))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
