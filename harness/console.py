"""Printing where the reader may have left or the disk be full: the exit code still tells."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence


def tell(lines: Sequence[str], *, aside: bool = False) -> None:
    """Print lines; `aside`: to standard error. Raises nothing: a verdict that cannot be printed is
    a verdict all the same, and is in the exit code and mostly on disk. A reader that left, as
    `head` does, has seen enough: it is not complained about."""
    stream = sys.stderr if aside else sys.stdout
    if stream is None or not lines:  # None: closed by whoever started us
        return
    try:
        print("\n".join(lines), file=stream, flush=True)
    except OSError as wrong:
        # What is buffered would be tried again at exit, and fail with an exit code of Python's own.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if isinstance(wrong, BrokenPipeError):
            return
        with contextlib.suppress(OSError):
            os.write(2, f"antipaxos: cannot print: {wrong.strerror}\n".encode())
