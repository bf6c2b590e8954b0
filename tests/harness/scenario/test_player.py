"""Steps are taken as they are written, and what does not come about is said and is no verdict."""

from __future__ import annotations

import pytest

from checkers.history import Error, History, Operation
from harness.contracts import Completion
from harness.scenario import (
    Await,
    Break,
    Do,
    Elapsed,
    Expect,
    Heal,
    Leader,
    Let,
    Together,
    Wait,
)
from nemesis.faults import Kill, Partition, Pause, Slow
from tests.harness.fake_cluster import NODES
from tests.harness.scenario.theatre import Theatre, failing


def pause(seconds: float) -> Wait:
    return Wait(condition=Elapsed(least_s=seconds, most_s=seconds))


# --- operations ---


def test_an_operation_is_done_at_the_node_and_journaled_like_any_clients() -> None:
    """Its own process, its invocation before its completion, its node; a well-formed history."""
    theatre = Theatre()

    played = theatre.play(Do(f="write", at="n4", key="x", value=1), Do(f="read", at="n4", key="x"))

    found = [(o.process, o.type, o.f, o.value, o.key, o.node) for o in theatre.clients()]
    assert [
        (8, "invoke", "write", 1, "x", "n4"),
        (8, "ok", "write", 1, "x", "n4"),
        (8, "invoke", "read", None, "x", "n4"),
        (8, "ok", "read", None, "x", "n4"),
    ] == found
    assert 2 == len(History(theatre.journal.operations).calls())
    assert played.reached
    assert ("ok", 1, "n4") == tuple(
        getattr(played.results["write"], field) for field in ("outcome", "value", "node")
    )


def test_a_process_is_retired_when_it_does_not_know_what_happened() -> None:
    """After info the next operation at the node comes from another process of the same worker."""
    theatre = Theatre(answer=lambda _: Completion("info", error=Error("timeout")))

    theatre.play(Do(f="write", at="n1", value=1), Do(f="write", at="n1", value=2))

    invoked = [o.process for o in theatre.clients() if o.type == "invoke"]
    workers = 10  # five of the load, one more for each of five nodes
    assert [5, 5 + workers] == invoked


def test_an_operation_that_is_not_awaited_runs_beside_what_follows() -> None:
    """It began before the fault and ended after it; awaiting it waits for its end."""
    theatre = Theatre()
    theatre.answer_s = 2.0

    played = theatre.play(
        Do(f="write", at="n1", value=1, later=True, into="w"),
        Break(fault=Kill(target="n2")),
        Await(operations=("w",)),
        Break(fault=Kill(target="n3"), into="second"),
    )

    kinds = [(o.f, o.type) for o in theatre.journal.operations if o.by_client or "id" in o.value]
    begun, ended = kinds.index(("write", "invoke")), kinds.index(("write", "ok"))
    kills = [at for at, (f, _) in enumerate(kinds) if f == "kill"]
    assert played.reached
    assert begun < kills[0] < kills[1] < ended < kills[2]


def test_two_operations_at_one_node_are_open_at_once() -> None:
    """There is a worker for each that is not awaited, so none waits for another."""
    theatre = Theatre()
    theatre.answer_s = 1.0

    theatre.play(
        Do(f="write", at="n1", value=1, later=True, into="a"),
        Do(f="write", at="n1", value=2, later=True, into="b"),
        Do(f="read", at="n1"),
    )

    assert ["invoke"] * 3 == [o.type for o in theatre.clients()[:3]]
    assert {"n1"} == {o.node for o in theatre.clients()}


def test_an_operation_that_ends_otherwise_than_expected_ends_the_play() -> None:
    """What it ended in is told; the steps after it are not taken."""
    theatre = Theatre(answer=failing("no-leader"))

    played = theatre.play(
        Do(f="write", at="n1", value=1, expect=Expect()), Break(fault=Kill(target="n2"))
    )

    assert not played.reached
    assert "step 1 (write {at: n1, value: 1, expect: ok})" in played.why
    assert "fail at n1 (no-leader)" in played.why
    assert [] == theatre.faults()


def test_the_value_of_an_answer_may_be_expected() -> None:
    """Another one ends the play."""
    step = Do(f="read", at="n1", expect=Expect(value=1))

    right = Theatre(answer=lambda _: Completion("ok", 1)).play(step)
    wrong = Theatre(answer=lambda _: Completion("ok", 2)).play(step)

    assert (True, False) == (right.reached, wrong.reached)


def test_an_operation_is_tried_again_until_it_ends_as_expected() -> None:
    """As long as its time lasts, and no longer."""
    step = Do(f="write", at="any", value=1, expect=Expect(), again_s=1.0)
    soon, never = (
        Theatre(answer=failing("no-leader", times=3)),
        Theatre(answer=failing("no-leader")),
    )

    assert soon.play(step).reached
    assert 4 == len(soon.clients()) // 2
    assert not never.play(step).reached
    assert 1.0 <= never.ended_s < 1.2


# --- faults ---


def test_faults_overlap_and_are_healed_by_name_or_in_the_end() -> None:
    """Each is in the journal with evidence; in the end the cluster is whole."""
    theatre = Theatre()

    played = theatre.play(
        Break(fault=Partition(topology="isolate", target="n1"), into="cut"),
        pause(1.0),
        Break(fault=Slow(target="n2", mean_ms=50)),
        pause(1.0),
        Heal(faults=("cut",)),
        pause(1.0),
        Break(fault=Kill(target="n3")),
    )

    assert played.reached
    order = [f for f, _ in theatre.faults()]
    assert ["partition", "slow", "heal", "kill", "restart", "heal"] == order
    assert theatre.cluster.whole


def test_heal_undoes_all_where_none_is_named() -> None:
    """The last one first."""
    theatre = Theatre()

    theatre.play(
        Break(fault=Kill(target="n1")), Break(fault=Pause(target="n2")), Heal(), pause(5.0)
    )

    undone = [(f, s) for f, s in theatre.faults() if f in ("restart", "resume")]
    assert ["resume", "restart"] == [f for f, _ in undone]
    assert all(s < 5.0 for _, s in undone)


def test_a_fault_that_shows_no_effect_ends_the_play() -> None:
    """A schedule whose fault did not happen was not reached."""
    theatre = Theatre()
    theatre.cluster.lying = True

    played = theatre.play(Break(fault=Kill(target="n1")))

    assert not played.reached
    assert "kill n1 was not seen in effect: {'states': {'n1': 'running'}}" in played.why


def test_words_in_faults_are_the_nodes_of_that_moment() -> None:
    """Names in targets, lists of nodes and ends of links; a bound name stays who it was."""
    theatre = Theatre(leaders=("n2",))
    theatre.at(0.5, theatre.lead("n4"))

    theatre.play(
        Wait(condition=Leader(into="old")),
        pause(1.0),
        Break(fault=Partition(topology="explicit", links=(("old", "others"),))),
        Break(fault=Kill(nodes=("leader",))),
        Break(fault=Pause(target="old")),
    )

    applied = [o.value["applied"] for o in theatre.journal.operations if "applied" in o.value]
    begun = {fault["fault"]: fault for fault in applied}
    assert [["n2", n] for n in NODES if n != "n2"] == list(map(list, begun["partition"]["links"]))
    assert ["n4"] == list(begun["kill"]["nodes"])
    assert ["n2"] == list(begun["pause"]["nodes"])


def test_branches_run_side_by_side() -> None:
    """The second does not wait for the first, and the step ends with the last."""
    theatre = Theatre()

    played = theatre.play(
        Together(
            branches=(
                (pause(2.0), Break(fault=Kill(target="n1"))),
                (pause(1.0), Break(fault=Pause(target="n2"))),
            )
        ),
        Break(fault=Slow(target="n3")),
    )

    assert played.reached
    assert ["pause", "kill", "slow"] == [f for f, _ in theatre.faults()][:3]
    assert ["1.1.1", "1.2.1"] == sorted(t.number for t in played.steps if t.step.startswith("wait"))


def test_a_branch_that_is_not_reached_ends_the_others() -> None:
    """And the play, with the sentence of the inner step."""
    theatre = Theatre(leaders=())

    played = theatre.play(
        Together(
            branches=(
                (Wait(condition=Leader(), within_s=1.0),),
                (pause(30.0), Break(fault=Kill(target="n1"))),
            )
        )
    )

    assert played.why.startswith("step 1.1.1 (wait {leader: known, within_s: 1.0}): not within 1 s")
    assert [] == theatre.faults()
    assert theatre.ended_s < 2.0


# --- who and what was found ---


def test_a_word_that_nobody_answers_to_ends_the_play() -> None:
    """It says who there is instead."""
    played = Theatre(leaders=()).play(Do(f="read", at="leader"))

    assert "nobody is 'leader' now (leading: nobody known)" in played.why


def test_steps_say_what_they_came_to() -> None:
    """Each with its number, its words, its times and what was seen."""
    theatre = Theatre()

    played = theatre.play(Let(names={"a": "follower"}), Do(f="write", at="a", value=3))

    (node,) = played.names["a"]
    assert node in set(NODES) - {"n2"}
    assert ["let {a: follower}", "write {at: a, value: 3}"] == [t.step for t in played.steps]
    assert [f"a is {node}", f"ok 3 at {node}"] == [t.found for t in played.steps]


def test_a_play_is_a_function_of_its_seed() -> None:
    """The same seed draws the same nodes and waits; another draws others."""
    steps = (
        Let(names={"a": "any", "b": "other"}),
        Wait(condition=Elapsed(least_s=0.1, most_s=9.0)),
        Break(fault=Kill(target="any")),
    )

    def play(seed: int) -> tuple[object, list[Operation]]:
        theatre = Theatre()
        return theatre.play(*steps, seed=seed), theatre.journal.operations

    assert play(1) == play(1)
    assert 1 < len({repr(play(seed)) for seed in range(5)})


def test_a_play_that_is_cut_off_says_so_and_is_healed() -> None:
    """Where the run ends in the middle, nothing is left broken, and nothing was reached."""
    theatre = Theatre()

    def cut_off(_operation: Operation) -> Completion:
        raise KeyboardInterrupt

    theatre.answer = cut_off
    with pytest.raises(KeyboardInterrupt):
        theatre.play(Break(fault=Kill(target="n1")), Do(f="read", at="n2"))

    assert theatre.cluster.whole
