"""What a link does now, measured: tokens sent the way that frames go.

Rules
1. A token passes the same splitter, queue and rules as a frame, and ends in the link: whether the
   node behind it lives is another question (Processes.states).
2. A probe draws from a generator of its own and is counted apart, so that measuring changes
   neither the fate of later frames nor the counters.
3. Several tokens, since one may be lost by chance; a probe ends when each has arrived or was
   seen to be dropped, or when time is up. A delay beyond the time limit reads as unreachable.
"""

from __future__ import annotations

import asyncio
from statistics import median

from harness.clusters.flows import Flow
from harness.clusters.shaping import Counts, Link
from harness.contracts import Framing
from nemesis.capabilities import LinkReading

TOKENS = 8
TOKEN = b"antipaxos-probe"
LIMIT_S = 0.8


class Probe:
    """One measurement of one link: source and sink of its tokens."""

    def __init__(self, link: Link, framing: Framing) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._done: asyncio.Future[None] = loop.create_future()
        self._counts = Counts()
        self._delays_ms: list[float] = []
        self._token = _token(framing)
        self._flow = Flow(
            link,
            framing,
            source=self,
            sink=self,
            on_reset=self.abort,
            counts=self._counts,
            random=link.probe_random,
        )

    async def measure(self, limit_s: float = LIMIT_S) -> float | None:
        """The delay in milliseconds, None if nothing came through. Takes at most `limit_s`."""
        self._started_s = self._now()
        for _ in range(TOKENS):
            self._flow.feed(self._token)
        self._look()
        await asyncio.wait([self._done], timeout=limit_s)
        self._flow.close()
        return median(self._delays_ms) if self._delays_ms else None

    def write(self, data: bytes) -> None:
        del data  # tokens are alike
        self._delays_ms.append((self._now() - self._started_s) * 1000)
        self._look()

    def abort(self) -> None:
        """The link resets connections."""
        if not self._done.done():
            self._done.set_result(None)

    def _look(self) -> None:
        counts = self._counts
        if counts.forwarded + counts.dropped >= TOKENS and not self._done.done():
            self._done.set_result(None)

    def finish(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def read_link(link: Link, framing: Framing) -> LinkReading:
    """Probes the link once and adds what its real frames met so far."""
    delay_ms = await Probe(link, framing).measure()
    counts = link.counts
    return LinkReading(
        reachable=delay_ms is not None,
        delay_ms=None if delay_ms is None else round(delay_ms, 3),
        forwarded=counts.forwarded,
        dropped=counts.dropped,
        duplicated=counts.duplicated,
        reordered=counts.reordered,
        delayed=counts.delayed,
    )


def _token(framing: Framing) -> bytes:
    match framing.kind:
        case "length":
            return len(TOKEN).to_bytes(framing.prefix_bytes, "big") + TOKEN
        case "line":
            return TOKEN + b"\n"
        case "stream":
            return TOKEN
