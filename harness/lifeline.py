"""Processes that end when we do, however we end.

Sources: prctl(2), PR_SET_PDEATHSIG: the signal comes when the thread that forked ends, so only a
thread that lives as long as the process may fork with this.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def dies_with_us() -> Callable[[], None] | None:
    """For a child between fork and exec (preexec_fn); None where the system has no such thing."""
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended in between
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
