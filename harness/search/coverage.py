"""Coverage: which situations of the protocol a run has been in, whatever the system.

Rules
1. A situation is a small tuple of words and numbers, in which names of nodes, keys, values and
   ballots do not occur: runs that differ by those alone have been in the same situations.
2. Three things give situations: a message that arrives (its kind, how old it is, whether its ballot
   is behind, level with or ahead of what its receiver has met), an event of the trace (what it is,
   how its ballot stands to the others', what the node did before), and what is in force around
   them: how many lead, how many are down, which faults.
3. Nothing is asked of a system. One that writes no trace and whose messages carry no ballot is told
   apart by the kinds and ages of its messages, the states of its nodes and the faults.
4. To watch a run changes nothing in it, and costs a few microseconds a message.

Sources: a bucketed count of edges as feedback is AFL's (Zalewski 2014); states of a protocol in
place of edges of a program, Pham et al. 2020 ("AFLNet") and, for consensus, Gulcan et al. 2024
("Model-guided Fuzzing of Distributed Systems").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.simulation.links import Frame
from harness.simulation.world import World
from nemesis.faults import Link

Situation = tuple[Any, ...]

_AGES_NS = (5_000_000, 60_000_000, 400_000_000)  # a message, a phase, an election
_BEHIND, _LEVEL, _AHEAD = "behind", "level", "ahead"


class Watch:
    """Watches one run. `situations`: each with how often it came, in the order of coming first."""

    def __init__(self) -> None:
        self.situations: dict[Situation, int] = {}
        self._world: World | None = None
        self._met: dict[tuple[str, Any], Any] = {}  # by node and instance: the highest ballot
        self._highest: dict[Any, Any] = {}  # by instance
        self._roles: dict[str, str] = {}
        self._before: dict[tuple[str, Any], str] = {}  # what a node did last, by instance
        self._faults: dict[int, str] = {}
        self._around: Situation = ()

    def begin(self, world: World) -> None:
        """The nodes of this world run from now on."""
        self._world = world
        self._look_around()

    def features(self) -> tuple[Situation, ...]:
        """The situations, each with the order of magnitude of how often it came."""
        return tuple((*s, min(n.bit_length(), 6) // 2) for s, n in self.situations.items())

    # --- what the world tells ---

    def arrives(self, link: Link, frame: Frame, now_ns: int) -> None:
        """A message is about to be handed to its receiver."""
        message, node = frame.message, link[1]
        age = _magnitude(now_ns - frame.sent_ns)
        if message is None:
            self._came("size", len(frame.payload).bit_length(), age)
            return
        ballot, instance = getattr(message, "ballot", None), _instance(message)
        stands = self._stands(ballot, self._met.get((node, instance)))
        role = self._roles.get(node, "")
        self._came(type(message).__name__, age, stands, role)

    def traced(self, node: str, event: str, fields: Mapping[str, Any]) -> None:
        """A node writes an event of its trace."""
        if event == "messages":
            return  # a count of what was seen one by one
        ballot, instance = fields.get("ballot"), _named(fields.get("instance"))
        stands = self._stands(ballot, self._highest.get(instance))
        before = self._before.get((node, instance), "")
        if event in ("leader", "follower", "restart"):
            self._roles[node] = event
            self._look_around()
        if stands:
            self._note(node, instance, ballot, stands)
        reports = fields.get("accepted")
        told = min(len(reports), 2) if isinstance(reports, list | tuple) else 0
        self._came("event", event, stands, before, told)
        self._before[node, instance] = event

    def struck(self, number: int, name: str | None) -> None:
        """Fault `number` of this name is in force, or None: no longer."""
        if name is None:
            self._faults.pop(number, None)
        else:
            self._faults[number] = name
        self._look_around()

    # --- what that comes to ---

    def _came(self, *situation: Any) -> None:
        whole = (*situation, self._around)
        self.situations[whole] = self.situations.get(whole, 0) + 1

    def _note(self, node: str, instance: Any, ballot: Any, stands: str) -> None:
        at = (node, instance)
        if self._stands(ballot, self._met.get(at)) == _AHEAD:
            self._met[at] = ballot
        if stands == _AHEAD:
            self._highest[instance] = ballot

    def _stands(self, ballot: Any, other: Any) -> str:
        """How a ballot stands to another; '' where there is none, or none that can be compared."""
        if ballot is None:
            return ""
        if other is None or ballot == other:
            return _AHEAD if other is None else _LEVEL
        try:
            return _AHEAD if tuple(ballot) > tuple(other) else _BEHIND
        except TypeError:
            return ""

    def _look_around(self) -> None:
        assert self._world is not None, "a watch begins with a world"
        states = [node.state for node in self._world.nodes.values()]
        leading = sum(
            self._roles.get(name) == "leader" and node.state == "running"
            for name, node in self._world.nodes.items()
        )
        self._around = (
            min(leading, 2),
            states.count("dead"),
            states.count("paused") > 0,
            tuple(sorted(set(self._faults.values()))),
        )


def _magnitude(age_ns: int) -> int:
    return sum(age_ns >= bound for bound in _AGES_NS)


def _instance(message: Any) -> Any:
    return _named(getattr(message, "instance", None))


def _named(instance: Any) -> Any:
    """Slots of a log share the ballots of its leaders; other instances have their own."""
    return instance if isinstance(instance, str) else None
