"""Mutants that count wrongly or forget: learners, quorums, recovery, storage.

Nodes n1 to n5 are the A to E of the stories.
"""

from __future__ import annotations

from tests.reference_impl.stage import Stage, versus


def chosen_by_n1_n2_n3(stage: Stage) -> None:
    """v is chosen under 1.n1, and n1's client is told; n4 and n5 hear of nothing."""
    stage.propose("n1", "v")
    stage.meet("n1 n2 n3")
    stage.lose()


def n5_asks_n3_and_n4(stage: Stage) -> None:
    """n5 proposes w to a majority of which n3 alone took part before."""
    stage.propose("n5", "w")
    stage.meet("n3 n4 n5")


@versus("learns-from-one")
def test_one_acceptance_chooses_nothing(mutant: str | None) -> None:
    """T13: n1 alone has accepted v, and two others could not tell that anything was."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.lose()

    stage.propose("n4", "w")
    stage.meet("n2 n3 n4")

    stage.judge()


@versus("counts-across-ballots")
def test_acceptances_of_two_ballots_are_not_added_up(mutant: str | None) -> None:
    """T13: n1 and n2 accepted v under 1.n1, n3 accepted w under 2.n3; n5 hears of all three."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2")
    stage.deliver("accepted", "n1 n2", "n5")
    stage.lose()
    stage.propose("n3", "w")
    stage.deliver("prepare", "n3", "n4 n5")
    stage.deliver("promise", "n4 n5", "n3")
    stage.deliver("accepted", "n3", "n5")
    assert stage.learnt() == ({"w"} if mutant else set())

    stage.lose()
    for _ in range(3):
        stage.wait(0.3)  # n1 goes on to higher ballots
        stage.meet("n1 n2 n4")

    assert "v" in stage.learnt()
    stage.judge()


@versus("counts-across-instances")
def test_acceptances_in_two_instances_are_not_added_up(mutant: str | None) -> None:
    """T13: under 1.n1 n2 and n3 accepted v for one key, and n1 accepted u for another."""
    stage = Stage(mutant)
    stage.propose("n1", "v", key="j")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2 n3")
    stage.deliver("accepted", "n2 n3", "n5")
    stage.lose()
    stage.propose("n1", "u", key="k")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accepted", "n1", "n5")
    assert stage.learnt("k") == ({"u"} if mutant else set())

    stage.lose()
    stage.propose("n4", "w", key="k")
    stage.meet("n2 n3 n4")
    stage.wait(0.1)
    stage.meet("n2 n3 n4")

    assert "w" in stage.learnt("k")
    stage.judge()


@versus("flexible-quorums")
def test_quorums_of_the_two_phases_overlap(mutant: str | None) -> None:
    """T13: n1 and n2 are a quorum of phase 2, n3 to n5 one of phase 1."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2")
    stage.deliver("accepted", "n2", "n1")
    stage.lose()

    n5_asks_n3_and_n4(stage)

    stage.judge()


@versus("restores-lowest")
def test_the_highest_accepted_proposal_survives(mutant: str | None) -> None:
    """T23: n2 accepted v under 1.n1 and then w under 2.n3, which is chosen; n2 restarts."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2")
    stage.lose()
    stage.propose("n3", "w")
    stage.deliver("prepare", "n3", "n4 n5")
    stage.deliver("promise", "n4 n5", "n3")
    stage.deliver("accept", "n3", "n2 n4")
    stage.deliver("accepted", "n2 n4", "n3")
    assert stage.learnt() == {"w"}
    stage.lose()

    stage.restart("n2")
    stage.propose("n5", "x")
    stage.meet("n1 n2 n5")

    stage.judge()


@versus("forgets-last-record")
def test_the_last_record_counts(mutant: str | None) -> None:
    """T23: the last that n3 wrote was its vote for v."""
    stage = Stage(mutant)
    chosen_by_n1_n2_n3(stage)

    stage.restart("n3")
    n5_asks_n3_and_n4(stage)

    stage.judge()


@versus("answers-first")
def test_an_answer_waits_for_the_disk(mutant: str | None) -> None:
    """T23: power fails at n3 when it has accepted v, while the disk writes."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.stall_disk("n3")
    stage.meet("n1 n2 n3")
    assert stage.learnt() == ({"v"} if mutant else set())

    stage.lose()
    stage.lose_power("n3")
    n5_asks_n3_and_n4(stage)

    stage.judge()


@versus("first-promise-only")
def test_every_higher_promise_is_written(mutant: str | None) -> None:
    """T23: n3 promised 1.n1 and then 1.n5, restarts, and is asked to accept v under 1.n1."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.propose("n5", "w")
    stage.deliver("prepare", "n5", "n3 n4")

    stage.restart("n3")
    stage.meet("n1 n2 n3")
    stage.meet("n3 n4 n5")

    stage.judge()


@versus("clears-log-at-start")
def test_what_is_stored_survives_two_restarts(mutant: str | None) -> None:
    """T23: n3 starts with v on its disk, twice."""
    stage = Stage(mutant)
    chosen_by_n1_n2_n3(stage)

    stage.restart("n3")
    stage.restart("n3")
    n5_asks_n3_and_n4(stage)

    stage.judge()


@versus("writes-stale-value")
def test_what_is_written_is_what_was_accepted(mutant: str | None) -> None:
    """T23: n3 accepted u for one key, then v for another, and restarts."""
    stage = Stage(mutant)
    stage.propose("n2", "u", key="j")
    stage.meet("n1 n2 n3")
    chosen_by_n1_n2_n3(stage)

    stage.restart("n3")
    n5_asks_n3_and_n4(stage)

    stage.judge()
