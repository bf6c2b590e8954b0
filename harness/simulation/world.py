"""The world: nodes, disks, links and connections, made of one stream of choices.

Rules
1. Nothing happens here but through the loop, and nothing is decided but by choices.
2. The trace of the nodes is kept as lines, as they would stand in their files: what a checker sees
   is what any system's trace would say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

import msgspec

from harness.brief import brief
from harness.machine import Machine
from harness.simulation.choices import MACHINE, Choices, ChosenRandom
from harness.simulation.disk import Disk
from harness.simulation.fence import Fence
from harness.simulation.links import Frame, PeerLink, alter
from harness.simulation.log import WorldLog
from harness.simulation.loop import VirtualLoop
from harness.simulation.node import Node
from harness.simulation.pace import Ranks
from harness.simulation.settings import Settings
from harness.simulation.wires import ClientLink, NodePort, Switchboard
from nemesis.faults import CLIENT, Link

# A machine for node `name` among `peers`, in its `life` (from 1), with what is random in it.
Build = Callable[[str, Sequence[str], Random], Machine]

_encode = msgspec.json.Encoder().encode


class Observer(Protocol):
    """Who watches a world, and changes nothing in it."""

    def begin(self, world: World) -> None: ...

    def arrives(self, link: Link, frame: Frame, now_ns: int) -> None:
        """A frame is about to be handed to its receiver."""
        ...

    def traced(self, node: str, event: str, fields: Mapping[str, Any]) -> None: ...


class World:
    """`nodes` by name, `links` between them, `board` for their clients; nothing runs yet."""

    def __init__(
        self,
        names: Sequence[str],
        build: Build,
        *,
        loop: VirtualLoop,
        choices: Choices,
        settings: Settings,
        fence: Fence,
        log: WorldLog | None = None,
    ) -> None:
        self.loop, self.choices, self.settings = loop, choices, settings
        self.names = tuple(names)
        self.log = log
        self._observer: Observer | None = None
        self.origin_ns = 0  # of the run, for the trace's times
        self.trace_lines: list[bytes] = []
        self.lies: dict[str, int] = dict.fromkeys(names, 0)
        self.board = Switchboard(loop)
        loop.network = self.board
        self.nodes: dict[str, Node] = {}
        self.links: dict[Link, PeerLink] = {}
        self._build, self._fence = build, fence
        for name in names:
            self._add_node(name)
        self._join()

    def _add_node(self, name: str) -> None:
        port = NodePort(self.log)
        peers = [other for other in self.names if other != name]

        def build(life: int) -> Machine:
            random = ChosenRandom(self.choices.stream(f"{MACHINE}{name} {life}"))
            return self._build(name, peers, random)

        port.node = self.nodes[name] = Node(
            name,
            loop=self.loop,
            disk=Disk(name, self.choices),
            build=build,
            clients=port,
            trace=self._traced,
            fence=self._fence,
            log=self.log,
            told=self._told,
        )
        self.board.ports[name] = port
        for link in ((CLIENT, name), (name, CLIENT)):
            self.board.links[link] = ClientLink(
                link, self.loop, self.choices, self.settings.latency
            )

    def _join(self) -> None:
        pace = None
        if self.settings.scheduler == "depth":
            settings = self.settings
            pace = Ranks(self.names, settings.changes, settings.frames, self.choices).extra_us
        for src in self.names:
            for dst in self.names:
                if src == dst:
                    continue
                link = PeerLink(
                    (src, dst),
                    self.loop,
                    self.choices,
                    self.settings.latency,
                    self.nodes[dst].receive,
                    ordered=self.settings.order == "fifo",
                    pace=pace,
                    lost=self._lost if self.log is not None else None,
                )
                self.links[src, dst] = self.nodes[src].links[dst] = link

    def observe(self, observer: Observer) -> None:
        """Let it watch from now on."""
        self._observer = observer
        observer.begin(self)
        for link in self.links.values():
            link.tap(lambda link, frame: observer.arrives(link, frame, self.loop.now_ns))

    def begin(self, origin_ns: int) -> None:
        """The run begins now: what happened before was setting up, at times below 0, as in a trace
        that is merged from nodes' files."""
        self.origin_ns = origin_ns
        self.trace_lines[:] = [_earlier(line, origin_ns) for line in self.trace_lines]
        if self.log is not None:
            self.log.begin(origin_ns)

    @property
    def deliveries(self) -> int:
        """Of frames between nodes, doubled ones included."""
        every = [link.counts for link in self.links.values()]
        return sum(counts.forwarded + counts.duplicated for counts in every)

    def _lost(self, link: Link, frame: Frame) -> None:
        assert self.log is not None
        self.log.add(link[0], "lost", to=link[1], id=frame.id)

    def _traced(self, node: str, event: str, fields: Mapping[str, Any]) -> None:
        time_ns = self.loop.now_ns - self.origin_ns
        line = _encode({"time": time_ns, "node": node, "event": event, **fields})
        self.trace_lines.append(line)
        if self._observer is not None:
            self._observer.traced(node, event, fields)
        if self.log is not None:
            self.log.add(node, "event", event=event, text=brief(fields))

    # --- failure models ---

    def _told(self, node: str, up: bool) -> None:
        """The perfect detector of the fail-stop model tells all others of the end of a life,
        whatever ended it, and of a new one; who comes back hears who is down."""
        if self.settings.failure != "fail-stop" or (up and self.nodes[node].life == 1):
            return
        due_ns = self.loop.now_ns + self.settings.detect_us * 1000
        for other in self.names:
            if other != node:
                self.loop.at(due_ns, self._tell, (other, node, up))
                if up and self.nodes[other].state == "dead":
                    self.loop.at(due_ns, self._tell, (node, other, False))

    def _tell(self, what: tuple[str, str, bool]) -> None:
        other, node, up = what
        self.nodes[other].detect(node, up)

    def corrupt_node(self, name: str, behaviours: Sequence[str]) -> None:
        """Make a node lie in these ways, or none: honest again."""
        node = self.nodes[name]
        if not behaviours:
            node.lie = None
            return
        stream = self.choices.stream(f"{name} lies")

        def lie(dst: str, message: Any) -> Any:
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(message))
            behaviour = behaviours[stream.below(len(behaviours))]
            # To equivocate is to tell some the truth: whoever is told, it is not what others hear.
            if behaviour == "equivocate" and self.names.index(dst) % 2 == 0:
                return message
            if stream.below(2) == 0:
                return message
            lied = _forged(plain, stream) if behaviour == "forge" else alter(plain, stream)
            if lied == plain:  # nothing in it to lie about
                return message
            self.lies[name] += 1
            return lied

        node.lie = lie


def _earlier(line: bytes, by_ns: int) -> bytes:
    event = msgspec.json.decode(line)
    event["time"] -= by_ns
    return _encode(event)


def _forged(message: Any, stream: Any) -> Any:
    """The message under ballots that were never prepared: each whole number in it raised at once,
    as a node does that claims a round which is not its own."""
    by = 1 + stream.below(3)

    def raised(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: raised(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            whole = [raised(part) for part in value]
            ballot = len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], str)
            return [value[0] + by, value[1]] if ballot else whole
        return value

    return raised(message)
