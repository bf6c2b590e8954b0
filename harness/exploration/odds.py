"""How long it takes when nobody is against it: steps to the first decision, by chance (T38).

Rules
1. Every step is one event drawn evenly from all that are possible: a message in flight or a timer.
   That is a scheduler without mercy or malice; the runs in which nothing is ever decided are there,
   and have probability 0.
2. The inputs go round, mixed ones only; a run is its seed.
"""

from __future__ import annotations

from random import Random

import msgspec

from harness.exploration.cast import Cast
from harness.exploration.protocols import Bits, Subject

STEPS_MAX = 5_000


class Odds(msgspec.Struct, frozen=True, kw_only=True):
    """Over `runs` runs: `undecided` ended without a decision (nothing could happen any more, or
    STEPS_MAX); of the others, steps to the first decision: median, 90th of a hundred, most.
    `disagreements`: runs in which, at the end of `after` further steps, two values stood."""

    runs: int
    undecided: int
    median: int | None
    ninetieth: int | None
    most: int | None
    disagreements: int
    after: int
    zeros: int
    ones: int


def by_chance(subject: Subject, runs: int, seed: int, after: int = 20) -> Odds:
    """Run the free form `runs` times. After the first decision each goes on for `after` steps."""
    mixed = [bits for bits in subject.inputs() if len(set(bits)) == 2] or subject.inputs()
    lengths, disagreements, firsts = [], 0, [0, 0]
    for number in range(runs):
        steps, values = _run(subject, mixed[number % len(mixed)], Random(f"{seed}:{number}"), after)
        if steps is not None:
            lengths.append(steps)
            firsts[values[0]] += 1
            disagreements += len(set(values)) > 1
    lengths.sort()

    def quantile(share: float) -> int | None:
        return lengths[min(len(lengths) - 1, int(share * len(lengths)))] if lengths else None

    return Odds(
        runs=runs,
        undecided=runs - len(lengths),
        median=quantile(0.5),
        ninetieth=quantile(0.9),
        most=lengths[-1] if lengths else None,
        disagreements=disagreements,
        after=after,
        zeros=firsts[0],
        ones=firsts[1],
    )


def _run(subject: Subject, bits: Bits, rng: Random, after: int) -> tuple[int | None, list[int]]:
    """Steps to the first decision, and the decisions in the order in which they were made."""
    cast = Cast(subject, bits, rng)
    first = None
    for step in range(1, STEPS_MAX + 1):
        letters, timers = len(cast.letters), len(cast.timers)
        if not letters + timers or (first is not None and step > first + after):
            break
        drawn = rng.randrange(letters + timers)
        if drawn < letters:
            cast.deliver(drawn)
        else:
            cast.fire(drawn - letters)
        if first is None and cast.decisions:
            first = step
    return first, list(cast.decisions.values())
