"""The progress of a night: on a terminal one line that changes, elsewhere a line a minute.

Rule: nothing here may slow down or end a night: it only reads counts.
"""

from __future__ import annotations

import contextlib

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.nightly.night import Moment
from harness.nightly.spec import duration_text

LINE_EVERY_S = 60.0
_FAILED = ("invalid", "hung", "lost", "trouble", "unknown", "idle")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # Rich would end the process with exit code 1, which is ours for INVALID.
        self.quiet = True


class Progress:
    """Shows moments until closed."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._shown_s = 0.0
        self._ending = ""
        if self._console.is_terminal:
            self._live.start()

    def show(self, moment: Moment) -> None:
        with contextlib.suppress(OSError):  # a full disk behind a redirection, say
            if self._console.is_terminal:
                text = Text(line(moment), no_wrap=True, overflow="ellipsis")
                self._live.update(text, refresh=True)
            elif moment.elapsed_s - self._shown_s >= LINE_EVERY_S or moment.ending != self._ending:
                self._shown_s, self._ending = moment.elapsed_s, moment.ending
                self.say(line(moment))

    def say(self, sentence: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(Text(sentence), soft_wrap=True)

    def close(self) -> None:
        if self._console.is_terminal:
            self._live.stop()


def line(moment: Moment) -> str:
    """'1h12m of 8h  48210 runs (11.1/s)  2 new failures, 1 known  invalid 48  2 workers'."""
    runs = moment.ends.total()
    rate = runs / moment.elapsed_s if moment.elapsed_s else 0.0
    others = "  ".join(f"{end} {moment.ends[end]}" for end in _FAILED if moment.ends[end])
    parts = [
        f"{duration_text(round(moment.elapsed_s))} of {duration_text(moment.budget_s)}",
        f"{runs} runs ({rate:.1f}/s)",
        f"{moment.new} new failures, {moment.known} known",
        others,
        f"{moment.workers} workers",
        f"ending: {moment.ending}" if moment.ending else "",
    ]
    return "  ".join(part for part in parts if part)
