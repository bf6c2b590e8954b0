"""Ctrl-C reaches a simulation wherever it meets it.

Rule: an interrupt that comes while Python calls back from where nobody can be told (the end of a
weak reference, of which every task of asyncio has some; a finalizer) is reported as unraisable and
lost, and a run in memory of some hours would go on. Such a one is sent again, from another thread
and a moment later: at once it would meet the same place.
"""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_AFTER_S = 0.01


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """While this lasts, no KeyboardInterrupt of this thread is lost."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = sys.unraisablehook

    def told(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN_AFTER_S, _thread.interrupt_main).start()
        else:
            before(unraisable)

    sys.unraisablehook = told
    try:
        yield
    finally:
        sys.unraisablehook = before
