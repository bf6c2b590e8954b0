"""Traces: what is read, what is forgiven, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checkers.trace import TraceError, TraceEvent, as_json, merge_traces, read_trace, write_trace


def line(time: int, event: str = "restart", node: str = "n1", **fields: object) -> str:
    return json.dumps({"time": time, "node": node, "event": event, **fields}) + "\n"


def file(tmp_path: Path, *lines: str, name: str = "trace.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(lines), errors="surrogateescape")
    return path


def test_events_are_read_with_their_fields(tmp_path: Path) -> None:
    """Ballots become pairs that compare, reports become tuples."""
    path = file(
        tmp_path,
        line(
            5, "promise", ballot=[2, "n1"], instance=None, first=3, accepted=[[4, [1, "n2"], "x"]]
        ),
        line(6, "chosen", instance="r1", value=7, ballot=None),
    )

    assert [
        TraceEvent(5, "n1", "promise", ballot=(2, "n1"), first=3, accepted=((4, (1, "n2"), "x"),)),
        TraceEvent(6, "n1", "chosen", instance="r1", value=7),
    ] == read_trace(path)


def test_unknown_events_are_kept_with_all_their_fields(tmp_path: Path) -> None:
    """Even where they use our names for shapes of their own."""
    path = file(
        tmp_path,
        line(1, "snapshot", upto=9),
        line(2, "lease", value={"until": 4}),
        line(3, "checksum", index="all", digest="9f3c"),
    )

    events = read_trace(path)

    expected = [{"upto": 9}, {"value": {"until": 4}}, {"index": "all", "digest": "9f3c"}]
    assert expected == [event.other for event in events]
    assert as_json(events[0]) == {"time": 1, "node": "n1", "event": "snapshot", "upto": 9}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Known and unknown events alike."""
    path = file(
        tmp_path,
        line(1, "accepted", ballot=[1, "n1"], instance=0, value=True),
        line(2, "snapshot", upto=9),
        line(3, "messages", sent={"prepare": 4}),
        line(4, "state", index=7, digest="9f3c"),
        line(5, "refuse", ballot=[1, "n1"], instance=None, promised=[2, "n2"]),
    )
    events = read_trace(path)

    write_trace(tmp_path / "again.jsonl", events)

    assert events == read_trace(tmp_path / "again.jsonl")


@pytest.mark.parametrize("torn", ['{"time": 2, "no', '{"time"', "{", '{"time": 2, "node": "n\xc3'])
def test_a_torn_last_line_is_dropped_with_a_notice(tmp_path: Path, torn: str) -> None:
    """The node was killed while it wrote; nothing had followed the event."""
    path = file(tmp_path, line(1), torn)
    notices: list[str] = []

    events = read_trace(path, notices)

    assert [event.time for event in events] == [1]
    assert [f"{path}:2: dropped a line torn by the death of its node."] == notices


def test_the_next_life_may_go_on_behind_a_torn_line(tmp_path: Path) -> None:
    """The line holds the end of one life and the beginning of the next."""
    path = tmp_path / "trace.jsonl"
    start = b'{"time":3,"node":"n1","event":"restart"}\n'
    path.write_bytes(b'{"time":1,"node":"n1","event":"restart"}\n{"time":2,"node":"n1",' + start)
    notices: list[str] = []

    assert [event.time for event in read_trace(path, notices)] == [1, 3]
    assert len(notices) == 1


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("not json\n", "not JSON"),
        (line(1, "snapshot", data=0).replace("0", "[" * 5_000 + "]" * 5_000), "not JSON"),
        ('{"time": 1, {"time": 2, "node": "\udcff"}\n', "not JSON"),
        ('{"node": "n1", "event": "restart"}\n', "wrong shape"),
        (line(1, "accept", instance=1, value="x"), "lacks its 'ballot'"),
        (line(1, "accepted", ballot=[1, "n1"], value="x"), "lacks its 'instance'"),
        (line(1, "prepare", ballot=["n1", 1]), "wrong shape"),
        (line(1, "state", index=4), "lacks its 'digest'"),
        (line(1, "state", index="4", digest="9f3c"), "wrong shape"),
        (line(1, "accept", ballot=[1, "n1"], instance=1, value=["x"]), "wrong shape"),
    ],
)
def test_a_line_that_is_not_in_the_format_is_refused(tmp_path: Path, bad: str, found: str) -> None:
    """The error names the file, the line and what is wrong with it."""
    path = file(tmp_path, line(0), bad, line(2))

    with pytest.raises(TraceError, match=found) as error:
        read_trace(path)

    assert str(error.value).startswith(f"{path}:2: ")


def test_traces_merge_by_time_from_the_origin_of_the_run(tmp_path: Path) -> None:
    """Times become those of the history; equal times keep the order of the files."""
    first = file(tmp_path, line(100), line(300), name="n1")
    second = file(tmp_path, line(50, node="n2"), line(300, node="n2"), name="n2")

    merged = merge_traces([first, second], origin_ns=100)

    expected = [("n2", -50), ("n1", 0), ("n1", 200), ("n2", 200)]
    assert expected == [(event.node, event.time) for event in merged]


def test_a_nodes_own_order_survives_a_clock_that_goes_back(tmp_path: Path) -> None:
    """The order of the lines is what happened; the clock is only a number."""
    path = file(tmp_path, line(9, "leader", ballot=[1, "n1"]), line(5, "follower"), line(12))
    other = file(tmp_path, line(7, node="n2"), name="n2")

    merged = merge_traces([path, other], origin_ns=0)

    expected = [(7, "restart"), (9, "leader"), (9, "follower"), (12, "restart")]
    assert expected == [(event.time, event.event) for event in merged]


def test_a_node_without_a_trace_is_passed_over_with_a_notice(tmp_path: Path) -> None:
    """Systems need not emit any."""
    notices: list[str] = []

    assert merge_traces([tmp_path / "absent.jsonl"], 0, notices) == []
    assert len(notices) == 1
