"""Damage: flips spare the ends of files and preallocated space, cuts take the newest end."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from harness.clusters.hardware.damage import PAGE, cut, files, flip


def changed(before: bytes, after: bytes) -> list[int]:
    """The places of bits that differ."""
    pairs = enumerate(zip(before, after, strict=True))
    return [8 * i + bit for i, (a, b) in pairs for bit in range(8) if (a ^ b) >> bit & 1]


@pytest.mark.parametrize("seed", range(20))
def test_a_record_is_one_flipped_bit_and_the_end_is_spared(tmp_path: Path, seed: int) -> None:
    """Three records: three bits, each in another page; the last page of data never."""
    log = tmp_path / "log"
    before = b"r" * (10 * PAGE)
    log.write_bytes(before)
    assert flip(tmp_path, 3, Random(seed)) == 3
    bits = changed(before, log.read_bytes())
    assert len(bits) == 3
    assert len({bit // 8 // PAGE for bit in bits}) == 3
    assert max(bits) < 9 * PAGE * 8


def test_preallocated_space_is_no_record(tmp_path: Path) -> None:
    """All the damage is where something is written: a log of three pages in 64 MiB has two."""
    log = tmp_path / "log"
    log.write_bytes(b"r" * (3 * PAGE))
    os.truncate(log, 64 * 2**20)
    assert flip(tmp_path, 99, Random(1)) == 2


def test_half_of_a_small_file_is_spared(tmp_path: Path) -> None:
    """Its last record is in there; a file of one byte is let alone."""
    small, tiny = tmp_path / "small", tmp_path / "tiny"
    small.write_bytes(b"s" * 100)
    tiny.write_bytes(b"t")
    assert flip(tmp_path, 5, Random(1)) == 1
    assert changed(b"s" * 100, small.read_bytes())[0] < 50 * 8
    assert tiny.read_bytes() == b"t"


def test_each_file_has_its_chance(tmp_path: Path) -> None:
    """A large table does not shield a small log; links count once, other kinds never."""
    (tmp_path / "table").write_bytes(b"t" * (100 * PAGE))
    (tmp_path / "log").write_bytes(b"l" * 100)
    (tmp_path / "linked").hardlink_to(tmp_path / "log")
    (tmp_path / "pointer").symlink_to("table")
    assert len(files(tmp_path)) == 2
    hit = 0
    for seed in range(40):
        before = (tmp_path / "log").read_bytes()
        flip(tmp_path, 1, Random(seed))
        hit += before != (tmp_path / "log").read_bytes()
    assert 10 < hit < 30


def test_a_cut_takes_the_end_of_the_newest_data(tmp_path: Path) -> None:
    """Not the zeros behind it, and not of an older file; an empty tree has nothing to lose."""
    assert cut(tmp_path, 10) == 0
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"o" * 100)
    new.write_bytes(b"n" * 100)
    os.truncate(new, 10_000)
    os.utime(old, (1, 1))
    assert cut(tmp_path, 30) == 30
    assert (old.read_bytes(), new.read_bytes()) == (b"o" * 100, b"n" * 70)
    assert cut(tmp_path, 1000) == 70
