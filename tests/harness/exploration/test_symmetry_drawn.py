"""Symmetry against orbits counted by hand, on random protocols with two twins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.exploration.configuration import Configuration, System, World
from harness.exploration.freezing import Opaque
from harness.exploration.properties import agreement, possible
from harness.exploration.search import search
from harness.exploration.symmetry import Symmetry
from harness.machine import Deliver, Effect, Event, Machine, Recover, Send, Trace

STATES, KINDS, HOPS = 2, ("a", "b"), 2
TARGETS = ("one", "self", "other", "last")
SWAP = {"one": "one", "left": "right", "right": "left"}
CONFIGURATIONS_MAX = 1500


class Rule(NamedTuple):
    state: int
    sends: tuple[tuple[str, str], ...]  # target, kind
    decide: int | None


class Table(Opaque, dict[tuple[str, int, str], Rule]):
    """By role, state and what happened; copies may share it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Table:
        return self


class Twin:
    """One, or left, or right. It remembers who sent to it last, by name, and says so."""

    def __init__(self, name: str, table: Table) -> None:
        self._name, self._table = name, table
        self._role = "one" if name == "one" else "twin"
        self.state, self.last = 0, name

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return self._follow("start", HOPS)
        assert isinstance(event, Deliver)
        kind, hops, _ = event.message
        self.last = event.src
        return self._follow(kind, hops)

    def _follow(self, what: str, hops: int) -> Sequence[Effect]:
        rule = self._table[self._role, self.state, what]
        self.state = rule.state
        effects: list[Effect] = []
        if rule.decide is not None:
            effects.append(Trace("decide", {"value": rule.decide}))
        if hops > 0:
            for target, kind in rule.sends:
                effects.append(Send(self._find(target), [kind, hops - 1, self.last]))
        return effects

    def _find(self, target: str) -> str:
        if target == "other":
            return "left" if self._name == "one" else SWAP[self._name]
        names = {"one": "one", "self": self._name, "last": self.last}
        return names[target]


rules = st.builds(
    Rule,
    st.integers(0, STATES - 1),
    st.lists(st.tuples(st.sampled_from(TARGETS), st.sampled_from(KINDS)), max_size=2).map(tuple),
    st.sampled_from((None, None, 0, 1)),
)
tables = st.fixed_dictionaries(
    dict.fromkeys(
        [
            (role, state, what)
            for role in ("one", "twin")
            for state in range(STATES)
            for what in ("start", *KINDS)
        ],
        rules,
    )
).map(Table)


def orbits(world: World) -> int:
    """Configurations as what can be seen of them, each together with its image."""
    seen, frontier = {world.initial}, [world.initial]
    while frontier:
        for _, after in world.moves(frontier.pop()):
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    keep = {name: name for name in SWAP}
    return len({frozenset({_seen(world, c, keep), _seen(world, c, SWAP)}) for c in seen})


def _seen(world: World, configuration: Configuration, names: dict[str, str]) -> Any:
    states = {}
    for name in world.system.processes:
        local = world.local(configuration, name)
        machine: Any = local.machine
        states[names[name]] = (machine.state, names[machine.last], local.decisions)
    processes = world.system.processes
    messages = Counter(
        (names[processes[m.src]], names[processes[m.dst]], *m.message[:2], names[m.message[2]])
        for m in world.in_flight(configuration)
    )
    return (tuple(sorted(states.items())), frozenset(messages.items()))


@settings(max_examples=60, deadline=None)
@given(tables)
def test_one_configuration_of_each_orbit_and_the_same_verdicts(table: Table) -> None:
    """`one` may not favour a twin, else they are not interchangeable: it answers, and speaks to
    itself."""
    fair = {
        key: rule._replace(sends=tuple(s for s in rule.sends if s[0] != "other"))
        for key, rule in table.items()
        if key[0] == "one"
    }
    book = Table({**table, **fair})

    def build(name: str, _rng: Random) -> Machine:
        return Twin(name, book)

    world = World(System(processes=("one", "left", "right"), build=build))
    wanted = [agreement(), possible(0), possible(1)]
    plain = search(world, wanted, configurations_max=CONFIGURATIONS_MAX)
    assume(plain.complete)
    reduced = search(world, wanted, canonical=Symmetry(world, ("left", "right")))
    assert orbits(world) == reduced.configurations
    assert [j.outcome for j in plain.judgements] == [j.outcome for j in reduced.judgements]
