"""The undo ledger survives whatever cuts it short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nemesis.faults import CLIENT, Fault, Kill, Partition, inverse
from nemesis.ledger import (
    FaultEntry,
    Ledger,
    LedgerError,
    ProcessEntry,
    open_entries,
)
from nemesis.resolution import FAULTS

CUT = Partition(topology="isolate-one", links=(("n1", "n2"), ("n2", "n1")))


def filled(path: Path) -> list[FaultEntry | ProcessEntry]:
    """A ledger with a process, two faults, one of them undone; what is open, newest first."""
    with Ledger(path) as ledger:
        ledger.process(4711, 1700000000.25, "n1")
        cut = ledger.fault(1, CUT)
        ledger.fault(2, Kill(nodes=("n3",)))
        ledger.done(cut)
    return open_entries(path)


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_every_kind_of_fault_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    """With the inverse, whoever it strikes."""
    fields = FAULTS[kind].__struct_fields__
    links, nodes = {"links": (("n1", "n2"),)}, {"nodes": ("n1", "n3")}
    concrete = links if "links" in fields else nodes if "nodes" in fields else {}
    fault: Fault = FAULTS[kind](**concrete)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.fault(4, fault)
    (entry,) = open_entries(tmp_path / "ledger.jsonl")
    assert entry == FaultEntry(1, fault, inverse(fault, 4))
    assert entry.undo.on == {"links": ("n1>n2",), **nodes}.get("".join(concrete), (CLIENT,))


def test_what_is_not_done_is_open_newest_first(tmp_path: Path) -> None:
    """Undoing goes backwards; what was undone is not listed."""
    kill, process = filled(tmp_path / "ledger.jsonl")
    assert isinstance(kill, FaultEntry)
    assert kill.undo.kind == "restart"
    assert kill.undo.on == ("n3",)
    assert process == ProcessEntry(1, 4711, 1700000000.25, "n1")


def test_no_ledger_is_nothing_to_undo(tmp_path: Path) -> None:
    """A run that ended before its ledger began left nothing."""
    assert open_entries(tmp_path / "ledger.jsonl") == []


def test_a_ledger_torn_at_any_byte_lists_what_was_whole(tmp_path: Path) -> None:
    """Cut at every byte: the entries of whole lines, never an error, never half an entry."""
    path, torn = tmp_path / "ledger.jsonl", tmp_path / "torn.jsonl"
    filled(path)
    data = path.read_bytes()
    for length in range(len(data) + 1):
        torn.write_bytes(data[:length])
        lines = data[:length].count(b"\n")
        expected = [[], [1], [2, 1], [3, 2, 1], [3, 1]][lines]
        assert [entry.number for entry in open_entries(torn)] == expected


def test_a_torn_ledger_goes_on(tmp_path: Path) -> None:
    """Opened again, the torn line is cut off and numbers go on: new entries are whole lines."""
    path = tmp_path / "ledger.jsonl"
    filled(path)
    data = path.read_bytes()
    for length in range(data.index(b"\n"), len(data)):
        path.write_bytes(data[:length])
        before = open_entries(path)
        with Ledger(path) as ledger:
            number = ledger.fault(9, CUT)
        assert number == 1 + min(3, data[:length].count(b"\n"))  # the fourth line is a `done`
        assert open_entries(path)[0].number == number
        assert open_entries(path)[1:] == before


def test_damage_inside_is_an_error(tmp_path: Path) -> None:
    """A whole line that says nothing might hide something that must be undone."""
    path = tmp_path / "ledger.jsonl"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for damage in (b"\x00\x00\n", b'{"entry":"what"}\n', b"\n"):
        path.write_bytes(b"".join([lines[0], damage, *lines[1:]]))
        with pytest.raises(LedgerError, match=r"ledger\.jsonl, line 2"):
            open_entries(path)
        with pytest.raises(LedgerError, match="line 2"):
            Ledger(path)


def test_an_entry_is_on_disk_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line is forced to disk, whole, before the fault may be applied."""
    path = tmp_path / "ledger.jsonl"
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_bytes()))
    with Ledger(path) as ledger:
        ledger.fault(1, CUT)
        assert [data.count(b"\n") for data in synced] == [1]
        ledger.done(1)
        assert [data.count(b"\n") for data in synced] == [1, 2]
