"""Enquiries: a client asks a node for a value that this node has not learnt.

Rules
1. Acceptors and learners are asked once, and their answers count as any acceptance does. That finds
   what was chosen while this node was cut off, if a quorum can still be heard.
2. If they cannot tell, the client gets null: nothing learnt here, which is true at any time. It is
   no statement that nothing was chosen: of acceptors A, B and C, A and B may have accepted and B
   be down. Then the value is learnt when the next proposal is issued and chosen (T25).

Source: Lamport 2001, section 2.3.
"""

from __future__ import annotations

from typing import Any

from reference_impl import requests
from reference_impl.messages import Query
from reference_impl.outbox import Outbox

ENQUIRY_S = 0.2


class Enquiries:
    """The open enquiries of one node among `nodes`."""

    def __init__(self, out: Outbox, nodes: int) -> None:
        self._out = out
        self._peers = nodes - 1
        self._clients: dict[str, list[int]] = {}
        self._answered: dict[str, set[str]] = {}

    def begin(self, client: int, key: str) -> None:
        """Client request `client` waits for the value of `key`."""
        if key in self._clients:
            self._clients[key].append(client)
            return
        self._clients[key] = [client]
        self._answered[key] = set()
        if self._peers == 0:
            self.give_up(key)
            return
        self._out.broadcast(Query(key))
        self._out.set_timer(f"enquiry:{key}", ENQUIRY_S)

    def answered(self, key: str, src: str) -> None:
        """`src` has told what it knows, and it was not enough yet."""
        if key in self._clients:
            self._answered[key].add(src)
            if len(self._answered[key]) == self._peers:
                self.give_up(key)

    def learnt(self, key: str, value: Any) -> None:
        self._close(key, value)

    def give_up(self, key: str) -> None:
        self._close(key, None)

    def _close(self, key: str, result: Any) -> None:
        clients = self._clients.pop(key, None)
        if clients is not None:
            del self._answered[key]
            self._out.cancel_timer(f"enquiry:{key}")
            for client in clients:
                self._out.reply(client, requests.ok(result))
