"""Catch-up: how a node that missed slots gets them.

Rules
1. The node that lags asks, one request at a time; who is asked keeps no state about it. A lost
   answer costs one time-out, and then another peer is asked.
2. Only chosen values travel, whole and in order, or parts of a snapshot where they were dropped. A
   node that takes them accepts nothing by it: its votes are untouched.
3. A leader takes none. It learns by its own count only, which is what lets followers read its
   "chosen up to" as a statement about the values that it proposed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from reference_impl.hearsay import Hearsay
from reference_impl.limits import Limits
from reference_impl.logmessages import Batch, Entries, Fetch, FetchPart, Part
from reference_impl.outbox import Outbox
from reference_impl.replica import Replica
from reference_impl.snapshot import Assembly


class CatchUp:
    """Both sides: asking and answering."""

    def __init__(
        self,
        out: Outbox,
        peers: Sequence[str],
        replica: Replica,
        limits: Limits,
        hearsay: Hearsay,
    ) -> None:
        self._out, self._peers, self._replica, self._limits = out, peers, replica, limits
        self._hearsay = hearsay
        self._target = 0  # somebody knows everything up to here to be chosen
        self._source = ""
        self._asking = False
        self._assembly = Assembly()

    def behind(self, chosen: int, source: str) -> None:
        """`source` knows all slots up to `chosen` to be chosen."""
        self._target = max(self._target, chosen)
        if not self._asking and self._replica.log.last < self._target:
            self._source = source
            self._ask()

    def on_timeout(self) -> None:
        """Nobody answered: ask the next peer, from the first slot missing now."""
        self._asking = False
        self._assembly = Assembly()
        if self._replica.log.last < self._target and self._peers:
            after = [p for p in self._peers if p > self._source]
            self._source = after[0] if after else self._peers[0]
            self._ask()

    def _ask(self) -> None:
        self._asking = True
        if self._assembly.slot:
            message: Fetch | FetchPart = FetchPart(self._assembly.slot, self._assembly.next_index)
        else:
            message = Fetch(self._replica.log.last + 1)
        self._out.send(self._source, message)
        self._out.set_timer("fetch", self._limits.fetch_s)

    def on_entries(self, src: str, message: Entries) -> None:
        for slot, value in enumerate(message.values, message.first):
            self._replica.learn(slot, value, None)
        self._go_on(src)

    def on_part(self, src: str, message: Part) -> None:
        if message.slot <= self._replica.log.last:
            return
        whole = self._assembly.add(message.slot, message.index, message.count, message.data)
        if whole is not None:
            self._replica.install(whole)
        self._go_on(src)

    def _go_on(self, src: str) -> None:
        if not self._asking or src != self._source:
            return
        if self._replica.log.last < self._target:
            self._ask()
        else:
            self._asking = False
            self._out.cancel_timer("fetch")

    def on_fetch(self, src: str, message: Fetch) -> None:
        log, acceptor = self._replica.log, self._replica.acceptor
        if message.first <= log.base:
            self._send_part(src, 0)
            return
        values: list[Batch] = []
        size = 0
        for value in self._hearsay.tells(log, acceptor, message.first):
            size += len(msgspec.msgpack.encode(value))
            if values and size > self._limits.fetch_bytes_max:
                break
            values.append(value)
        if values:
            self._out.send(src, Entries(message.first, tuple(values)))

    def on_fetch_part(self, src: str, message: FetchPart) -> None:
        snapshot = self._replica.snapshot
        if snapshot is None:
            return
        same = snapshot.slot == message.slot and message.index < len(snapshot.parts)
        self._send_part(src, message.index if same else 0)

    def _send_part(self, dst: str, index: int) -> None:
        snapshot = self._replica.snapshot
        if snapshot is not None:
            count = len(snapshot.parts)
            self._out.send(dst, Part(snapshot.slot, index, count, snapshot.parts[index]))
