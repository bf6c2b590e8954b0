"""Every law against the oracle that is written straight from its statement."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from checkers.laws import LAWS, breaches
from checkers.trace import TraceEvent
from tests.checkers.laws_oracle import ORACLES, Run
from tests.checkers.test_laws_simulated import World

NODES = ("n1", "n2", "n3")
CHOOSING = ("accepted", "accepted", "accept", "chosen", "promise")
EVERYTHING = (*CHOOSING, "restart", "prepare", "promise", "refuse", "chosen", "state")
# Fewer kinds of events in one instance meet more often.
THEMES = {
    "everything": (EVERYTHING, ("r1", 0, 1)),
    "choosing": (CHOOSING, ("r1",)),
    "slots": (CHOOSING, (0, 1)),
    "promising": (("promise", "promise", "accepted", "refuse", "restart"), ("r1", 0, 1)),
    "numbering": (("prepare", "prepare", "accept", "restart"), ("r1", 0)),
}
nodes = st.sampled_from(NODES)
ballots = st.tuples(st.integers(1, 3), st.sampled_from(["n1", "n2"]))
values = st.sampled_from(["a", "a", "b", 1, True])


@st.composite
def trace_events(draw: st.DrawFn, theme: str) -> TraceEvent:
    names, places = THEMES[theme]
    name, node = draw(st.sampled_from(names)), draw(nodes)
    instances, fields = st.sampled_from(places), {}
    if name in ("prepare", "promise", "refuse"):
        fields = {"ballot": draw(ballots), "instance": draw(instances | st.none())}
        fields |= {"first": draw(st.none() | st.integers(0, 1))} if name != "refuse" else {}
    if name == "promise":
        told = draw(st.dictionaries(instances, st.tuples(ballots, values), max_size=2))
        fields["accepted"] = tuple((i, b, v) for i, (b, v) in told.items())
    elif name == "refuse":
        fields["promised"] = draw(st.none() | ballots)
    elif name == "chosen":
        ballot = draw(st.none() | ballots)
        fields = {"instance": draw(instances), "value": draw(values), "ballot": ballot}
    elif name in ("accept", "accepted"):
        fields = {"instance": draw(instances), "value": draw(values), "ballot": draw(ballots)}
    elif name == "state":
        fields = {"index": draw(st.integers(0, 1)), "digest": draw(st.sampled_from("xy"))}
    return TraceEvent(0, node, name, **fields)


def expected(trace: list[TraceEvent], declared: tuple[str, ...], judged: tuple[str, ...]) -> dict:
    run = Run(trace, declared)
    found = {law: ORACLES[law](run) for law in judged}
    return {law: position for law, position in found.items() if position is not None}


@settings(max_examples=400, deadline=None)
@given(
    trace=st.sampled_from(list(THEMES)).flatmap(
        lambda theme: st.lists(trace_events(theme), max_size=16)
    ),
    declared=st.sampled_from([(), NODES, NODES, (*NODES, "n4")]),
)
def test_laws_agree_with_their_statements(
    trace: list[TraceEvent], declared: tuple[str, ...]
) -> None:
    """Any events in any order: the same laws are broken, each at the same first event."""
    broken, judged = breaches(trace, declared)

    for law in broken:
        event(law)
    first = {law: breach.position for law, breach in broken.items()}
    assert expected(trace, declared, judged) == first


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    flaw=st.sampled_from(["", "ignores-reports", "half-quorum", "shared-ballots"]),
    size=st.sampled_from([2, 3, 4]),
    wide=st.booleans(),
)
def test_laws_agree_with_their_statements_on_runs(
    seed: int, flaw: str, size: int, wide: bool
) -> None:
    """The same of what a Paxos does, correct or with a rule left out."""
    world = World(seed, flaw, size=size, wide=wide)
    trace = world.run(80)

    broken, judged = breaches(trace, world.names)

    for law in broken:
        event(law)
    first = {law: breach.position for law, breach in broken.items()}
    assert expected(trace, tuple(world.names), judged) == first


def test_every_law_has_an_oracle() -> None:
    """A law without one would be judged by nobody but itself."""
    assert [law.name for law in LAWS] == list(ORACLES)
