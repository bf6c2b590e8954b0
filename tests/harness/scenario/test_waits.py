"""A wait ends when its condition holds, or says what was seen when its time was over."""

from __future__ import annotations

import pytest

from harness.scenario import (
    Break,
    Do,
    Elapsed,
    Leader,
    Let,
    Logged,
    Passed,
    Ready,
    State,
    Step,
    Together,
    Wait,
)
from nemesis.faults import Kill, Partition
from tests.harness.scenario.theatre import ANSWER_S, Theatre, failing


def pause(seconds: float) -> Wait:
    return Wait(condition=Elapsed(least_s=seconds, most_s=seconds))


def says(node: str) -> Logged:
    return Logged(pattern="ready [0-9]+", at=node, into="who")


REACHED: dict[str, tuple[Step, float]] = {
    "leader known": (Wait(condition=Leader(into="who")), 1.0),
    "leader changed": (Wait(condition=Leader(becomes="changed", than="n3", into="who")), 1.0),
    "log": (Wait(condition=says("n4,n5")), 1.5),
    "log of all": (Wait(condition=says("all")), 1.5),
    "ready": (Wait(condition=Ready(at="n1")), 2.0),
    "state": (Wait(condition=State(at="n3", state="dead")), 2.5),
    "time": (pause(3.0), 3.0),
}


@pytest.mark.parametrize("name", REACHED)
def test_a_wait_ends_when_its_condition_holds(name: str) -> None:
    """Not before, and no later than the next look at the cluster."""
    step, at_s = REACHED[name]
    theatre = Theatre(leaders=("n3",) if name == "leader changed" else ())
    theatre.unready.add("n1")
    theatre.at(1.0, theatre.lead("n4"))
    theatre.at(1.5, theatre.say("n4", "ready 17"))
    theatre.at(2.0, theatre.unready.clear)
    theatre.at(2.5, lambda: theatre.cluster.state.update(n3="dead"))

    played = theatre.play(step)

    assert played.reached
    assert at_s <= played.steps[0].ended_s < at_s + 0.1
    assert played.names.get("who", ("n4",)) == ("n4",)


NEVER: dict[str, tuple[Wait, str]] = {
    "known": (Wait(condition=Leader(), within_s=1), "leading: nobody known"),
    "changed": (
        Wait(condition=Leader(becomes="changed", than="n2"), within_s=1),
        "leading: nobody known",
    ),
    "operations": (Wait(condition=Passed(operations=3), within_s=1), "0 of 3 operations"),
    "log": (Wait(condition=says("n1"), within_s=1), "none of 1 lines of n1 matches"),
    "ready": (Wait(condition=Ready(at="n1,n2"), within_s=1), "not ready: n1"),
    "state": (Wait(condition=State(at="n2", state="dead"), within_s=1), "n2 running"),
}


@pytest.mark.parametrize("name", NEVER)
def test_a_wait_that_runs_out_says_what_was_seen(name: str) -> None:
    """The play is not reached, at its limit, and nothing after it is done."""
    step, seen = NEVER[name]
    theatre = Theatre(leaders=())
    theatre.unready.add("n1")
    theatre.at(0.5, theatre.say("n1", "not yet"))

    played = theatre.play(step, Break(fault=Kill(target="n1")))

    assert not played.reached
    assert f"not within 1 s; {seen}" in played.why
    assert 1.0 <= played.steps[0].ended_s < 1.1
    assert [] == theatre.faults()


def test_no_leader_may_be_waited_for() -> None:
    """Nobody says that it leads."""
    theatre = Theatre(leaders=("n2",))
    theatre.at(1.0, theatre.lead())

    assert theatre.play(Wait(condition=Leader(becomes="none"))).steps[0].ended_s >= 1.0


def test_the_leader_that_is_cut_off_is_not_the_leader() -> None:
    """Of two that say they lead, it is the one that reaches a majority."""
    theatre = Theatre(leaders=("n2", "n4"))

    played = theatre.play(
        Break(fault=Partition(topology="isolate", target="n2")),
        Wait(condition=Leader(into="found")),
        Let(names={"also": "leader"}),
    )

    assert {"found": ("n4",), "also": ("n4",)} == dict(played.names)


def test_the_time_limit_of_the_trial_ends_every_wait() -> None:
    """However long it would wait itself."""
    theatre = Theatre(leaders=())
    steps = (pause(50.0), Wait(condition=Leader(), within_s=50.0))

    for step in steps:
        played = theatre.play(step, time_limit_s=2.0)
        assert "the time limit of the trial, 2 s, was over" in played.why


# --- operations that passed ---


def writes(count: int) -> list[Do]:
    return [Do(f="write", at=f"n{1 + i % 2}", key="x", value=i) for i in range(count)]


@pytest.mark.parametrize(
    ("condition", "ended"),
    [
        (Passed(operations=4), 4),
        (Passed(f="write", at="n2"), 2),
        (Passed(value=5), 6),
        (Passed(key="x", operations=3), 3),
        (Passed(outcome=None, operations=2), 2),
    ],
)
def test_operations_are_counted_as_they_end(condition: Passed, ended: int) -> None:
    """Those that fit, by any client; the next step comes at the moment of the last of them."""
    theatre = Theatre()

    played = theatre.play(
        Together(branches=((Wait(condition=condition), Break(fault=Kill(target="n5"))), writes(8)))  # type: ignore[arg-type]
    )

    waited = next(t for t in played.steps if t.number == "1.1.1")
    assert played.reached
    assert round(ended * ANSWER_S, 6) == pytest.approx(waited.ended_s)


@pytest.mark.parametrize("key", ["y", 1, True])
def test_operations_on_other_keys_do_not_count(key: object) -> None:
    """Nor those that failed, where an acknowledgement is waited for."""
    theatre = Theatre()
    wait = Wait(condition=Passed(key=key), within_s=1.0)

    played = theatre.play(Together(branches=((wait,), tuple(writes(4)))))

    assert not played.reached
    failed = Theatre(answer=failing("no-leader"))
    assert not failed.play(
        Together(branches=((Wait(condition=Passed(), within_s=1.0),), tuple(writes(4))))
    ).reached


def test_a_wait_counts_from_the_beginning_of_the_step_before() -> None:
    """What the step before has brought about is seen, however fast; what was before it is not."""
    theatre = Theatre()
    theatre.at(0.5, theatre.say("n1", "ready 1"))
    theatre.cluster.on_call = _saying(theatre)
    fresh = Wait(condition=Logged(pattern="ready", at="n1"), within_s=1.0)

    seen = theatre.play(pause(1.0), Break(fault=Kill(target="n3")), fresh)
    stale = Theatre()
    stale.at(0.5, stale.say("n1", "ready 1"))
    unseen = stale.play(pause(1.0), Break(fault=Kill(target="n3")), fresh)

    assert (True, False) == (seen.reached, unseen.reached)


def _saying(theatre: Theatre):  # type: ignore[no-untyped-def]
    async def on_call(name: str) -> None:
        if name == "kill":
            theatre.say("n1", "ready 2")()

    return on_call


def test_a_wait_after_a_wait_counts_from_its_end() -> None:
    """Twice two operations are four, and not twice the same two."""
    theatre = Theatre()
    two = Wait(condition=Passed(operations=2))

    played = theatre.play(Together(branches=((two, two), tuple(writes(8)))))

    ended = [t.ended_s for t in played.steps if t.number in ("1.1.1", "1.1.2")]
    assert [2 * ANSWER_S, 4 * ANSWER_S] == pytest.approx(ended)
