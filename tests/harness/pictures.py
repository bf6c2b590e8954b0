"""Space-time diagrams for tests: what one shows, read from its SVG, and worlds to draw."""

from __future__ import annotations

import re
from itertools import permutations
from xml.etree import ElementTree

import msgspec

from harness.report.spacetime import Diagram
from harness.report.spacetime.arrows import CELL, LINE
from harness.report.spacetime.labels import width
from harness.worldlog import CLIENT, WorldEvent
from tests.harness.worlds import World, busy, synod


class Picture:
    """What a diagram shows, read from its SVG."""

    def __init__(self, diagram: Diagram | None) -> None:
        assert diagram is not None
        self.diagram = diagram
        self.svg = ElementTree.fromstring(diagram.body)
        self.heads = ElementTree.fromstring(diagram.heads)
        found = re.fullmatch(r"min-width:(\d+)px", self.svg.get("style", ""))
        assert found is not None
        self.narrowest = int(found[1])

    def arrows(self, *shapes: str) -> list[ElementTree.Element]:
        """The lines of messages, all or those of some shapes."""
        lines = [e for e in self.svg.iter("line") if e.get("marker-end")]
        return [e for e in lines if not shapes or e.get("class") in shapes]

    def life(self, node: str) -> list[tuple[str, float, float]]:
        """State, begin and end of the pieces of a node's line."""
        (x,) = [e.get("x") for e in self.heads.iter("text") if e.text == node]
        return [
            (e.get("class", ""), float(e.get("y1", "")), float(e.get("y2", "")))
            for e in self.svg.iter("line")
            if e.get("x1") == x == e.get("x2") and e.get("class") in ("life", "down", "paused")
        ]

    def texts(self, *classes: str | None) -> list[str]:
        return [e.text or "" for e in self.svg.iter("text") if e.get("class") in classes]

    def labels(self) -> list[str]:
        return self.texts(None, "left")

    def boxes(self, page: float) -> list[tuple[float, float, float, float]]:
        """Left, right, top and bottom of every label, on a page so wide."""
        found = []
        for text in self.svg.iter("text"):
            if text.get("class") in ("time", "gone"):
                continue
            long, x = width(text.text or "") * CELL, share(text.get("x"), page)
            left = x + float(text.get("dx", "0")) - (long if text.get("class") == "left" else 0)
            bottom = float(text.get("y", ""))
            found.append((left, left + long, bottom - LINE + 3, bottom + 2))
        return found


def share(x: str | None, page: float) -> float:
    assert x is not None
    return float(x.removesuffix("%")) / 100 * page


def crowd() -> list[WorldEvent]:
    """All at once: every node says something long at every instant, and sends to every other."""
    w = World()
    for i in range(20):
        w.at(i)
        for node in ("n1", "n2", "n3", "n4"):
            w.says(node, "accepted", f"{i}.{node} and more of it")
        for src, to in permutations(("n1", "n2", "n3", "n4"), 2):
            w.receive(w.send(src, to, "accepted", f"{i}.{src}"))
    return w.events


WORLDS = {
    "crowd": crowd(),
    "synod": synod().events,
    "busy": busy(2_000),
    "no clients": [
        e for e in busy(600, seed=2) if CLIENT not in (e.node, e.to, e.src) and e.what != "request"
    ],
    "many nodes": busy(600, seed=3, nodes=11),
}


def hostile(evil: str) -> list[WorldEvent]:
    """The same world with a text of the system's wherever it may put one."""
    return [
        msgspec.structs.replace(
            event,
            **{
                name: evil
                for name in ("text", "kind", "name", "f", "key", "event")
                if getattr(event, name) and (name != "kind" or event.what == "send")
            },
        )
        for event in synod().events
    ]
