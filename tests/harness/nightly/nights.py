"""Nights, records and groups made by hand, for the tests of what keeps and tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.nightly.records import Cell, End, Group, Night, RunRecord

CELL = "paxos register chaos simulated 5"
FIRST, SECOND, THIRD = "20261121T220000Z", "20261122T220000Z", "20261123T220000Z"


def run(number: int, end: End = "valid", cell: str = CELL, **given: Any) -> RunRecord:
    """A run of a cell, whose system is the cell's first word."""
    settings: dict[str, Any] = {
        "id": number,
        "cell": cell,
        "system": cell.split()[0],
        "workload": "register",
        "faults": "chaos",
        "cluster": "simulated",
        "nodes": 5,
        "seed": number,
        "operations": 100,
        "ok": 80,
        "seconds": 0.5,
        "started": "2026-11-23T22:00:00+00:00",
    }
    return RunRecord(end=end, **{**settings, **given})


def failed(number: int, fingerprint: str = "agreement-a1b2c3", **given: Any) -> RunRecord:
    """A run that broke a law."""
    named = {
        "fingerprint": fingerprint,
        "law": fingerprint.rsplit("-", 1)[0],
        "shape": "node chose # and node chose #",
        "sentence": "n1 chose 3 and n2 chose 4",
        "failed_after_s": 1.5,
    }
    return run(number, "invalid", **{**named, **given})


def runs(valid: int, failing: Sequence[RunRecord] = ()) -> list[RunRecord]:
    """So many that passed, after those that failed."""
    return [*failing, *(run(1000 + at) for at in range(valid))]


def night(name: str, records: Sequence[RunRecord] = (), **given: Any) -> Night:
    """The night of these records."""
    cells = []
    for cell in dict.fromkeys(record.cell for record in records):
        own = [record for record in records if record.cell == cell]
        cells.append(
            Cell(
                name=cell,
                runs=len(own),
                invalid=sum(record.end == "invalid" for record in own),
                next_seed=len(own) + 1,
                operations=sum(record.operations for record in own),
                seconds=sum(record.seconds for record in own),
                in_effect={"partition": 7},
            )
        )
    ends: dict[str, int] = {}
    for record in records:
        ends[record.end] = ends.get(record.end, 0) + 1
    settings: dict[str, Any] = {
        "spec": "nightly.yaml",
        "started": "2026-11-23T22:00:00+00:00",
        "ended": "2026-11-23T23:00:00+00:00",
        "stopped": "its budget was spent",
        "seconds": 3600.0,
        "workers": 4,
    }
    return Night(name=name, ends=ends, cells=cells, **{**settings, **given})


def known(fingerprint: str = "agreement-a1b2c3", **given: Any) -> Group:
    """A group that failed in 5 of 100 runs of the first night."""
    settings: dict[str, Any] = {
        "system": "paxos",
        "law": fingerprint.rsplit("-", 1)[0],
        "shape": "node chose # and node chose #",
        "sentence": "n1 chose 3 and n2 chose 4",
        "nights": {FIRST: 5},
        "cells": {CELL: (5, 100)},
        "folder": "paxos-register/20261121T220102Z-7",
        "replay": "antipaxos replay nights/paxos-register/20261121T220102Z-7",
        "shrunk": (812, 14),
    }
    return Group(fingerprint=fingerprint, **{**settings, **given})
