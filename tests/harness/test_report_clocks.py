"""What the clocks of nodes showed, read from the faults of a history."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import History, Operation
from harness import beside
from harness.report.clocks import ClockSpan, clock_spans
from harness.simulation.clocks import NodeClock
from harness.trial import Trial
from nemesis.faults import SkewClock

MS = 1_000_000
S = 1_000_000_000


def told(*lines: tuple[int, str, dict[str, Any]]) -> History:
    """A history of nothing but the nemesis: when, what, and the value."""
    return History(
        tuple(
            Operation(index=i, time=time, process="nemesis", type="info", f=f, value=value)
            for i, (time, f, value) in enumerate(lines)
        )
    )


def skewed(
    number: int, start_ns: int, end_ns: int | None, observed: Any = None, **fields: Any
) -> list[tuple[int, str, dict[str, Any]]]:
    """The lines of one fault, announced and applied, ended where there is an end."""
    intended = {"fault": "skew-clock"}
    value = {"id": number, "intended": intended}
    done = value | {"applied": intended | {"nodes": ["n1"]} | fields, "in_effect": True}
    lines = [(start_ns, "skew-clock", value)]
    lines.append((start_ns, "skew-clock", done | {"observed": observed}))
    if end_ns is not None:
        lines += [(end_ns, "heal", value), (end_ns, "heal", done)]
    return lines


def together(*faults: list[tuple[int, str, dict[str, Any]]]) -> History:
    return told(*sorted((line for fault in faults for line in fault), key=lambda line: line[0]))


def test_a_jump_is_a_span_with_what_the_probe_saw() -> None:
    """Ordered and observed stand side by side."""
    observed = {"clocks": {"n1": {"offset_ms": 250.004, "rate": 1.0, "monotonic_ms": 0.0}}}
    spans = clock_spans(together(skewed(1, S, 3 * S, observed, offset_ms=250.0)))
    assert [ClockSpan("n1", S, 3 * S, 250.0, observed_ms=250.004)] == spans


def test_a_monotonic_clock_is_named() -> None:
    """Its span is of that clock, and so is the observation."""
    observed = {"clocks": {"n1": {"offset_ms": 0.0, "rate": 1.0, "monotonic_ms": 99.9}}}
    fault = skewed(1, S, None, observed, offset_ms=100.0, clock="monotonic")
    expected = ClockSpan("n1", S, None, 100.0, clock="monotonic", observed_ms=99.9)
    assert [expected] == clock_spans(together(fault))


def test_faults_of_one_clock_add_up() -> None:
    """Spans do not overlap; a drift has grown by the time that the next one begins."""
    first = skewed(1, 0, 4 * S, offset_ms=100.0, drift=0.1)
    second = skewed(2, 1 * S, 2 * S, offset_ms=-50.0)
    spans = clock_spans(together(first, second))
    assert [
        ClockSpan("n1", 0, S, 100.0, 100_000.0),
        ClockSpan("n1", S, 2 * S, 150.0, 100_000.0),
        ClockSpan("n1", 2 * S, 4 * S, 300.0, 100_000.0),
    ] == spans


def test_what_was_never_applied_has_no_span() -> None:
    """Nor what somebody else wrote by another form."""
    value = {"id": 1, "intended": {"fault": "skew-clock", "offset_ms": 5.0}}
    assert [] == clock_spans(told((0, "skew-clock", value)))
    for applied in (7, {"nodes": 7}, {"nodes": ["n1"], "offset_ms": "much"}, {"nodes": [None]}):
        line = value | {"applied": applied, "observed": {"clocks": [1]}}
        assert [] == clock_spans(told((0, "skew-clock", value), (0, "skew-clock", line)))


def test_a_simulated_clock_stands_until_its_time_has_come() -> None:
    """Set back from 500 ms ahead it loses all time for 500 ms; a real one is right at once."""
    history = together(skewed(1, S, 2 * S, offset_ms=500.0))
    first = ClockSpan("n1", S, 2 * S, 500.0)
    assert [first] == beside.clocks_of(history)
    standing = ClockSpan("n1", 2 * S, 2 * S + 500 * MS, 500.0, -1_000_000.0)
    assert [first, standing] == beside.clocks_of(history, Trial(cluster="simulated"))


MOMENTS = st.lists(st.integers(0, 80), min_size=6, max_size=6, unique=True)  # tenths of a second
SKEWS = st.lists(
    st.builds(
        SkewClock,
        offset_ms=st.integers(-3000, 3000).map(float),
        drift=st.sampled_from([0.0, 0.25, -0.5]),
    ),
    max_size=3,
)


@settings(max_examples=40)
@given(MOMENTS, SKEWS)
def test_spans_say_what_the_clock_of_a_world_shows(
    moments: list[int], faults: list[SkewClock]
) -> None:
    """At every tenth of a second, against the simulated clock itself. No two changes are at one
    instant: what the clock of a world shows in between would count."""
    clock, lines = NodeClock(), []
    changes: dict[int, tuple[int, SkewClock | None]] = {}
    for i, fault in enumerate(faults):
        start, end = sorted(moments[2 * i : 2 * i + 2])
        changes |= {start: (i, fault), end: (i, None)}
        fields = {"offset_ms": fault.offset_ms, "drift": fault.drift}
        lines.append(skewed(i, start * S // 10, end * S // 10, **fields))
    spans = clock_spans(together(*lines), one_clock=True)
    for tenth in range(130):
        now_ns = tenth * S // 10
        number, fault_now = changes.get(tenth, (-1, None))
        if fault_now is not None:
            clock.apply(number, fault_now, now_ns)
        else:
            clock.undo(number, now_ns)
        on = [s for s in spans if s.start_ns <= now_ns and (s.end_ns is None or now_ns < s.end_ns)]
        assert len(on) <= 1
        said_ms = sum(s.offset_at_ns(now_ns) for s in on) / MS
        assert abs(clock.reading(now_ns)[0] - said_ms) < 0.01, (now_ns, spans)
