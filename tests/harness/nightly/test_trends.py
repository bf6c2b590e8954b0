"""How nights compare: numbers that were measured, and none that were not."""

from __future__ import annotations

import pytest

from harness.nightly.records import RunRecord
from harness.nightly.trends import Quantiles, lines, quantiles, sparkline, trends
from tests.harness.nightly.nights import FIRST, SECOND, THIRD, failed, known, night, run, runs


def three_nights() -> dict[str, list[RunRecord]]:
    return {
        FIRST: runs(98, [failed(1, failed_after_s=1.0), failed(2, failed_after_s=3.0)]),
        SECOND: runs(50),
        THIRD: runs(9, [failed(1, "agreement-ffffff", started="2026-11-23T22:10:00+00:00")]),
    }


def test_each_night_is_a_point() -> None:
    """Runs, rates, times to failure and coverage of each."""
    records = three_nights()
    found = trends([night(name, records[name]) for name in records], records.__getitem__)
    first, second, third = found.nights
    assert (100, 100, 2, 100.0) == (first.runs, first.judged, first.failed, first.runs_per_hour)
    assert (pytest.approx(10_000 / 3600), 0.8) == (first.operations_per_s, first.ok_share)
    assert Quantiles(2, 1.0, 1.0, 3.0) == first.to_failure_s
    assert (None, None, 0) == (second.to_failure_s, second.first_failure_s, second.failed)
    assert 600.0 == third.first_failure_s


def test_groups_come_by_when_they_failed_last() -> None:
    """Each with its share of the runs of its cells, night by night."""
    records = three_nights()
    nights = [night(name, records[name]) for name in records]
    new, old = trends(nights, records.__getitem__).groups
    assert ("agreement-ffffff", [0.0, 0.0, 0.1]) == (new.fingerprint, new.shares)
    assert ([2, 0, 0], [100, 50, 10]) == (old.failed, old.judged)


def test_fingerprints_that_turned_out_to_be_one_are_one_line() -> None:
    """The records of a night keep what they were named; the groups know better."""
    records = three_nights()
    nights = [night(name, records[name]) for name in records]
    [one] = trends(nights, records.__getitem__, [known(aliases=("agreement-ffffff",))]).groups
    assert [2, 0, 1] == one.failed


def test_only_the_newest_nights_are_read() -> None:
    """An archive of years is not read for a page of a month."""
    read: list[str] = []

    def records_of(name: str) -> list[RunRecord]:
        read.append(name)
        return []

    found = trends([night(FIRST), night(SECOND), night(THIRD)], records_of, nights_max=2)
    assert ([SECOND, THIRD], 1) == (read, found.left_out)


def test_a_night_that_took_no_time_has_no_rate() -> None:
    """None, and no division by zero; neither a share of no operations."""
    [point] = trends([night(FIRST, seconds=0.0)], lambda _name: []).nights
    assert (None, None, None) == (point.runs_per_hour, point.operations_per_s, point.ok_share)


@pytest.mark.parametrize("started", ["", "yesterday", "2026-11-23T22:00:00"])
def test_a_moment_that_is_none_gives_no_time(started: str) -> None:
    """Records that somebody changed, or of another time zone's kind, end nothing."""
    [point] = trends([night(FIRST)], lambda _name: [failed(1, started=started)]).nights
    assert point.first_failure_s is None


def test_quantiles_are_measured_values() -> None:
    """Nearest rank: what is told can be looked up."""
    assert quantiles([]) is None
    assert Quantiles(1, 7.0, 7.0, 7.0) == quantiles([7.0])
    assert Quantiles(10, 1.0, 5.0, 9.0) == quantiles([float(n) for n in range(10, 0, -1)])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], ""), ([0, 0], "▁▁"), ([0, 1, 2], "▁▅█"), ([None, 3.0], "·█"), ([None], "·")],
)
def test_sparklines_show_gaps(values: list[float | None], expected: str) -> None:
    """From 0 to the greatest; what nobody measured is a dot."""
    assert expected == sparkline(values)


def test_trends_are_told_from_the_second_night_on() -> None:
    """One night has nothing to be compared with."""
    records = {**three_nights(), FIRST: [run(1)]}
    assert [] == lines(trends([night(FIRST, records[FIRST])], records.__getitem__))
    told = lines(trends([night(n, records[n]) for n in records], records.__getitem__))
    assert "3 nights, 20261121T220000Z to 20261123T220000Z" == told[0]
    assert "  failed           ▁▁█  1" in told
