"""A call that never returns ends the run, and its stack is told.

Virtual time has limits for all but what takes no virtual time: a function that builds a machine, or
a machine that handles an event, may turn in circles for ever, and time stands still meanwhile.

Rules
1. What is watched is one call that the loop made: how long a run takes in all is nobody's business,
   and neither a slow machine nor a large world is a hanging one.
2. Seconds are counted in looks at the stack, each from a thread that had to wake up for it: a
   process that was stopped, or got no processor, has not hung meanwhile.
3. A run that is ended so has no verdict. Whoever starves a machine can lose an answer by it, and
   never gets a wrong one.
4. Ctrl-C waits while the watch begins and ends: a thread whose start it interrupts cannot be
   joined, and a watch that is not joined would interrupt what comes after the run.
"""

from __future__ import annotations

import contextlib
import inspect
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from harness.simulation.loop import Stalled, VirtualLoop

LOOKS = 20
_OURS = str(Path(__file__).parents[1])
_RESUMED = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class _Hung(KeyboardInterrupt):
    """The one interrupt that goes through everything that Ctrl-C goes through."""


@contextlib.contextmanager
def no_call_longer_than(limit_s: float) -> Iterator[None]:
    """End the simulation that runs inside if one of its calls takes longer. Raises Stalled.

    It can do so on the main thread only, where signals arrive; elsewhere it does nothing. Code that
    catches BaseException and goes on, and C code that looks for no signals, cannot be ended.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    ended = threading.Event()
    watch = _Watch(limit_s, ended)
    held: list[int] = []
    passing = False

    def interrupted(number: int, frame: FrameType | None) -> None:
        if watch.stack:
            if passing:
                raise _Hung
        elif not passing:
            held.append(number)
        elif callable(before):
            before(number, frame)

    thread = threading.Thread(target=watch.run, name="antipaxos-hanging", daemon=True)
    signal.signal(signal.SIGINT, interrupted)
    try:
        thread.start()
        try:
            passing = True
            if held:
                signal.raise_signal(held.pop())
            yield
        except _Hung:
            raise Stalled(watch.told()) from None
        finally:
            passing = False
            ended.set()
            thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(held.pop())


class _Watch:
    """`stack`: where the call hangs, innermost last; empty while none does."""

    def __init__(self, limit_s: float, ended: threading.Event) -> None:
        self.stack: list[traceback.FrameSummary] = []
        self._limit_s, self._ended = limit_s, ended

    def run(self) -> None:
        main = threading.main_thread().ident
        assert main is not None, "it runs"
        # Held, so that no later call can have its address and pass for it.
        watched: FrameType | None = None
        looks = 0
        while not self._ended.wait(self._limit_s / LOOKS):
            innermost = sys._current_frames().get(main)
            call = _call(innermost)
            looks = looks + 1 if call is not None and call is watched else 0
            watched = call
            if looks >= LOOKS:
                self.stack = self.stack or _inside(innermost, call)
                signal.pthread_kill(main, signal.SIGINT)  # again, where one was caught

    def told(self) -> str:
        lines = "".join(traceback.format_list(self.stack)).rstrip()
        return (
            f"a call into the system has not returned for {self._limit_s:g} s, and no virtual time "
            f"goes by meanwhile: it hangs. It was here:\n{lines}"
        )


def _call(innermost: FrameType | None) -> FrameType | None:
    """The call that the loop made last: what it resumes (a coroutine) is the same for ever."""
    found = None
    frame = innermost
    while frame is not None:
        if frame.f_code is _LOOP:
            return found
        if not frame.f_code.co_flags & _RESUMED:
            found = frame
        frame = frame.f_back
    return None


def _inside(innermost: FrameType | None, call: FrameType | None) -> list[traceback.FrameSummary]:
    frames = []
    frame = innermost
    while frame is not None:
        frames.append((frame, frame.f_lineno))
        if frame is call:
            break
        frame = frame.f_back
    told = list(traceback.StackSummary.extract(iter(reversed(frames))))
    of_system = next((at for at, one in enumerate(told) if not one.filename.startswith(_OURS)), 0)
    return told[of_system:]


_run: Callable[..., None] = VirtualLoop._run
_LOOP = _run.__code__
