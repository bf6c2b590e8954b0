"""A rotating coordinator and a failure detector: ends once the detector stops being wrong (T39).

Rules
1. The coordinator of round r is the r-th process, in a circle. On entering a round a process sends
   it its estimate, with the round in which it took it.
2. From a majority of estimates the coordinator proposes the one taken last; who is in that round
   takes it over, says so, and enters the next round. A majority of such acknowledgements is a lock:
   every later majority of estimates contains it, so the coordinator lets all decide.
3. Who suspects its coordinator enters the next round, and no longer answers in this one. Wrong
   suspicions cost rounds and never agreement.
4. Who decides goes on taking part, and tells nobody: one decision makes a run a deciding one.
5. Suspicion comes from a failure detector (Detected), or from the timer `doubt`: it says that the
   coordinator has stopped, and takes it back at once. In an asynchronous system no detector can be
   more than that, and it may be wrong at any moment.

Source: Chandra and Toueg, Unreliable failure detectors for reliable distributed systems, JACM 1996,
section 6.2, with the coordinator's wait for negative answers left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.machine import (
    CancelTimer,
    Deliver,
    Detected,
    Effect,
    Event,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Trace,
)

DOUBT_S = 1.0


class RotatingCoordinator:
    """`rounds`: after how many it gives up; None is never."""

    def __init__(
        self, name: str, peers: Sequence[str], bit: int, rounds: int | None = None
    ) -> None:
        self._name, self._rounds = name, rounds
        self._all = tuple(sorted((name, *peers)))
        self._estimate, self._taken = bit, 0  # the round in which it was taken
        self._round = 0
        self._suspects: frozenset[str] = frozenset()
        # As coordinator, by round: estimates, what was proposed, who took it.
        self._estimates: frozenset[tuple[int, str, int, int]] = frozenset()
        self._proposed: frozenset[tuple[int, int]] = frozenset()
        self._backers: frozenset[tuple[int, str]] = frozenset()
        self._decided = False
        self._out: list[Effect] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover():
                self._enter_next_round()
            case Timeout("doubt"):
                self._enter_next_round()
            case Deliver(src=src, message=message):
                self._receive(src, message)
            case Detected(node=node, up=True):
                self._suspects -= {node}
            case Detected(node=node, up=False) if node != self._name:
                self._suspects |= {node}
                if self._coordinator(self._round) == node:
                    self._enter_next_round()
        out, self._out = self._out, []
        return out

    def _coordinator(self, round_: int) -> str:
        return self._all[(round_ - 1) % len(self._all)]

    def _send(self, dst: str, *message: object) -> None:
        if dst == self._name:
            self._receive(dst, message)
        else:
            self._out.append(Send(dst, message))

    def _receive(self, src: str, message: object) -> None:
        match message:
            case ["estimate", int(round_), 0 | 1 as bit, int(taken)]:
                self._on_estimate(src, round_, taken, bit)
            case ["propose", int(round_), 0 | 1 as bit] if round_ == self._round:
                self._estimate, self._taken = bit, round_
                self._send(src, "take", round_)
                if round_ == self._round:
                    self._enter_next_round()
            case ["take", int(round_)] if round_ in dict(self._proposed):
                self._backers |= {(round_, src)}
                if self._majority([backer for at, backer in self._backers if at == round_]):
                    self._decide(dict(self._proposed)[round_])

    def _majority(self, answers: Collection[object]) -> bool:
        return 2 * len(answers) > len(self._all)

    def _enter_next_round(self) -> None:
        """The estimate goes to a suspect too: it may live, and others may wait for its proposal."""
        self._round += 1
        self._out.append(CancelTimer("doubt"))
        if self._rounds is not None and self._round > self._rounds:
            return
        coordinator = self._coordinator(self._round)
        if coordinator != self._name:
            self._out.append(SetTimer("doubt", DOUBT_S))
        self._send(coordinator, "estimate", self._round, self._estimate, self._taken)
        if coordinator in self._suspects:
            self._enter_next_round()

    def _on_estimate(self, src: str, round_: int, taken: int, bit: int) -> None:
        if round_ in dict(self._proposed):
            return
        self._estimates |= {(round_, src, taken, bit)}
        known = [(taken, bit) for at, _, taken, bit in self._estimates if at == round_]
        if self._majority(known):
            _, proposal = max(known)
            self._proposed |= {(round_, proposal)}
            self._estimates = frozenset(e for e in self._estimates if e[0] != round_)
            for process in self._all:
                self._send(process, "propose", round_, proposal)

    def _decide(self, bit: int) -> None:
        if self._decided:
            return
        self._decided = True
        self._out.append(Trace("decide", {"value": bit}))
