"""Disks: what was synced stays, what was not is kept or lost from its beginning on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.choices import Choices
from harness.simulation.disk import (
    SYNC_LEAST_US,
    SYNC_SPREAD_US,
    Damaged,
    Disk,
    DiskFailed,
    DiskFull,
)


def disk(seed: int = 1, **given_: list[int]) -> Disk:
    return Disk("n1", Choices(seed, {f"n1 {name}": n for name, n in given_.items()} or None))


def test_what_was_written_is_read_as_plain_values() -> None:
    """A new life shares nothing with the old one."""
    record = {"a": [1]}
    it = disk()
    it.write(record)
    record["a"].append(2)
    assert [{"a": [1]}] == it.read()


def test_a_log_is_replaced_as_a_whole() -> None:
    """And with it the damage that it had."""
    it = disk()
    for number in range(3):
        it.write(number)
    it.corrupt(1)
    it.replace(["snapshot", 3])
    assert ["snapshot", 3] == it.read()


@given(st.integers(0, 9), st.integers(0, 10**9), st.booleans(), st.booleans())
def test_a_crash_keeps_a_prefix(waiting: int, number: int, power: bool, torn: bool) -> None:
    """Rule 1: by chance as many as there are, or fewer; what is lost is counted."""
    it = disk(crash=[number])
    kept = it.survivors(waiting, power, torn)
    assert 0 <= kept <= waiting
    assert waiting - kept == it.lost
    assert int(torn and kept < waiting) == it.corrupted


def test_the_plainest_crash_keeps_all_and_the_plainest_power_failure_none() -> None:
    """What a shrunk run shows first."""
    it = disk(crash=[0])
    assert [3, 0] == [it.survivors(3, power=False, torn=False), it.survivors(3, True, False)]


def test_every_length_of_a_prefix_can_happen() -> None:
    """No amount of loss is spared by chance."""
    it = disk()
    assert set(range(4)) == {it.survivors(3, power=True, torn=False) for _ in range(200)}


def test_a_full_disk_takes_nothing_more_and_keeps_what_it_has() -> None:
    """Rule 3."""
    it = disk()
    it.write(1)
    it.full = True
    with pytest.raises(DiskFull):
        it.write(2)
    with pytest.raises(DiskFull):
        it.replace([3])
    assert [1] == it.read()


@pytest.mark.parametrize("written", [0, 1])
def test_the_last_record_is_never_damaged(written: int) -> None:
    """Nobody could tell it from a torn write: a node would forget its last word unnoticed."""
    it = disk()
    for number in range(written):
        it.write(number)
    it.corrupt(5)
    assert (list(range(written)), 0) == (it.read(), it.corrupted)


def test_damage_is_noticed() -> None:
    """Rule 4: the log is refused, and the place is named."""
    it = disk(damage=[1])
    for number in range(4):
        it.write(number)
    it.corrupt(1)
    with pytest.raises(Damaged, match="record 1 of 4"):
        it.read()


def test_a_cut_log_forgets_its_end_unnoticed() -> None:
    """Every record that loses a byte is gone, damaged ones too, and what was cut is counted."""
    it = disk(damage=[2])
    for record in ("a" * 10, "b" * 10, "c" * 10, "d"):
        it.write(record)  # each takes a byte more than its letters
    it.corrupt(1)
    it.truncate(5)
    assert (["a" * 10, "b" * 10], 5) == (it.read(), it.truncated)
    it.truncate(100)
    assert ([], 5 + 22) == (it.read(), it.truncated)


def test_a_failing_disk_fails_by_chance() -> None:
    """Rule 5: the faults' chances add up, the plainest choice is that it works; asking a disk that
    does not fail decides nothing."""
    it = disk()
    it.must_work()
    it.failing = {1: 0.5, 2: 0.5}
    assert 60 < sum(failed(it) for _ in range(100)) < 90
    plain = disk(errors=[0])
    plain.failing = {1: 0.99}
    assert not failed(plain)
    it.failing = {3: 1.0}
    with pytest.raises(DiskFailed):
        it.read()
    it.failing = {}
    assert [] == it.read()


def failed(it: Disk) -> bool:
    try:
        it.must_work()
    except DiskFailed:
        return True
    return False


def test_a_sync_takes_its_time_and_a_slow_disk_its_mean() -> None:
    """Rule 2: within the least and the spread; slow ones exponentially, all faults added."""
    it = disk()
    quick = [it.sync_ns() // 1000 for _ in range(500)]
    assert SYNC_LEAST_US <= min(quick) < max(quick) < SYNC_LEAST_US + SYNC_SPREAD_US
    it.slow_ms = {1: 20.0, 2: 10.0}
    slow = [it.sync_ns() / 1e6 for _ in range(2000)]
    assert 27 < sum(slow) / len(slow) < 33
    assert 30.05 == it.probe_ns() / 1e6
