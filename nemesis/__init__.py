"""What can go wrong, as values. Runs nothing by itself, imports none of the other packages."""

from nemesis.faults import (
    CLIENT,
    Duplicate,
    Fault,
    Kill,
    Lose,
    Partition,
    Pause,
    Reorder,
    Slow,
    Throttle,
)

__all__ = [
    "CLIENT",
    "Duplicate",
    "Fault",
    "Kill",
    "Lose",
    "Partition",
    "Pause",
    "Reorder",
    "Slow",
    "Throttle",
]
