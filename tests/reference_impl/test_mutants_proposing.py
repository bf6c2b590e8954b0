"""Mutants whose proposers, ballots or acceptors are wrong: the schedule of each story, played.

Nodes n1 to n5 are the A to E of the stories. Where nothing else is said all ballots are of round 1,
and the higher name is the higher ballot.
"""

from __future__ import annotations

from tests.reference_impl.stage import Stage, versus


@versus("first-report")
def test_the_first_report_may_be_of_a_lower_ballot(mutant: str | None) -> None:
    """T21: n5 hears of v under 1.n1 first, of w under 1.n2, which is chosen, second."""
    stage = Stage(mutant)
    accepted_alone(stage)
    chosen_by_n2_n3_n4(stage)

    stage.propose("n5", "x")
    stage.meet("n1 n5")
    stage.meet("n1 n2 n5")

    stage.judge()
    assert stage.learnt() == ({"v", "w"} if mutant else {"w"})


def accepted_alone(stage: Stage) -> None:
    """n1 accepts v under 1.n1, with promises of n3 and n4; its accept requests are lost."""
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n3 n4")
    stage.deliver("promise", "n3 n4", "n1")
    stage.lose()


def chosen_by_n2_n3_n4(stage: Stage) -> None:
    """w is chosen under 1.n2; n1 and n5 do not hear of it."""
    stage.propose("n2", "w")
    stage.meet("n2 n3 n4")
    stage.lose()


@versus("most-frequent-report")
def test_the_commonest_report_may_be_of_a_lower_ballot(mutant: str | None) -> None:
    """T17: n1 and n2 report v under 1.n1, only n3 reports w under 1.n4, which is chosen."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2")
    stage.lose()
    stage.propose("n4", "w")
    stage.meet("n3 n4 n5")
    stage.lose()

    stage.propose("n2", "x")
    stage.meet("n1 n2 n3")

    stage.judge()


@versus("late-reports")
def test_a_report_that_comes_late_is_no_reason_to_change_the_value(mutant: str | None) -> None:
    """T15: n5 has proposed v under 1.n5 when n1 reports w; n2 has learnt v by then."""
    stage = Stage(mutant)
    stage.propose("n1", "w")
    stage.deliver("prepare", "n1", "n3 n4")
    stage.deliver("promise", "n3 n4", "n1")
    stage.lose()
    stage.propose("n5", "v")
    stage.deliver("prepare", "n5", "n1 n2 n3")
    stage.deliver("promise", "n2 n3", "n5")
    stage.deliver("accept", "n5", "n2 n3")
    stage.deliver("accepted", "n3 n5", "n2")
    assert stage.learnt() == {"v"}

    stage.deliver("promise", "n1", "n5")
    stage.lose()
    stage.wait(0.1)  # n5 asks again
    stage.meet("n1 n2 n3 n5")

    stage.judge()


@versus("skips-phase-1")
def test_the_first_round_has_rivals_too(mutant: str | None) -> None:
    """T19: n1 has v chosen under 1.n1; n5, also in its first round, has not asked anybody."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.meet("n1 n2 n3")
    stage.lose()

    stage.propose("n5", "w")
    stage.meet("n3 n4 n5")

    stage.judge()


@versus("stale-promises")
def test_a_promise_for_an_older_ballot_tells_of_an_older_past(mutant: str | None) -> None:
    """T18: promises for 1.n1 arrive when n1 has gone on to 2.n1, and w was chosen in between."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.propose("n5", "w")
    stage.meet("n2 n3 n5")
    assert stage.learnt() == {"w"}

    stage.wait(0.25)  # n1 asks again, then goes on to its next ballot
    stage.deliver("promise", "n2 n3", "n1")
    stage.meet("n1 n2 n3")

    stage.judge()


@versus("minority-promises")
def test_a_minority_of_promises_may_have_missed_what_was_chosen(mutant: str | None) -> None:
    """T19: n4 and n5 took no part when n1, n2 and n3 chose v."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.meet("n1 n2 n3")
    stage.lose()

    stage.propose("n5", "w")
    stage.meet("n4 n5")
    stage.meet("n3 n4 n5")

    stage.judge()


@versus("accepting-is-no-promise")
def test_a_lower_proposal_does_not_displace_a_higher_one(mutant: str | None) -> None:
    """T20: n2 has accepted w under 1.n5, which is chosen, when v under 1.n1 comes late."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.propose("n5", "w")
    stage.deliver("prepare", "n5", "n3 n4")
    stage.deliver("promise", "n3 n4", "n5")
    stage.deliver("accept", "n5", "n1 n2")
    stage.deliver("accepted", "n1 n1 n2", "n5")  # n1's vote for v, then those for w
    assert stage.learnt() == {"w"}
    stage.deliver("accept", "n1", "n2")
    stage.lose()

    stage.propose("n4", "x")
    stage.meet("n2 n3 n4")

    stage.judge()


@versus("refuses-unpromised")
def test_t12_an_acceptor_that_has_promised_nothing_accepts(mutant: str | None) -> None:
    """P1: n4 and n5 were not asked to promise 1.n1, and have heard of no other proposal."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n4 n5")
    stage.meet("n1 n4 n5")

    stage.judge()
    assert stage.learnt() == (set() if mutant else {"v"})


@versus("promises-anything")
def test_a_promise_is_not_taken_back_for_a_lower_one(mutant: str | None) -> None:
    """T20: n3 has promised 1.n5 when 1.n1 asks."""
    stage = Stage(mutant)
    stage.propose("n5", "w")
    stage.deliver("prepare", "n5", "n3 n4")
    stage.deliver("promise", "n3 n4", "n5")
    stage.propose("n1", "v")
    stage.meet("n1 n2 n3")

    stage.meet("n3 n4 n5")

    stage.judge()


@versus("keeps-first-accepted")
def test_a_report_is_of_the_highest_proposal_not_of_the_first(mutant: str | None) -> None:
    """T20: n2 accepted v under 1.n1, then w under 2.n3, which is chosen."""
    stage = Stage(mutant)
    v_then_w_at_n2(stage)

    stage.propose("n5", "x")
    stage.meet("n1 n2 n5")

    stage.judge()


def v_then_w_at_n2(stage: Stage) -> None:
    """n1 and n2 accept v under 1.n1, then n2, n3 and n4 accept w under 2.n3: chosen."""
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


@versus("reports-nothing")
def test_a_promise_without_its_report_frees_the_proposer(mutant: str | None) -> None:
    """T20: n3 is the only one whom n5 asks that voted for v."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.meet("n1 n2 n3")
    stage.lose()

    stage.propose("n5", "w")
    stage.meet("n3 n4 n5")

    stage.judge()


@versus("forgets-rounds")
def test_a_number_used_in_an_earlier_life_stands_for_something(mutant: str | None) -> None:
    """T15: promises to the first 1.n1 are taken for answers to the second, under which v stands."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3 n4 n5")
    stage.stall_disk("n1")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2 n3 n4")
    stage.deliver("accepted", "n3 n4", "n2")
    assert stage.learnt() == {"v"}

    stage.lose_power("n1")
    stage.propose("n1", "w")
    stage.deliver("promise", "n4 n5", "n1")
    stage.meet("n1 n2 n4 n5")

    stage.judge()


@versus("names-first")
def test_ballots_have_one_order_for_all(mutant: str | None) -> None:
    """T15: v under 2.n1 at n1 alone, then w under 1.n5, which only who compares names first
    accepts; then n5, which compares rounds, takes v for the newer."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.wait(0.25)
    stage.deliver("prepare", "n1", "n2 n3")  # 1.n1, and the same again
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("prepare", "n1", "n2 n3")  # 2.n1
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("promise", "n2 n3", "n1")
    stage.lose()
    stage.propose("n5", "w")
    stage.meet("n2 n3 n5")
    stage.lose()

    stage.restart("n5")
    stage.propose("n5", "x")
    stage.meet("n1 n4 n5")

    stage.judge()


@versus("wrapping-rounds")
def test_the_numbers_of_ballots_do_not_run_out(mutant: str | None) -> None:
    """T15: after 7.n1 comes no 1.n1, under which n2 has accepted v."""
    stage = Stage(mutant)
    stage.propose("n1", "v")
    stage.deliver("prepare", "n1", "n2 n3")
    stage.deliver("promise", "n2 n3", "n1")
    stage.deliver("accept", "n1", "n2")
    stage.wait(10.0, until=lambda: stage.world.trace[-1].ballot == (7, "n1"))
    stage.lose()

    stage.restart("n1")
    stage.propose("n1", "w")
    stage.meet("n1 n3 n4 n5")

    stage.judge()
