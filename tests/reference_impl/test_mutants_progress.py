"""Mutants that say nothing wrong, and do not get on: what T3 asks of the healed system, they break.

Nodes n1 to n5 are the A to E of the stories.
"""

from __future__ import annotations

from tests.reference_impl.stage import Stage, versus

LATENCY_S = 0.001
PATIENCE_S = 3.5  # of clients: longer than the checker of termination asks for


def settled_once(stage: Stage) -> None:
    """A value is chosen for another key: the system works, as far as anybody has seen."""
    stage.propose("n1", "u", key="j")
    stage.meet("n1 n2 n3 n4 n5")


@versus("no-back-off")
def test_t26_proposers_without_back_off_outbid_each_other_for_ever(mutant: str | None) -> None:
    """n3 is near, so each proposer hears soon that it was outbid, and its next prepare reaches the
    others before the rival's accept requests do. Nothing is lost, nobody is down."""
    stage = Stage(mutant)
    settled_once(stage)
    stage.flow(LATENCY_S, near="n3")
    stage.healed()

    stage.propose("n1", "v")
    stage.wait(LATENCY_S)
    stage.propose("n5", "w")
    stage.wait(PATIENCE_S)

    stage.judge()


@versus("gives-up")
def test_a_proposer_that_was_outbid_comes_back(mutant: str | None) -> None:
    """n5 outbids n1 and dies before it proposes; it restarts, and nothing is wrong any more."""
    stage = Stage(mutant)
    settled_once(stage)
    stage.propose("n5", "w")
    stage.deliver("prepare", "n5", "n2 n3 n4")
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3 n4")
    stage.deliver("refuse", "n2 n3 n4", "n1")
    stage.restart("n5")
    stage.flow(LATENCY_S)
    stage.healed()

    stage.propose("n1", "x")
    stage.wait(PATIENCE_S)

    stage.judge()


@versus("promises-once")
def test_a_second_leader_can_be_elected(mutant: str | None) -> None:
    """The leader of five is killed, and is back 3 s later."""
    stage = Stage(mutant, workload="register")
    stage.flow(LATENCY_S)
    leader = stage.world.await_leader()
    stage.ask("write", leader, "u")
    stage.wait(0.5)
    stage.world.crash(leader)
    stage.wait(3.0)
    stage.world.start(leader)
    stage.healed()

    for second in range(4):
        for node in stage.world.names:
            stage.ask("write", node, f"v of {node} at {second}")
        stage.wait(1.0)

    stage.judge()


@versus("accepts-once")
def test_t14_a_split_vote_is_no_dead_end(mutant: str | None) -> None:
    """n1 and n2 have accepted v, n3 and n4 have accepted w; n5 is back."""
    stage = Stage(mutant)
    settled_once(stage)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n5")
    stage.deliver("promise", "n2 n5", "n1")
    stage.deliver("accept", "n1", "n2")
    stage.lose()
    stage.propose("n4", "w")
    stage.deliver("prepare", "n4", "n3 n5")
    stage.deliver("promise", "n3 n5", "n4")
    stage.deliver("accept", "n4", "n3")
    stage.restart("n1 n2 n3 n4 n5")
    stage.flow(LATENCY_S)
    stage.healed()

    stage.propose("n5", "x")
    stage.wait(PATIENCE_S)

    stage.judge()
