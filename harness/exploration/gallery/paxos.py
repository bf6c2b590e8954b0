"""Single-decree Paxos: safe whatever happens, and never sure to end (T26, T29).

Rules
1. Every process is proposer and acceptor, and what it sends to itself it handles at once. The
   proposer is the learner of its proposals (T24) and tells nobody: one decision makes a run a
   deciding one (T31).
2. The timer `ballot` is the proposer's step without a message: a new ballot, above all it has heard
   of. It is set again at once: in an asynchronous system it may run out at any moment.
3. A refusal is told as a Trace and not sent: who is refused need not learn it (T20).

The reference implementation has the whole: storage, refusals, back-off, three ways of learning.
Source: Lamport, Paxos Made Simple, 2001, section 2.2.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.machine import Deliver, Effect, Event, Recover, Send, SetTimer, Timeout, Trace

Ballot = tuple[int, str]
NONE: Ballot = (0, "")
PHASES_S = 1.0  # a time-out long enough for both phases, where a clock counts


class Paxos:
    """`ballots`: how many this process may start; None is no limit, with 0 it only accepts."""

    def __init__(
        self, name: str, peers: Sequence[str], bit: int, ballots: int | None = None
    ) -> None:
        self._left = ballots
        self._name, self._all, self._bit = name, (name, *peers), bit
        self._ballot = NONE  # of the attempt of this proposer that is under way
        self._promises: frozenset[tuple[str, Ballot, int | None]] = frozenset()
        self._promised = NONE  # the acceptor
        self._accepted: tuple[Ballot, int | None] = (NONE, None)
        self._backers: frozenset[str] = frozenset()  # who accepted under this ballot
        self._decided = False
        self._out: list[Effect] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover():
                self._rest()
            case Timeout("ballot") if not self._decided:
                self._prepare()
                self._rest()
            case Deliver(src=src, message=message):
                self._receive(src, message)
        out, self._out = self._out, []
        return out

    def _send(self, dst: str, *message: object) -> None:
        if dst == self._name:
            self._receive(dst, message)
        else:
            self._out.append(Send(dst, message))

    def _receive(self, src: str, message: object) -> None:
        match message:
            case ["prepare", [int(r), str(n)]]:
                self._promise(src, (r, n))
            case ["promise", [int(r), str(n)], [[int(last), str(by)], 0 | 1 | None as value]]:
                if (r, n) == self._ballot:
                    self._on_promise(src, (last, by), value)
            case ["accept", [int(r), str(n)], 0 | 1 as value]:
                self._accept(src, (r, n), value)
            case ["accepted", [int(r), str(n)], 0 | 1 as value]:
                self._on_accepted(src, (r, n), value)

    def _majority(self, answers: Collection[object]) -> bool:
        return 2 * len(answers) > len(self._all)

    def _rest(self) -> None:
        if self._left != 0:
            self._out.append(SetTimer("ballot", PHASES_S))

    def _prepare(self) -> None:
        if self._left is not None:
            self._left -= 1
        self._ballot = (max(self._promised[0], self._ballot[0]) + 1, self._name)
        self._promises, self._backers = frozenset(), frozenset()
        ballot = self._ballot
        for process in self._all:
            self._send(process, "prepare", ballot)

    def _promise(self, src: str, ballot: Ballot) -> None:
        if ballot > self._promised:
            self._promised = ballot
            self._send(src, "promise", ballot, self._accepted)
        elif ballot < self._promised:
            self._refuse("prepare", ballot)

    def _on_promise(self, src: str, last: Ballot, value: int | None) -> None:
        if self._majority(self._promises):
            return  # phase 2 has begun
        self._promises |= {(src, last, value)}
        if self._majority(self._promises):
            _, reported = max((last, value) for _, last, value in self._promises)
            value = self._bit if reported is None else reported
            for process in self._all:
                self._send(process, "accept", self._ballot, value)

    def _accept(self, src: str, ballot: Ballot, value: int) -> None:
        if ballot < self._promised:
            self._refuse("accept", ballot)
            return
        self._promised = ballot
        self._accepted = (ballot, value)
        self._send(src, "accepted", ballot, value)

    def _refuse(self, what: str, ballot: Ballot) -> None:
        self._out.append(Trace("refuse", {what: ballot, "promised": self._promised}))

    def _on_accepted(self, src: str, ballot: Ballot, value: int) -> None:
        if ballot == self._ballot and not self._decided:
            self._backers |= {src}
            if self._majority(self._backers):
                self._decided = True
                self._out.append(Trace("decide", {"value": value}))
