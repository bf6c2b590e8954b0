"""Statistics: every number from a history small enough to count by hand."""

from __future__ import annotations

import json

import pytest

from checkers.history import Error, History, Operation
from checkers.statistics import Latency, Messages, statistics
from checkers.trace import TraceEvent
from checkers.verdict import Recording

MS = 1_000_000
SECOND = 1_000 * MS


def recording(*lines: tuple[object, ...], trace: tuple[TraceEvent, ...] = ()) -> Recording:
    """Lines (time ms, process, type, f[, value[, error]])."""
    operations = []
    for index, (time_ms, process, type_, f, *rest) in enumerate(lines):
        value, error = (*rest, None, None)[:2]
        operations.append(
            Operation(index, time_ms * MS, process, type_, f, value=value, error=error)  # type: ignore[operator, arg-type]
        )
    return Recording(history=History(operations), trace=trace)


RUN = (
    (0, 1, "invoke", "read"),
    (10, 1, "ok", "read"),
    (500, "nemesis", "info", "kill", {"id": 1}),
    (600, "nemesis", "info", "kill", {"id": 1, "applied": {}, "in_effect": True}),
    (700, 1, "invoke", "write"),
    (720, 2, "invoke", "write"),
    (800, 1, "fail", "write", None, Error("no-leader")),
    (2_000, "nemesis", "info", "restart", {"id": 1}),
    (2_100, "nemesis", "info", "restart", {"id": 1}),
    (2_500, 3, "invoke", "read"),
    (2_600, 3, "ok", "read"),
    (2_900, 4, "invoke", "read"),
)


def test_operations_are_counted_by_name_and_outcome() -> None:
    """One that never completed counts as info."""
    result = statistics(recording(*RUN))

    assert result.counts == {
        "read": {"ok": 2, "fail": 0, "info": 1},
        "write": {"ok": 0, "fail": 1, "info": 1},
    }
    assert result.errors == {"no-leader": 1}
    assert result.duration_s == 2.9


def test_availability_overall_and_during_each_fault() -> None:
    """Operations belong to the fault that their invocation falls in."""
    result = statistics(recording(*RUN))
    (during,) = result.during_faults

    assert (result.availability.invoked, result.availability.share) == (5, 0.4)
    assert (during.kind, during.start_s, during.end_s) == ("kill", 0.5, 2.1)
    assert (during.availability.invoked, during.availability.ok) == (2, 0)


def test_throughput_counts_completions_by_the_second() -> None:
    """Buckets from the start of the run to its end."""
    throughput = statistics(recording(*RUN)).throughput

    assert throughput.ok == [1, 0, 1]
    assert throughput.fail == [1, 0, 0]
    assert throughput.info == [0, 0, 0]


def test_a_long_run_gets_wider_buckets() -> None:
    """At most an hour's worth of them, whatever the length."""
    day_ms = 24 * 3_600 * 1_000
    throughput = statistics(
        recording((0, 1, "invoke", "read"), (day_ms, 1, "ok", "read"))
    ).throughput

    assert (len(throughput.ok) - 1) * throughput.bucket_s <= 24 * 3_600
    assert len(throughput.ok) <= 3_601
    assert sum(throughput.ok) == 1


def test_latency_quantiles_by_group() -> None:
    """Over completed operations, in milliseconds."""
    latency = statistics(recording(*RUN)).latency

    assert list(latency) == ["all", "f:read", "f:write", "outcome:fail", "outcome:ok"]
    assert latency["f:write"] == Latency(1, 100.0, 100.0, 100.0, 100.0)
    assert latency["f:read"] == Latency(2, 55.0, 91.0, 99.1, 100.0)


def test_outages_are_stretches_of_more_than_a_second_without_success() -> None:
    """The ends of the run count as well."""
    assert statistics(recording(*RUN)).outages == [(0.01, 2.6)]
    never = recording((0, 1, "invoke", "read"), (3_000, 1, "info", "read"))
    assert statistics(never).outages == [(0.0, 3.0)]


def sent(node: str, **counts: int) -> TraceEvent:
    return TraceEvent(0, node, "messages", sent=counts)


def test_messages_are_summed_over_nodes_and_lives() -> None:
    """Counts are cumulative within a life: the last of each life counts."""
    life = TraceEvent(0, "n1", "restart")
    trace = (
        *(life, sent("n1", accept=1), sent("n1", accept=4), life, sent("n1", accept=2, learn=1)),
        sent("n2", accept=3),
    )

    result = statistics(recording(*RUN, trace=trace)).messages

    assert result == Messages({"accept": 9, "learn": 1}, 10, 5.0)


def test_messages_without_a_success_or_a_trace() -> None:
    """Nothing is divided by nothing."""
    messages = statistics(recording(trace=(sent("n1", accept=1),))).messages

    assert messages == Messages({"accept": 1}, 1, None)
    assert statistics(recording(*RUN)).messages is None


@pytest.mark.parametrize("lines", [(), RUN], ids=["empty", "run"])
def test_statistics_are_json(lines: tuple[tuple[object, ...], ...]) -> None:
    """As they stand, without NaN or infinity."""
    plain = statistics(recording(*lines)).to_json()

    assert json.loads(json.dumps(plain, allow_nan=False)) == json.loads(json.dumps(plain))
    assert plain["availability"]["invoked"] == (5 if lines else 0)


def test_times_that_nobody_took() -> None:
    """Foreign recorders write -1 for them: counted at the start of the run."""
    untimed = recording((-1, 1, "invoke", "read"), (-1, 1, "ok", "read"))

    assert [1] == statistics(untimed).throughput.ok
