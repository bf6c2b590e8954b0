"""The progress of a run, on a terminal as one line that changes, elsewhere as a line now and then.

Rule: nothing here may slow down or end a run: it only reads counts.
"""

from __future__ import annotations

import contextlib

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

REFRESH_S = 0.25
LINE_EVERY_S = 5.0


class Moment(msgspec.Struct, frozen=True):
    """What the line shows: seconds since the run began, totals by outcome, the faults in force."""

    elapsed_s: float
    ok: int
    fail: int
    info: int
    faults: str


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # Rich would end the process with exit code 1, which is ours for INVALID.
        self.quiet = True


class Progress:
    """Shows moments until closed. Rates are over the time since the line before."""

    def __init__(self, of_s: float) -> None:
        self._console = _Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._of_s = of_s
        self._last = Moment(0.0, 0, 0, 0, "")
        self._rates = (0.0, 0.0, 0.0)
        self._shown_s = float("-inf")
        if self._console.is_terminal:
            self._live.start()

    def show(self, moment: Moment) -> None:
        with contextlib.suppress(OSError):  # a full disk behind a redirection, say
            self._show(moment)

    def _show(self, moment: Moment) -> None:
        passed_s = moment.elapsed_s - self._last.elapsed_s
        if passed_s >= 1.0 or self._console.is_terminal is False:
            self._rates = tuple(  # type: ignore[assignment]
                (now - before) / max(passed_s, 1e-9)
                for now, before in zip(_counts(moment), _counts(self._last), strict=True)
            )
        if self._console.is_terminal:
            line = Text(self._line(moment), no_wrap=True, overflow="ellipsis")
            self._live.update(line, refresh=True)
            if passed_s >= 1.0:
                self._last = moment
        elif moment.elapsed_s - self._shown_s >= LINE_EVERY_S:
            self._console.print(Text(self._line(moment)), soft_wrap=True)
            self._last, self._shown_s = moment, moment.elapsed_s

    def say(self, sentence: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(Text(sentence), soft_wrap=True)

    def close(self) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _line(self, moment: Moment) -> str:
        ok, fail, info = self._rates
        return (
            f"{moment.elapsed_s:5.1f}/{self._of_s:g} s   ok {ok:.0f}/s  fail {fail:.0f}/s  "
            f"info {info:.0f}/s   {moment.faults or 'no fault'}"
        )


def _counts(moment: Moment) -> tuple[int, int, int]:
    return moment.ok, moment.fail, moment.info
