"""What can be left out of a case: what comes out is a case, and means what it meant."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import cases, smaller
from harness.cases import Case
from harness.clock import NS_PER_S
from harness.commands.shrink import _on_interrupt
from harness.generators.script import Line, Script
from harness.trial import Trial
from nemesis.faults import Fault, Kill, Partition
from nemesis.schedule import Schedule, Step, mistakes_of

FAULTS: tuple[Fault, ...] = (
    Kill(nodes=("n1", "n5")),
    Kill(nodes=("n4",)),
    Partition(links=(("n1", "n2"), ("n5", "n1"))),
    Partition(links=(("client", "n5"),)),
)


@st.composite
def drawn_cases(draw: st.DrawFn) -> Case:
    """Explicit cases of five nodes, with faults that are undone by a step or by the final heal."""
    steps: list[Step] = []
    moments = st.integers(0, 4000)
    for number in range(1, draw(st.integers(0, 3)) + 1):
        start_ms = draw(moments)
        steps.append(Step(start_ms / 1000, number, "start", draw(st.sampled_from(FAULTS))))
        if draw(st.booleans()):
            stop_ms = draw(st.integers(start_ms, 4000))
            steps.append(Step(stop_ms / 1000, number, "stop"))
    steps.sort(key=lambda step: (step.at_s, step.id, step.action))
    lines = st.builds(
        Line,
        at_ns=moments.map(lambda ms: ms * 1_000_000),
        worker=st.integers(0, 19),
        f=st.sampled_from(("read", "write")),
    )
    load = sorted(draw(st.lists(lines, max_size=6)), key=lambda line: line.at_ns)
    final = sorted(draw(st.lists(lines, max_size=3)), key=lambda line: line.at_ns)
    return Case(
        trial=Trial(cluster="simulated", clients=20, seed=1),
        faults=Schedule(4.0, 1, tuple(steps)),
        choices=draw(st.dictionaries(st.sampled_from("ab"), st.lists(st.integers(0, 3)))),
        script=Script(tuple(load), tuple(final)),
    )


def _all_smaller(case: Case) -> list[Case]:
    found = [
        smaller.until(case, NS_PER_S),
        smaller.without_idle_end(case),
        smaller.only_faults(case, [2]),
        smaller.final_at_once(case),
        smaller.renumbered(case),
        smaller.with_nodes(case, 3),
        smaller.tidied(case),
        *(smaller.closer(case, end, (end - start) // 2) for start, end in smaller.gaps(case)),
    ]
    sooner = [smaller.sooner_undone(case, number) for number in (1, 2, 3)]
    return found + [one for one in sooner if one is not None]


@settings(max_examples=40)
@given(drawn_cases())
def test_what_comes_out_is_a_case(case: Case) -> None:
    """Its schedule has no mistake, and it is never more than it was."""
    for one in _all_smaller(case):
        assert [] == mistakes_of(smaller.faults_of(one), one.trial.node_names)
        assert one.size() <= case.size()
        assert smaller.counts(one) <= smaller.counts(case)


@settings(max_examples=40)
@given(drawn_cases())
def test_what_happens_keeps_its_order(case: Case) -> None:
    """Of any two things the later is never the earlier, however close they have come."""
    for start, end in smaller.gaps(case):
        closer = smaller.closer(case, end, end - start)
        before = [line.at_ns for line in smaller.script_of(case).load]
        after = [line.at_ns for line in smaller.script_of(closer).load]
        assert sorted(after) == after
        assert len(before) == len(after)
        # A line and a step of faults that were in one order are in no other.
        for line, moved in zip(before, after, strict=True):
            for step, its in zip(
                smaller.faults_of(case).steps, smaller.faults_of(closer).steps, strict=True
            ):
                if line <= round(step.at_s * NS_PER_S):
                    assert moved <= round(its.at_s * NS_PER_S)


@settings(max_examples=40)
@given(drawn_cases())
def test_clients_keep_their_nodes_and_their_operations(case: Case) -> None:
    """Under new numbers each asks the node that it asked, and no two become one."""
    numbered = smaller.renumbered(case)
    before, after = smaller.lines_of(case), smaller.lines_of(numbered)
    assert [line.worker % 5 for line in before] == [line.worker % 5 for line in after]
    assert len(set(zip(before, after, strict=True))) == len(set(before))
    assert len({line.worker for line in before}) == len({line.worker for line in after})
    assert all(line.worker < numbered.trial.clients for line in after)


@settings(max_examples=40)
@given(drawn_cases())
def test_fewer_nodes_are_struck_by_what_is_left_of_the_faults(case: Case) -> None:
    """Nodes and links that are gone are not named; what struck only those is gone."""
    small = smaller.with_nodes(case, 3)
    told = cases.encode(small).decode()
    assert "n4" not in told
    assert "n5" not in told
    kept = {step.id for step in smaller.faults_of(small).steps}
    for step in smaller.faults_of(case).steps:
        if step.fault in (FAULTS[0], FAULTS[2]):
            assert step.id in kept


def test_zeros_at_an_end_are_not_written_down() -> None:
    """They are what is there without them; a stream of nothing else is left out."""
    case = Case(trial=Trial(cluster="simulated", seed=1), choices={"a": [1]})
    assert {"a": [1], "b": [0, 2]} == smaller.with_choices(case, "b", [0, 2, 0, 0]).choices
    assert {} == smaller.with_choices(case, "a", [0, 0]).choices


def test_ctrl_c_is_noted_once_and_then_ends() -> None:
    """The first only asks to stop; the second is Python's own; afterwards all is as before."""
    before = signal.getsignal(signal.SIGINT)
    with _on_interrupt() as stopped:
        assert not stopped()
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert before == signal.getsignal(signal.SIGINT)
