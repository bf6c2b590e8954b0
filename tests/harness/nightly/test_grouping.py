"""Which failures are the same, which are new, and which may be said to have gone."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from harness.fingerprint import Fingerprint
from harness.nightly.grouping import GONE_AT, Grouped, chance, group, has_gone, made_small
from tests.harness.nightly.nights import CELL, FIRST, SECOND, THIRD, failed, known, run, runs

OTHER = "paxos log calm simulated 3"


def test_a_failure_of_no_earlier_night_is_new() -> None:
    """Two runs that fail alike are one group, with the cells they failed in."""
    grouped = group(runs(8, [failed(1), failed(2)]), [], FIRST, None)
    [new] = grouped.new
    assert ({FIRST: 2}, {CELL: (2, 10)}) == (new.nights, new.cells)
    assert grouped.groups == grouped.new
    assert [] == grouped.known == grouped.gone == grouped.unseen


def test_a_failure_of_an_earlier_night_is_known() -> None:
    """It keeps its folder and command, and counts by night."""
    grouped = group(runs(9, [failed(1)]), [known()], SECOND, None)
    [same] = grouped.known
    assert {FIRST: 5, SECOND: 1} == same.nights
    assert ({CELL: (1, 10)}, known().folder) == (same.cells, same.folder)
    assert [] == grouped.new == grouped.unseen


def test_the_same_fingerprint_in_another_system_is_another_failure() -> None:
    """A bug of one system is none of another's."""
    grouped = group([failed(1, cell="raft register chaos simulated 5")], [known()], SECOND, None)
    assert ["raft"] == [g.system for g in grouped.new]
    assert [] == grouped.known


@pytest.mark.parametrize("quiet", [1, 20, 60, 79, 80, 100, 1000])
def test_a_failure_is_gone_once_that_could_hardly_be_chance(quiet: int) -> None:
    """5 of 100, then none of so many: gone exactly where C(100,5)/C(100+m,5) is small."""
    expected = Fraction(math.comb(100, 5), math.comb(100 + quiet, 5))
    assert float(expected) == pytest.approx(chance(5, 100, quiet))
    grouped = group(runs(quiet), [known()], SECOND, None)
    gone = expected <= Fraction(str(GONE_AT))
    assert (gone, not gone) == (bool(grouped.gone), bool(grouped.unseen))
    assert gone == has_gone(grouped.groups[0])


def test_one_failure_in_many_runs_is_not_gone_after_as_many_without() -> None:
    """1 of 100 and then 0 of 100 happens every second time: the chance is told."""
    once = known(nights={FIRST: 1}, cells={CELL: (1, 100)})
    [told] = group(runs(100), [once], SECOND, None).unseen
    assert pytest.approx(0.5) == told.chance
    assert "50%" in told.why


def test_quiet_runs_add_up_over_nights() -> None:
    """What no single night can show, several can; and it goes once."""
    first = group(runs(50), [known()], SECOND, None)
    assert [] == first.gone
    second = group(runs(50), first.groups, THIRD, None)
    assert [100] == [told.quiet for told in second.gone]
    later = group(runs(50), second.groups, "20261124T220000Z", None)
    assert [] == later.gone == later.unseen


def test_what_has_gone_and_comes_back_is_known_and_told_as_back() -> None:
    """A regression of a mended bug is not a new bug; the night after, it is only known."""
    gone = group(runs(500), [known()], SECOND, None).groups
    back = group(runs(9, [failed(1)]), gone, THIRD, None)
    assert ([1], [1]) == ([len(back.known)], [len(back.back)])
    assert not has_gone(back.groups[0])
    again = group([failed(1)], back.groups, "20261124T220000Z", None)
    assert ([], 1) == (again.back, len(again.known))


@pytest.mark.parametrize("end", ["hung", "lost", "trouble"])
def test_runs_that_were_not_judged_show_nothing(end: str) -> None:
    """A night of runs that hung must not call a failure gone."""
    records = [run(at, end) for at in range(1000)]  # type: ignore[arg-type]
    [told] = group(records, [known()], SECOND, None).unseen
    assert "none of the cells that it failed in was run" == told.why


def test_runs_of_other_cells_show_nothing() -> None:
    """A failure under chaos has not gone because calm runs do not show it."""
    records = [run(at, cell=OTHER) for at in range(1000)]
    grouped = group(records, [known()], SECOND, None)
    assert ([], 1) == (grouped.gone, len(grouped.unseen))


def test_a_group_that_names_no_cells_never_goes() -> None:
    """Nobody knows what to compare it with."""
    [told] = group(runs(1000), [known(cells={})], SECOND, None).unseen
    assert "not known" in told.why


def test_grouping_again_with_more_records_counts_each_run_once() -> None:
    """A night groups as it goes on, always with the groups from before it."""
    before = [known()]
    early = group([failed(1)], before, SECOND, None)
    late = group([failed(1), failed(2)], before, SECOND, None)
    assert (1, 2) == (early.known[0].nights[SECOND], late.known[0].nights[SECOND])


SMALL = Fingerprint("agreement", "small", ("agreement",), "n1 chose 1 and n2 chose 2")


def kept(grouped: Grouped, at: int = 0) -> Grouped:
    return made_small(
        grouped, grouped.new[at], SMALL, folder="f/1", shrunk=(90, 3), replay="antipaxos replay f/1"
    )


def test_a_failure_is_named_for_what_is_left_of_it() -> None:
    """What it was named before is an alias, under which the next night knows it."""
    small = kept(group([failed(1)], [], FIRST, None))
    [new] = small.new
    assert (SMALL.name, ("agreement-a1b2c3",)) == (new.fingerprint, new.aliases)
    assert (small.groups, "f/1", (90, 3)) == (small.new, new.folder, new.shrunk)
    [same] = group([failed(1)], small.groups, SECOND, None).known
    assert (SMALL.name, {FIRST: 1, SECOND: 1}) == (same.fingerprint, same.nights)


def test_two_failures_that_shrink_to_the_same_are_one() -> None:
    """The counts add up, by cell too; the folder of the first stays."""
    records = runs(8, [failed(1), failed(2, "agreement-ffffff")])
    small = kept(kept(group(records, [], FIRST, None)))
    [one] = small.new
    assert ({FIRST: 2}, {CELL: (2, 10)}) == (one.nights, one.cells)
    assert ("agreement-a1b2c3", "agreement-ffffff") == one.aliases


def test_a_new_failure_that_shrinks_to_a_known_one_is_known() -> None:
    """Whether or not the known one showed by itself in that night."""
    old = known(SMALL.name)
    small = kept(group(runs(5, [failed(1)]), [old], SECOND, None))
    assert ([], [SMALL.name]) == (small.new, [g.fingerprint for g in small.known])
    assert {FIRST: 5, SECOND: 1} == small.known[0].nights
    assert [] == small.unseen == small.gone
