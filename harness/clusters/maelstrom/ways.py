"""The way of a message: through the weather, then along the link of two hosts, into a mailbox.

Rules
1. A link is that of the local cluster (see harness.clusters.shaping), and so are the faults, their
   order and their counters; only, what it carries is messages, never a byte stream.
2. The weather delays each message on its own, so that messages pass one another on one link, which
   a link without Reorder would not let them. What it loses counts as dropped; that it delays is
   what the trial asked for, not a fault, and is not counted.
3. A mailbox takes lines and gives them to the destination together, once a turn. A destination that
   is dead takes nothing: its mail is dropped, as that of a host without power.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from harness.clusters.maelstrom.settings import Settings
from harness.clusters.shaping import Counts, Link
from nemesis.faults import slowness_ms

HELD_MAX_BYTES = 64 * 1024 * 1024  # of one way, while a fault holds them back


class Mailbox:
    """Lines for one destination; `take` gets them with a newline after each."""

    __slots__ = ("_flush_soon", "lines", "take")

    def __init__(self, flush_soon: Callable[[Mailbox], None]) -> None:
        self.lines: list[bytes] = []
        self.take: Callable[[bytes], None] | None = None
        self._flush_soon = flush_soon

    def post(self, line: bytes) -> None:
        if not self.lines:
            self._flush_soon(self)
        self.lines.append(line)

    def flush(self) -> None:
        self.lines.append(b"")
        data = b"\n".join(self.lines)
        self.lines = []
        if self.take is not None:
            self.take(data)


class Weather:
    """See the head of this module. `send` calls `forward` after a while, or never."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._latency, self._loss = settings.latency, settings.loss
        self._random = Random(f"{seed}-weather")
        self._probe_random = Random(f"{seed}-weather-probe")
        self._due: list[tuple[float, int, Callable[[bytes], None], bytes]] = []
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None

    def send(self, line: bytes, forward: Callable[[bytes], None], *, probe: bool = False) -> bool:
        """False if it is lost. A probe draws apart, so that measuring shifts no message's fate."""
        random = self._probe_random if probe else self._random
        lost = random.random() < self._loss
        delay_s = slowness_ms(self._latency, random) / 1000
        if lost:
            return False
        if delay_s == 0:
            forward(line)
            return True
        self._sent += 1
        heappush(self._due, (self._loop.time() + delay_s, self._sent, forward, line))
        if self._due[0][1] == self._sent:
            self._set_timer()
        return True

    def close(self) -> None:
        self._due.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due[0][0], self._ring) if self._due else None

    def _ring(self) -> None:
        now_s = self._loop.time()
        while self._due and self._due[0][0] <= now_s:
            _, _, forward, line = heappop(self._due)
            forward(line)
        self._set_timer()


class Way:
    """What one source sends to one destination; to its link, a lane (see shaping.Lane)."""

    __slots__ = (
        "_held_bytes",
        "_weather",
        "box",
        "counts",
        "last_seq",
        "latest_s",
        "link",
        "random",
    )

    def __init__(self, link: Link, box: Mailbox, weather: Weather | None = None) -> None:
        self.link, self.box = link, box
        self.counts: Counts = link.counts
        self.random = link.random
        self.last_seq = -1
        self.latest_s = 0.0
        self._weather = weather
        self._held_bytes = 0

    def send(self, line: bytes) -> None:
        if self._weather is None:
            self.forward(line)
        elif not self._weather.send(line, self.forward):
            self.counts.dropped += 1

    def forward(self, line: bytes) -> None:
        if self.link.quiet:
            self.counts.forwarded += 1
            self.box.post(line)
        elif self._held_bytes > HELD_MAX_BYTES:
            self.counts.dropped += 1
        else:
            self.link.carry(self, (line,))

    def deliver(self, data: bytes) -> None:
        self.box.post(data)

    def queued(self, change_bytes: int) -> None:
        self._held_bytes += change_bytes
