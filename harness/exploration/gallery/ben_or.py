"""Ben-Or's consensus: when the votes say nothing a process tosses a coin, so it ends with
probability 1 and never for certain (T40).

Rules
1. Rounds of two phases. Report: tell all your bit; wait for N-f reports. If more than N/2 of them
   say v, propose v, else propose nothing.
2. Propose: tell all; wait for N-f proposals. f+1 that say v: decide v. One that says v: take v into
   the next round. None: toss. Two processes never propose different bits in one round, for two
   majorities of reports overlap and nobody reports twice.
3. The coin is the generator it was built with. Whoever explores tries both sides; an adversary that
   may choose them plays against a protocol without chance, for which the theorem holds, and one
   that may not loses (docs/flp.md).
4. Who has decided goes on, or the others would wait for it. After `rounds` it falls silent; None:
   never.

Source: Ben-Or, Another advantage of free choice, PODC 1983, protocol A, for crashes, f < N/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from harness.machine import Deliver, Effect, Event, Recover, Send, Trace

PHASES = ("report", "propose")


class BenOr:
    """`rounds`: after how many it gives up; None is never."""

    def __init__(
        self, name: str, peers: Sequence[str], bit: int, rng: Random, rounds: int | None = None
    ) -> None:
        self._rng = rng
        self._name, self._peers, self._bit = name, tuple(peers), bit
        self._rounds = rounds
        self._quorum = (len(peers) + 1) // 2 + 1  # N-f for the largest f below N/2
        self._round, self._phase = 1, "report"
        self._heard: frozenset[tuple[int, int, str, int | None]] = frozenset()  # round, phase, ...
        self._decided = False
        self._out: list[Effect] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover():
                self._say(self._bit)
            case Deliver(src=src, message=[("report" | "propose") as phase, int(round_), value]):
                self._hear(src, round_, phase, value)
        out, self._out = self._out, []
        return out

    def _say(self, value: int | None) -> None:
        for peer in self._peers:
            self._out.append(Send(peer, (self._phase, self._round, value)))
        self._hear(self._name, self._round, self._phase, value)

    def _hear(self, src: str, round_: int, phase: str, value: int | None) -> None:
        at = (round_, PHASES.index(phase))
        if at >= (self._round, PHASES.index(self._phase)) and value in (0, 1, None):
            self._heard |= {(*at, src, value)}
            self._advance()

    def _advance(self) -> None:
        here = (self._round, PHASES.index(self._phase))
        votes = [value for *at, _, value in self._heard if tuple(at) == here]
        if len(votes) < self._quorum:
            return
        self._heard = frozenset(vote for vote in self._heard if vote[:2] > here)
        if self._phase == "report":
            agreed = [bit for bit in (0, 1) if 2 * votes.count(bit) > len(self._peers) + 1]
            self._phase = "propose"
            self._say(agreed[0] if agreed else None)
        else:
            self._conclude(votes)

    def _conclude(self, heard: Sequence[int | None]) -> None:
        proposed = next((bit for bit in heard if bit is not None), None)
        if proposed is None:
            self._next_round(self._rng.choice((0, 1)))
            return
        tolerated = len(self._peers) + 1 - self._quorum
        if heard.count(proposed) > tolerated and not self._decided:
            self._decided = True
            self._out.append(Trace("decide", {"value": proposed}))
        self._next_round(proposed)

    def _next_round(self, bit: int) -> None:
        self._bit, self._round, self._phase = bit, self._round + 1, "report"
        if self._rounds is None or self._round <= self._rounds:
            self._say(bit)
