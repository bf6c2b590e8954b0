"""The laws against a small Paxos that is correct, and against the same with one rule broken.

The simulation loses, duplicates and reorders messages, restarts nodes, kills them between disk and
trace, and then interleaves the nodes' events at random: their order in time is anybody's guess, as
it is under clocks that disagree.
"""

from __future__ import annotations

from itertools import takewhile
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.laws import LAWS, breaches
from checkers.trace import Ballot, Instance, Scalar, TraceEvent

Message = tuple[str, str, tuple]  # dst, src, content
LOG = {"log-agreement", "state-equality"}  # laws of slots
MUTATIONS = {
    "promise-forgotten": {"promise-kept"},
    "accepted-forgotten": {"accepted-kept"},
    "accepts-below-promise": {"promise-kept"},
    "ignores-reports": {"p2c", "p2b", "p2a", "p2", "chosen-once", *LOG},
    "lowest-report": {"p2c"},
    "half-quorum": {"p2c", "quorum"},
    "refuses-the-first": {"p1"},
    "refuses-for-nothing": {"p1"},
    "applies-as-it-learns": {"state-equality"},
    "duplicate-votes": {"p2c", "quorum"},
    "shared-ballots": {"ballot-unique"},
    "ballot-reused": {"ballot-unique"},
}


class Node:
    """Acceptor, proposer and learner. What stands in `disk` survives a restart."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self.world = name, world
        self.promised: Ballot = (0, "")  # on disk
        self.accepted: dict[Instance, tuple[Ballot, Scalar]] = {}  # on disk
        self.round = 0  # on disk
        self.events: list[TraceEvent] = []
        self.start()

    def start(self) -> None:
        self.ballot: Ballot = (0, "")
        self.first = 0
        self.reports: list[tuple[str, tuple]] = []
        self.issued: set[Instance] = set()
        self.votes: list[tuple[str, Instance, Ballot, Scalar]] = []
        self.log: dict[Instance, Scalar] = {}
        self.emit("restart")

    def restart(self) -> None:
        flaw = self.world.flaw
        if flaw == "promise-forgotten":
            self.promised = (0, "")
        if flaw == "accepted-forgotten":
            self.accepted = {}
        if flaw == "ballot-reused":
            self.round = 0
        self.start()

    def emit(self, event: str, **fields: object) -> None:
        if not self.world.dying:
            self.events.append(TraceEvent(0, self.name, event, **fields))  # type: ignore[arg-type]

    def tell(self, dst: str, *content: object) -> None:
        if not self.world.dying:
            self.world.messages.append((dst, self.name, content))

    def enough(self, voters: list[str]) -> bool:
        flaw, size = self.world.flaw, len(self.world.names)
        count = len(voters) if flaw == "duplicate-votes" else len(set(voters))
        return count >= (size // 2 if flaw == "half-quorum" else size // 2 + 1)

    def prepare(self, first: int) -> None:
        self.round = max(self.round, self.promised[0]) + 1
        if self.world.flaw == "ballot-reused":
            self.round = min(self.round, 2)
        owner = "n1" if self.world.flaw == "shared-ballots" else self.name
        self.ballot, self.first = (self.round, owner), first
        self.reports, self.issued = [], set()
        instance = self.world.single
        self.emit("prepare", ballot=self.ballot, instance=instance, first=first)
        for name in self.world.names:
            self.tell(name, "prepare", self.ballot, first)

    def receive(self, src: str, content: tuple) -> None:
        getattr(self, "on_" + content[0])(src, *content[1:])

    def on_prepare(self, src: str, ballot: Ballot, first: int) -> None:
        if ballot < self.promised or self.refuses_for_nothing(ballot):
            self.refuse(ballot)
            return
        self.promised = ballot
        told = tuple(
            (i, b, v)
            for i, (b, v) in sorted(self.accepted.items())
            if isinstance(i, str) or i >= first
        )
        instance = self.world.single
        self.emit("promise", ballot=ballot, instance=instance, first=first, accepted=told)
        self.tell(src, "promise", ballot, told)

    def refuse(self, ballot: Ballot, instance: Instance | None = None) -> None:
        promised = self.promised
        if self.refuses_for_nothing(ballot):
            promised = (ballot[0] + 9, "n1")
        instance = self.world.single if instance is None else instance
        self.emit("refuse", ballot=ballot, instance=instance, promised=promised)

    def refuses_for_nothing(self, ballot: Ballot) -> bool:
        return self.world.flaw == "refuses-for-nothing" and ballot[0] == 1 and self.name == "n1"

    def on_promise(self, src: str, ballot: Ballot, told: tuple) -> None:
        if ballot != self.ballot:
            return
        self.reports.append((src, told))
        if not self.enough([node for node, _ in self.reports]):
            return
        for instance in self.world.instances:
            if instance in self.issued or (isinstance(instance, int) and instance < self.first):
                continue
            self.issued.add(instance)
            value = self.value_for(instance)
            self.emit("accept", ballot=ballot, instance=instance, value=value)
            for name in self.world.names:
                self.tell(name, "accept", ballot, instance, value)

    def value_for(self, instance: Instance) -> Scalar:
        reports = [(b, v) for _, told in self.reports for i, b, v in told if i == instance]
        own = f"{self.name}-{self.round}"
        if not reports or self.world.flaw == "ignores-reports":
            return own
        return (min if self.world.flaw == "lowest-report" else max)(reports)[1]

    def on_accept(self, _: str, ballot: Ballot, instance: Instance, value: Scalar) -> None:
        flaw = self.world.flaw
        low = ballot < self.promised and flaw != "accepts-below-promise"
        if low or (flaw == "refuses-the-first" and not self.accepted):
            self.refuse(ballot, instance)
            return
        self.promised = max(self.promised, ballot)
        self.accepted[instance] = (ballot, value)
        self.emit("accepted", ballot=ballot, instance=instance, value=value)
        for name in self.world.names:
            self.tell(name, "vote", instance, ballot, value)

    def on_vote(self, src: str, instance: Instance, ballot: Ballot, value: Scalar) -> None:
        vote = (instance, ballot, value)
        self.votes.append((src, *vote))
        if self.enough([node for node, *cast in self.votes if tuple(cast) == vote]):
            self.emit("chosen", instance=instance, value=value, ballot=ballot)
            self.apply(instance, value)

    def apply(self, instance: Instance, value: Scalar) -> None:
        """The state is the list of all values up to the first slot that is not learnt."""
        if instance in self.log:
            return
        self.log[instance] = value
        if isinstance(instance, str):
            return
        slots = list(takewhile(self.log.__contains__, self.world.instances))
        if self.world.flaw == "applies-as-it-learns":
            slots = list(self.log)
        if slots:
            digest = ",".join(str(self.log[slot]) for slot in slots)
            self.emit("state", index=len(slots) - 1, digest=digest)


class World:
    """One random run. `wide`: one phase 1 for all slots of a log; else one named instance."""

    def __init__(self, seed: int, flaw: str = "", *, size: int = 3, wide: bool = False) -> None:
        self.flaw, self.random, self.dying = flaw, Random(seed), False
        self.names = [f"n{i + 1}" for i in range(size)]
        self.instances: list[Instance] = [0, 1, 2] if wide else ["r1"]
        self.single = None if wide else "r1"
        self.messages: list[Message] = []
        self.nodes = {name: Node(name, self) for name in self.names}

    def run(self, steps: int) -> list[TraceEvent]:
        for _ in range(steps):
            self.step()
        return self.interleaved()

    def step(self) -> None:
        choice, random = self.random.random(), self.random
        if choice < 0.06 or not self.messages:
            first = random.choice([0, 0, 1]) if self.single is None else 0
            self.nodes[random.choice(self.names)].prepare(first)
        elif choice < 0.1:
            self.nodes[random.choice(self.names)].restart()
        elif choice < 0.2:
            self.messages.pop(random.randrange(len(self.messages)))  # lost
        else:
            dst, src, content = random.choice(self.messages)
            if choice < 0.85:
                self.messages.remove((dst, src, content))  # else delivered twice
            self.dying = random.random() < 0.03  # killed after the disk, before trace and wire
            self.nodes[dst].receive(src, content)
            if self.dying:
                self.dying = False
                self.nodes[dst].restart()

    def interleaved(self) -> list[TraceEvent]:
        queues = [list(node.events) for node in self.nodes.values()]
        trace = []
        while queues := [queue for queue in queues if queue]:
            trace.append(self.random.choice(queues).pop(0))
        return trace


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([1, 2, 3, 4, 5]),
    steps=st.integers(0, 400),
    wide=st.booleans(),
)
def test_a_correct_paxos_breaks_no_law(seed: int, size: int, steps: int, wide: bool) -> None:
    """Under loss, duplication, reordering, restarts and unrelated clocks: no false alarm."""
    world = World(seed, size=size, wide=wide)

    broken, _ = breaches(world.run(steps), world.names)

    assert broken == {}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), silent=st.sampled_from(["n1", "n2", "n3"]), wide=st.booleans())
def test_what_the_trace_lacks_is_read_in_favour_of_the_system(
    seed: int, silent: str, wide: bool
) -> None:
    """A node that emitted nothing, and node counts that nobody told, raise no false alarm."""
    world = World(seed, size=3, wide=wide)
    trace = world.run(300)
    partial = [event for event in trace if event.node != silent]

    assert breaches(partial, world.names)[0] == {}
    assert breaches(trace)[0] == {}


@pytest.mark.parametrize("flaw", MUTATIONS)
@pytest.mark.parametrize("wide", [False, True], ids=["single", "log"])
def test_a_broken_paxos_breaks_its_law(flaw: str, wide: bool) -> None:
    """Each rule that is left out is missed by the law that states it, in some of 200 runs."""
    caught: set[str] = set()
    wanted = MUTATIONS[flaw] if wide else MUTATIONS[flaw] - LOG
    for seed in range(200):
        world = World(seed, flaw, size=4 if flaw == "half-quorum" else 3, wide=wide)
        caught |= set(breaches(world.run(600), world.names)[0])
        if wanted <= caught:
            break

    assert wanted <= caught


@pytest.mark.parametrize("flaw", MUTATIONS)
def test_t16_each_law_implies_the_one_before(flaw: str) -> None:
    """P2c implies P2b (where promises and votes are kept), P2b implies P2a, P2a implies P2, and
    they imply agreement: where two values are learnt, a law names the step that led to it."""
    results = {"chosen-once", "log-agreement", "state-equality", "p2", "p2a", "p2b"}
    for seed in range(40):
        world = World(seed, flaw, size=3, wide=seed % 2 == 0)
        broken = set(breaches(world.run(600), world.names)[0])

        assert "p2" not in broken or "p2a" in broken
        assert "p2a" not in broken or "p2b" in broken
        assert not broken or broken - results or flaw == "applies-as-it-learns"


def test_every_law_has_a_mutation_that_breaks_it() -> None:
    """A law that nothing in this file breaks would be a check that cannot fail."""
    assert {law.name for law in LAWS} == set().union(*MUTATIONS.values())
