"""The timeline's data: what the page gets is what was recorded, bounded, and never markup."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from checkers.faults import fault_intervals
from checkers.history import Call, Error, History, Operation
from checkers.statistics import statistics
from checkers.trace import TraceEvent
from checkers.verdict import Recording
from harness.report.clocks import ClockSpan
from harness.report.logs import LogLine
from harness.report.timeline import bars, columns, timeline
from harness.strategies import histories

MS = 1_000_000


def history(*events: tuple[int, int, str, str, Any]) -> History:
    """Of (time in ms, process, type, f, value)."""
    return History(
        Operation(i, time * MS, process, kind, f, value, "r1", "n1", None)
        for i, (time, process, kind, f, value) in enumerate(events)
    )


def drawn(recorded: History, **given: Any) -> dict[str, Any]:
    """What the page's script unpacks, columns and head together."""
    made = timeline(
        recorded.calls(),
        fault_intervals(recorded),
        (),
        statistics(Recording(history=recorded)),
        **given,
    )
    assert made is not None
    return {**unpacked(str(made.markup)), "notes": list(made.notes)}


def unpacked(markup: str) -> dict[str, Any]:
    found = re.search(r'id="tl-data">([A-Za-z0-9+/=]+)</script>', markup)
    assert found is not None
    data = zlib.decompress(base64.b64decode(found[1]))
    (length,) = struct.unpack_from("<I", data)
    head = json.loads(data[4 : 4 + length])
    for n, name in enumerate(head["columns"]):
        at = 4 + length + 4 * n * head["count"]
        column = np.frombuffer(data, "<u4", head["count"], at)
        if name in head["stepped"]:
            column = np.cumsum(column, dtype="<u4")
        head[name] = column
    return dict(head)


def test_every_call_is_there_as_it_was_recorded() -> None:
    """Times, outcome, who, where, what: nothing is rounded away."""
    recorded = history(
        (0, 0, "invoke", "write", 1),
        (1, 1, "invoke", "read", None),
        (3, 0, "ok", "write", 1),
        (7, 1, "ok", "read", 1),
        (8, 0, "invoke", "read", None),
    )

    d = drawn(recorded, workers=2)

    assert [0, 1, 8] == [round(s * d["step_s"] * 1e3) for s in d["start"]]
    assert [3, 6] == [round(t * d["step_s"] * 1e3) for t in d["taken"][:2]]
    assert columns.NEVER == d["taken"][2]
    assert [0, 1, 4] == list(d["index"])
    assert [2, 3, columns.NEVER] == list(d["done"])
    assert [0, 1, 0] == list(d["row"])
    assert ["ok", "ok", "info"] == [columns.OUTCOMES[o] for o in d["outcome"]]
    assert ["write 1", "read → 1", "read"] == [d["texts"]["text"][t] for t in d["text"]]
    assert (3, 3, []) == (d["count"], d["total"], d["notes"])


@given(histories("register"))
def test_any_history_can_be_drawn(recorded: History) -> None:
    """Whatever was recorded: as many rows as calls, and none lies in a lane of its own past."""
    calls = recorded.calls()
    made = timeline(calls, [], (), statistics(Recording(history=recorded)))
    if not calls:
        assert made is None
        return
    assert made is not None
    d = unpacked(str(made.markup))

    assert len(calls) == d["count"]
    assert d["rows"] > max(d["row"])
    assert [c.index for c in calls] == list(d["index"])


def test_a_retired_process_gives_its_lane_to_the_next() -> None:
    """A run of an hour in which clients time out would have thousands of lanes otherwise."""
    events: list[tuple[int, int, str, str, Any]] = []
    for process in range(50):
        events.append((2 * process, process, "invoke", "read", None))
        events.append((2 * process + 1, process, "info", "read", None))

    assert 1 == drawn(history(*events))["rows"]


def test_processes_at_work_at_once_have_lanes_of_their_own() -> None:
    """Two bars in one place would hide each other."""
    events = [(0, p, "invoke", "read", None) for p in range(3)]
    events += [(5, p, "ok", "read", None) for p in range(3)]

    assert [0, 1, 2] == list(drawn(history(*events))["row"])


def test_a_history_without_time_is_drawn_by_the_order_of_its_events() -> None:
    """Somebody's log has no times: everything at one instant would show nothing."""
    d = drawn(history((0, 0, "invoke", "read", None), (0, 0, "ok", "read", 3)))

    assert d["by_order"]
    assert (0, 1) == (d["start"][0], d["taken"][0])
    assert ["No time passes in this history: the order of its events is drawn."] == d["notes"]


def test_positions_that_stand_for_times_are_no_times() -> None:
    """A recorder that had no clock numbers its events; nanoseconds of that are nobody's."""
    for step_ns, by_order in ((1, True), (1_000, False)):
        recorded = History(
            Operation(i, step_ns * i, 0, kind, "write", i // 2, "r1", "n1", None)
            for i, kind in enumerate(("invoke", "ok") * 10)
        )
        assert by_order is drawn(recorded)["by_order"]


def test_a_history_on_wall_clock_begins_where_it_begins() -> None:
    """Nanoseconds since 1970 do not fit 32 bits, and their origin is of no interest."""
    since = 1_790_000_000_000
    d = drawn(history((since, 0, "invoke", "read", None), (since + 4, 0, "ok", "read", 3)))

    assert since / 1e3 == pytest.approx(d["origin_s"])
    assert (0, 4) == (d["start"][0], round(d["taken"][0] * d["step_s"] * 1e3))


def test_days_fit_into_32_bits() -> None:
    """A step is as long as it must be, and no longer."""
    day = 86_400_000
    d = drawn(history((0, 0, "invoke", "read", None), (30 * day, 0, "ok", "read", 3)))

    assert 30 * day / 1e3 == pytest.approx(d["taken"][0] * d["step_s"], rel=1e-9)


def test_beyond_the_maximum_what_matters_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbourhood of the violation is kept, the rest is a sample, and the page says so."""
    monkeypatch.setattr(columns, "DRAWN_MAX", 300)
    monkeypatch.setattr(columns, "WHOLE_MAX", 100)
    events: list[tuple[int, int, str, str, Any]] = []
    for n in range(1000):
        events += [(n, 0, "invoke", "write", n), (n, 0, "ok", "write", n)]
    recorded = history(*events)
    marked = recorded.calls()[700]

    d = drawn(recorded, marked=[marked])

    kept = set(d["index"])
    assert d["count"] <= 300
    assert {call.index for call in recorded.calls()[651:749]} <= kept
    assert {0, recorded.calls()[-1].index} <= kept
    assert [marked.index] == d["marks"]
    assert d["notes"][0].startswith(f"Of 1,000 operations {d['count']} are drawn: 100 together")
    assert 1000 == sum(d["rates"]["ok"])


def test_texts_of_a_history_are_never_markup() -> None:
    """They travel as packed data; the page's own markup holds none of them."""
    hostile = "</script><img src=x onerror=alert(1)>"
    recorded = History(
        [
            Operation(0, 0, 0, "invoke", hostile, hostile, hostile, hostile, None),
            Operation(1, 5, 0, "fail", hostile, None, hostile, hostile, Error(hostile, hostile)),
        ]
    )
    made = timeline(
        recorded.calls(),
        (),
        (),
        statistics(Recording(history=recorded)),
        logs=[LogLine(1, hostile, hostile)],
    )

    assert made is not None
    assert "onerror" not in str(made.markup)
    assert any("onerror" in text for text in unpacked(str(made.markup))["texts"]["text"])


def test_what_lasts_lies_in_lanes() -> None:
    """Faults that overlap are both seen; one that was not undone lasts to the end."""
    times = [(1, 1, "partition"), (2, 2, "kill"), (3, 1, "heal"), (5, 3, "pause")]
    recorded = History(
        Operation(i, at * MS, "nemesis", "info", f, {"id": name, "intended": {}}, None, None, None)
        for i, (at, name, f) in enumerate(
            both for time in times for both in (time, (time[0], time[1], time[2]))
        )
    )

    (group,) = drawn(recorded, clocks=[])["groups"]

    assert ["partition", "kill", "pause"] == [bar["label"] for bar in group["bars"]]
    assert [0, 1, 0] == [bar["lane"] for bar in group["bars"]]
    assert [0.003, None, None] == [bar["to"] for bar in group["bars"]]


def test_a_leader_that_is_killed_leads_no_longer() -> None:
    """It cannot say so itself."""
    trace = [
        TraceEvent(time=1, node="n1", event="leader"),
        TraceEvent(time=5, node="n2", event="leader"),
        TraceEvent(time=9, node="n2", event="follower"),
    ]
    killed = fault_intervals(
        History(
            Operation(i, 3, "nemesis", "info", "kill", value, None, None, None)
            for i, value in enumerate(
                [{"id": 1}, {"id": 1, "applied": {"nodes": ["n1"]}, "in_effect": True}]
            )
        )
    )

    expected = [bars.Reign("n1", 1, 3), bars.Reign("n2", 5, 9)]
    assert expected == bars.leaderships(trace, killed)


def test_log_lines_and_clocks_are_bounded_by_interest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors first, then what is nearest; in the order of time all the same."""
    monkeypatch.setattr(bars, "LINES_MAX", 3)
    lines = [LogLine(i * MS, "n1", f"line {i}", "error" if i == 0 else "") for i in range(10)]
    recorded = history(
        (0, 0, "invoke", "read", None),
        (5, 0, "ok", "read", 3),
        (8, 0, "invoke", "read", None),
        (9, 0, "ok", "read", 3),
    )
    marked: list[Call] = [recorded.calls()[1]]

    d = drawn(recorded, marked=marked, logs=lines, clocks=[ClockSpan("n2", MS, None, 250.0, 3.0)])

    assert ["line 0", "line 7", "line 8"] == [text for *_, text in d["lines"]]
    assert ["n2 +250 ms +3 ppm"] == [bar["label"] for bar in d["groups"][0]["bars"]]
    assert any("Of 10 log lines 3 are here" in note for note in d["notes"])
