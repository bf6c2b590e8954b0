"""Leader: phase 2 for the slots of the log, under one ballot.

Rules
1. Exists only between a completed phase 1 and stepping down; its ballot never changes. In a slot it
   proposes one value, once, and sends that again until it is chosen.
2. First it proposes again what phase 1 reported, and no-ops in the gaps between (T21).
3. At most `window_slots` of new slots are in flight. Commands that arrive meanwhile wait, and share
   the next slot: the busier the log, the bigger the batch.
4. A command is answered when it has been applied here, or when this leadership ends: then those
   never proposed get a definite answer, and the others one that says that nobody knows.
5. A command that the network brings twice is proposed once: a duplicate may come long after the
   first was answered, and would change the state a second time behind the client's back.
6. A leader that hears no quorum for `leader_patience_s` goes, so that clients are not kept waiting.

Sources: Lamport 1998, section 3.1; Lamport 2001, section 3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from reference_impl import statemachine
from reference_impl.ballot import Ballot
from reference_impl.limits import Limits
from reference_impl.logmessages import Batch, Command, Forward, Heartbeat
from reference_impl.messages import Accept
from reference_impl.once import Numbers
from reference_impl.outbox import Outbox
from reference_impl.proposer import Proposer
from reference_impl.replica import Replica
from reference_impl.requests import Response, error
from reference_impl.rules import Rules


class _InFlight(msgspec.Struct):
    value: Batch
    sent_at: float


class Leader:
    """One leadership. `answer(node, command id, response)` reaches who asked through `node`;
    `vote(slot, value)` is this node's own phase 2b."""

    def __init__(
        self,
        name: str,
        peers: Sequence[str],
        quorum: int,
        proposer: Proposer,
        out: Outbox,
        replica: Replica,
        limits: Limits,
        rules: Rules,
        quorum_reads: bool,
        answer: Callable[[str, str, Response], None],
        vote: Callable[[int, Batch], None],
    ) -> None:
        self._name, self._quorum, self._proposer = name, quorum, proposer
        self._out, self._replica, self._limits = out, replica, limits
        self._quorum_reads, self._answer, self._vote = quorum_reads, answer, vote
        self._rules, self._recovery, self._retry = rules, rules.recovery(), rules.retry()
        self.ballot: Ballot = proposer.ballot
        self._next_slot = replica.log.last + 1
        self._in_flight: dict[int, _InFlight] = {}
        self._queue: deque[tuple[Command, int]] = deque()  # with its size in bytes
        self._gathered = False  # has the first of the queue waited for company long enough?
        self._origins: dict[str, str] = {}  # command id -> the node that the client asked
        self._taken: dict[tuple[str, int], Numbers] = {}
        self._reads = rules.quorum_reads()
        self._beat = 0
        self._echoed = dict.fromkeys(peers, 0)  # the newest beat that each peer confirmed
        self._heard_at: dict[str, float] = {}
        self._announced = 0  # the peers were told that slots up to here are chosen
        self._broadcast_at = float("-inf")

    # --- slots ---

    def begin(self, now: float) -> None:
        """Take office: bind every slot that phase 1 reported, whatever the window."""
        self._heard_at = dict.fromkeys(self._echoed, now)
        slots = [s for s in self._proposer.reported() if isinstance(s, int)]
        last = max([self._replica.log.last, *slots])
        self._next_slot = last + 1
        log = self._replica.log
        slots = [s for s in range(log.last + 1, last + 1) if not log.knows(s)]
        for slot, value in self._recovery.proposals(self._proposer, slots):
            self._propose(slot, value, now)
        self._out.set_timer("heartbeat", self._limits.heartbeat_s)
        if not self._in_flight:
            self._beat_now(now)

    def pump(self, now: float) -> None:
        """Propose what waits, as far as the window allows, and let waiting reads go ahead."""
        while self._queue and self._may_propose():
            slot = self._next_slot
            self._next_slot += 1
            self._propose(slot, self._proposer.value_for(slot, self._next_batch()), now)
        if not self._reads:
            return
        if self._reads.beat > self._beat and self._confirmed() == self._beat:
            self._beat_now(now)
        for command in self._reads.ready(self._confirmed(), self._replica.log.last):
            self.applied(command, self._replica.state.get(command.key))

    def _may_propose(self) -> bool:
        if len(self._in_flight) >= self._limits.window_slots:
            return False
        return self._gathered or len(self._queue) >= self._limits.batch_commands_max

    def on_gathered(self) -> None:
        """The timer "gather" ran out: what waits may be proposed."""
        self._gathered = True

    def _next_batch(self) -> Batch:
        commands: list[Command] = []
        room = self._limits.batch_bytes_max
        while self._queue and len(commands) < self._limits.batch_commands_max:
            command, size = self._queue[0]
            if commands and size > room:
                break
            room -= size
            commands.append(command)
            self._queue.popleft()
        return Batch(tuple(commands))

    def _propose(self, slot: int, value: Batch, now: float) -> None:
        """Phase 2a. The requests leave before our own disk has the vote, so that all disks work at
        the same time; the vote counts when it is written, as everybody's does."""
        self._in_flight[slot] = _InFlight(value, now)
        self._out.trace("accept", ballot=self.ballot, instance=slot, value=value.name)
        self._send_accept(slot, value, now)
        self._vote(slot, value)

    def _send_accept(self, slot: int, value: Batch, now: float) -> None:
        self._before_broadcast(now)
        chosen = self._replica.log.last
        self._out.broadcast(Accept(self.ballot, slot, value, chosen, self._beat))

    def proposed(self, slot: int) -> Batch | None:
        """The value in flight in `slot`."""
        flight = self._in_flight.get(slot)
        return None if flight is None else flight.value

    def chosen(self, slot: int) -> None:
        self._in_flight.pop(slot, None)

    @property
    def has_news(self) -> bool:
        """Is something chosen that the peers have not been told, and nothing to tell it with?"""
        return not self._in_flight and self._announced < self._replica.log.last

    # --- beats ---

    def on_heartbeat_due(self, now: float) -> bool:
        """The timer "heartbeat" ran out; False if this leader must go."""
        heard = sum(now - at <= self._limits.leader_patience_s for at in self._heard_at.values())
        if heard + 1 < self._quorum:
            return False
        for slot, flight in tuple(self._in_flight.items()):
            if self._retry.is_due(now - flight.sent_at, self._limits.resend_s):
                # To all, also to who has voted: in `all` learning others may have missed the vote.
                self._propose(slot, self._retry.value(flight.value), now)
        if now - self._broadcast_at >= 0.5 * self._limits.heartbeat_s:
            self._beat_now(now)
        self._out.set_timer("heartbeat", self._limits.heartbeat_s)
        return True

    def tell_news(self, now: float) -> None:
        if self.has_news:
            self._beat_now(now)

    def heard(self, peer: str, beat: int, now: float) -> None:
        """`peer` answered a message of ours that carried `beat`: it follows this ballot still."""
        self._heard_at[peer] = now
        self._echoed[peer] = max(self._echoed[peer], min(beat, self._beat))

    def _beat_now(self, now: float) -> None:
        self._before_broadcast(now)
        self._out.broadcast(Heartbeat(self.ballot, self._replica.log.last, self._beat))

    def _before_broadcast(self, now: float) -> None:
        self._beat = max(self._beat, self._reads.beat)
        self._announced = self._replica.log.last
        self._broadcast_at = now

    def _confirmed(self) -> int:
        """The newest beat that a quorum confirmed; this node confirms its own."""
        beats = sorted([self._beat, *self._echoed.values()], reverse=True)
        return beats[self._quorum - 1]

    # --- commands ---

    def take(self, origin: str, command: Command) -> None:
        """A command of a client that asked through `origin`."""
        if len(self._queue) >= self._limits.queue_commands_max:
            text = f"{len(self._queue)} commands wait already; try again later"
            self._answer(origin, command.id, error("overloaded", text))
            return
        self._origins[command.id] = origin
        if command.f == "get" and self._quorum_reads:
            self._reads.add(command, self._beat + 1, self._next_slot - 1)
        else:
            if not self._queue:
                self._gathered = False
                self._out.set_timer("gather", self._limits.gather_s)
            self._queue.append((command, statemachine.size_of(command)))

    def first_time(self, origin: str, message: Forward) -> bool:
        """Is this the first copy of a forwarded command to reach this leadership?"""
        numbers = self._taken.setdefault((origin, message.life), self._rules.once())
        return message.ballot == self.ballot and numbers.add(message.number)

    def applied(self, command: Command, response: Response) -> None:
        """A command has been applied here; whoever asked this leader for it is answered."""
        origin = self._origins.pop(command.id, None)
        if origin is not None:
            self._answer(origin, command.id, response)

    def end(self) -> None:
        """Answer everybody who waits: this leadership is over."""
        never = error("no-leader", f"{self._name} does not lead any more; nothing was proposed")
        perhaps = error(
            "leadership-lost",
            f"{self._name} lost the leadership while the command was proposed; it may take effect",
        )
        for command in [*self._reads.drain(), *(command for command, _ in self._queue)]:
            self.applied(command, never)
        for command_id, origin in self._origins.items():
            self._answer(origin, command_id, perhaps)
        self._origins.clear()
        self._out.cancel_timer("heartbeat")
