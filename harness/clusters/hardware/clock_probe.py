"""Answers what its clocks show: `python -IS clock_probe.py`, a line for each line of its input.

A line is `MONOTONIC WALL`, in nanoseconds, read one right after the other. It asks libc by name, as
a program in C does: started in the environment of a node it sees what the node sees.
"""

from __future__ import annotations

import ctypes
import sys

CLOCK_REALTIME, CLOCK_MONOTONIC = 0, 1
NS_PER_S = 1_000_000_000


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("rest_ns", ctypes.c_long))


def main() -> None:
    ask = ctypes.CDLL(None).clock_gettime

    def shows_ns(clock: int) -> int:
        time = _Time()
        ask(clock, ctypes.byref(time))
        return int(time.seconds) * NS_PER_S + int(time.rest_ns)

    for _ in sys.stdin:
        print(shows_ns(CLOCK_MONOTONIC), shows_ns(CLOCK_REALTIME), flush=True)


if __name__ == "__main__":
    main()
