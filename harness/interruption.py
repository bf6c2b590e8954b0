"""Ctrl-C and SIGTERM: the first asks a run to end in order, the second ends this process at once.

Rules
1. The handlers stay from before the first process is started until the report is drawn: no moment
   of a run is one at which a signal skips the healing or loses the verdict.
2. After the second signal nothing is awaited any more. The keeper sees our pipe close and ends the
   nodes; the ledger holds what else is to be undone.
3. A handler writes to the file descriptor itself: it may have come in the middle of a print.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

from harness.contracts import EnvironmentTrouble

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LEFT_AT_ONCE = 255
_SHOW_CURSOR = "\x1b[?25h"  # the progress line hides it


class Interruptions:
    """A context of the main thread. `act` hears the name of the first signal, from the handler.

    Until the first `act` is set, a signal raises EnvironmentTrouble: nothing has begun yet.
    """

    def __init__(self) -> None:
        self.act: Callable[[str], None] = _before_anything
        self._came = False
        self._before: dict[signal.Signals, signal.Handlers | Callable[..., object] | int | None]
        self._before = {}

    def __enter__(self) -> Interruptions:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._came:
            if sys.stderr.isatty():
                write_at_once(_SHOW_CURSOR)
            os._exit(LEFT_AT_ONCE)
        self._came = True
        self.act(signal.Signals(number).name)


def _before_anything(name: str) -> None:
    raise EnvironmentTrouble(f"Interrupted by {name} before anything was recorded.")


def write_at_once(text: str) -> None:
    """To standard error, past its buffer."""
    try:
        os.write(2, text.encode())
    except OSError:
        return  # nobody reads it: the signal does its work all the same
