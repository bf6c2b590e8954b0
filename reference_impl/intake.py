"""Intake: the requests of this node's own clients, on their way to a leader and back.

Rules
1. Any node takes any request. The leader proposes it; another node forwards it and relays the
   answer.
2. While no leader is known a request waits, for `hold_s` at most. `no-leader` is said only of a
   request that never left this node, or that the leader says it never proposed: it is definite.
3. A forwarded request is never sent again: the first copy may be under way still. If the leader
   that it was sent to is lost, nobody here knows its fate, and the client is told so.
"""

from __future__ import annotations

from collections import deque

import msgspec

from reference_impl.ballot import NEVER, Ballot
from reference_impl.limits import Limits
from reference_impl.logmessages import Command, Forward
from reference_impl.outbox import Outbox
from reference_impl.requests import Response, error


class _Held(msgspec.Struct, frozen=True):
    command: Command
    number: int
    until: float


class Intake:
    """`life` is unique among the lives of this node."""

    def __init__(self, out: Outbox, limits: Limits) -> None:
        self._out, self._limits = out, limits
        self.life = 0
        self._number = 0
        self._clients: dict[str, int] = {}  # command id -> client request
        self._forwarded: dict[str, tuple[str, Ballot]] = {}  # command id -> leader it was sent to
        self._held: deque[_Held] = deque()
        self._leadership: tuple[str | None, Ballot] = (None, NEVER)

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def admit(self, client: int, command: Command) -> None:
        """Expect an answer to `command`, for client request `client`."""
        self._clients[command.id] = client

    def answered(self, command_id: str, response: Response) -> None:
        """The fate of a command is known. A second answer is dropped."""
        client = self._clients.pop(command_id, None)
        self._forwarded.pop(command_id, None)
        if client is not None:
            self._out.reply(client, response)

    def forward(self, leader: str, ballot: Ballot, number: int, command: Command) -> None:
        self._forwarded[command.id] = (leader, ballot)
        self._out.send(leader, Forward(ballot, self.life, number, command))

    def hold(self, number: int, command: Command, now: float) -> None:
        """Keep a command until a leader is known."""
        if len(self._held) >= self._limits.held_requests_max:
            text = f"no leader is known and {len(self._held)} requests wait; try again later"
            self.answered(command.id, error("overloaded", text))
            return
        self._held.append(_Held(command, number, now + self._limits.hold_s))
        self._out.set_timer("hold", self._held[0].until - now)

    def release(self) -> list[tuple[int, Command]]:
        """The commands that waited: a leader is known now."""
        held = [(h.number, h.command) for h in self._held]
        self._held.clear()
        self._out.cancel_timer("hold")
        return held

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def on_hold_timeout(self, now: float) -> None:
        text = f"no leader was found within {self._limits.hold_s:g} s; nothing was sent"
        while self._held and self._held[0].until <= now:
            self.answered(self._held.popleft().command.id, error("no-leader", text))
        if self._held:
            self._out.set_timer("hold", self._held[0].until - now)

    def only_leader(self, leader: str | None, ballot: Ballot) -> None:
        """Requests forwarded to any but this leadership are beyond our knowledge."""
        if (leader, ballot) == self._leadership:
            return
        self._leadership = (leader, ballot)
        lost = [i for i, sent_to in self._forwarded.items() if sent_to != (leader, ballot)]
        for command_id in lost:
            was = self._forwarded[command_id][0]
            text = f"lost {was}, to which the request was forwarded; it may take effect"
            self.answered(command_id, error("leadership-lost", text))
