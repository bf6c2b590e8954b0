"""Replica: acceptor, learner's memory and state machine of one node of the log, with its disk.

Rules
1. What the acceptor grants is persisted before it is traced and answered (T23).
2. A value is applied when it is chosen and so is everything before it; each slot once.
3. After so many slots, or bytes, the log is replaced by a snapshot, the acceptor's promise and what
   it accepted of late: a tail is retained for nodes that lag a little. What is kept fits into one
   promise, so that a cluster which restarts as a whole can complete phase 1.
4. What the acceptor has thereby forgotten it does not answer for: see `acceptor`, rule 5. The same
   answer, Behind, goes to a node that lags by more than a promise can carry.
5. At fixed slots, and where a snapshot begins or ends a log, the state's digest is traced, so that
   replicas can be compared where they stand at the same slot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from harness.machine import Record
from reference_impl import records
from reference_impl.ballot import Ballot, Ballots
from reference_impl.limits import Limits
from reference_impl.logmessages import Batch, Behind, Command
from reference_impl.messages import Instance, Promise
from reference_impl.outbox import Outbox
from reference_impl.requests import Response
from reference_impl.rules import Rules
from reference_impl.snapshot import Assembly, Snapshot

LogRecord = (
    records.Round
    | records.Promised
    | records.AcceptedProposal[Batch]
    | records.Learnt
    | records.SnapshotPart
)


class Replica:
    """`on_applied` is told each command with its response, in the order of application."""

    def __init__(
        self,
        out: Outbox,
        rules: Rules,
        ballots: Ballots,
        limits: Limits,
        on_applied: Callable[[Command, Response], None],
    ) -> None:
        self._out, self._limits, self._on_applied = out, limits, on_applied
        self.ballots = ballots
        self.acceptor = rules.acceptor()
        self.log = rules.log()
        self.state = rules.state()
        self._snapshots = rules.snapshots()
        self.snapshot: Snapshot | None = None
        self._sizes: dict[
            Instance, int
        ] = {}  # bytes of the value accepted in a slot, above the floor
        self._bytes = 0  # their sum
        self._on_file = 0  # slots up to here can be learnt again from our own disk
        self._noted = 0  # and are noted there as chosen

    # --- disk ---

    def recover(self, stored: Sequence[Record]) -> None:
        """Become what earlier lives wrote down. Raises RecordError."""
        assembly = Assembly()
        floor = learnt = 0
        for position, raw in enumerate(stored):
            record = records.read(raw, position, LogRecord)
            if isinstance(record, records.Round):
                self.ballots.saw(record.round)
            elif isinstance(record, records.Promised):
                self.acceptor.restore_promise(record.ballot)
            elif isinstance(record, records.AcceptedProposal):
                self.acceptor.restore_accepted(record.ballot, record.instance, record.value)
                self._measure(record.instance, record.value)
            elif isinstance(record, records.Learnt):
                learnt = record.slot
            else:
                floor = record.floor
                whole = assembly.add(record.slot, record.index, record.count, record.data)
                if whole is not None:
                    self._restore(whole, position)
        self._forget(floor)
        self.ballots.saw(self.acceptor.promised.round)
        self._trace_inherited()
        self._learn_again(learnt)

    def _trace_inherited(self) -> None:
        """Trace the votes of earlier lives, before anything follows from them: a node that dies in
        a sync may leave a vote on disk of which no line tells. Those below the promise, which may
        not be cast again, are reported by it; last, for a vote above one that a line tells of
        stands in the way of its report."""
        acceptor = self.acceptor
        reports = acceptor.reports(acceptor.floor + 1)
        older = [report for report in reports if report.ballot < acceptor.promised]
        for slot, ballot, value in ((r.instance, r.ballot, r.value.name) for r in reports):
            if ballot >= acceptor.promised:
                self._out.trace("accepted", ballot=ballot, instance=slot, value=value)
        if older:
            self._trace_promise(acceptor.promised, acceptor.floor + 1, older)

    def _learn_again(self, learnt: int) -> None:
        for slot in range(self.log.last + 1, learnt + 1):
            proposal = self.acceptor.accepted.get(slot)
            if proposal is None:
                break
            self.log.choose(slot, proposal.value)
        self._apply()

    def _restore(self, snapshot: Snapshot, position: int) -> None:
        try:
            self.state.load(snapshot.whole())
        except msgspec.DecodeError as error:
            raise records.RecordError(position, f"a damaged snapshot, {error}") from error
        self.snapshot = snapshot
        self.log.restart_at(snapshot.slot)
        self._on_file = self._noted = snapshot.slot
        self._trace_state()

    def new_round(self, used: int) -> None:
        """Write down that round `used` is in use by this node."""
        self._out.persist(records.Round(None, used))

    def _compact(self, snapshot: Snapshot) -> None:
        """Let `snapshot` stand in for the log, on disk and in memory."""
        self.snapshot = snapshot
        self._on_file = self._noted = snapshot.slot
        floor = self._floor_after(snapshot.slot)
        self._forget(floor)
        count = len(snapshot.parts)
        kept: list[Record] = [
            records.SnapshotPart(snapshot.slot, floor, index, count, data)
            for index, data in enumerate(snapshot.parts)
        ]
        kept.append(records.Round(None, self.ballots.round))
        kept += self._snapshots.keeps(self.acceptor, floor)
        self._out.truncate(kept)

    def _floor_after(self, slot: int) -> int:
        """Up to where the acceptor may forget once a snapshot of `slot` exists."""
        floor, room = slot, self._limits.retain_bytes
        while floor > slot - self._limits.retain_slots and floor > self.acceptor.floor:
            room -= self._sizes.get(floor, 0)
            if room < 0:
                break
            floor -= 1
        return max(floor, self.acceptor.floor)

    def _forget(self, floor: int) -> None:
        self.acceptor.forget(floor)
        self._sizes = {
            slot: size for slot, size in self._sizes.items() if slot in self.acceptor.accepted
        }
        self._bytes = sum(self._sizes.values())

    def _measure(self, slot: Instance, value: Batch) -> None:
        size = len(msgspec.msgpack.encode(value))
        self._bytes += size - self._sizes.get(slot, 0)
        self._sizes[slot] = size

    # --- acceptor ---

    def promise(
        self, ballot: Ballot, first: int, asked_by_us: bool
    ) -> Promise[Any] | Behind | None:
        """Phase 1b for all slots from `first` on; None refuses."""
        if first <= self.acceptor.floor:
            return Behind(ballot, self.log.last)
        if not self.acceptor.may_promise(ballot):
            return None
        reports = self.acceptor.reports(first)
        if not asked_by_us and first <= self.log.last and self._too_big(reports):
            return Behind(ballot, self.log.last)
        raised = ballot != self.acceptor.promised
        self.acceptor.promise(ballot)
        self.ballots.saw(ballot.round)
        if raised:
            self._out.persist(records.Promised(None, ballot))
        self._trace_promise(ballot, first, reports)
        return Promise(ballot, None, first, reports)

    def _trace_promise(self, ballot: Ballot, first: int, reports: Sequence[Any]) -> None:
        accepted = [(r.instance, r.ballot, r.value.name) for r in reports]
        self._out.trace("promise", ballot=ballot, instance=None, first=first, accepted=accepted)

    def _too_big(self, reports: Sequence[Any]) -> bool:
        return len(msgspec.msgpack.encode(reports)) > self._limits.report_bytes_max

    def accept(self, ballot: Ballot, slot: int, value: Batch) -> bool:
        """Phase 2b; False refuses."""
        before = self.acceptor.accepted.get(slot)
        if not self.acceptor.accept(ballot, slot, value):
            return False
        if before != (ballot, value):
            self._measure(slot, value)
            self._out.persist(records.AcceptedProposal(slot, ballot, value))
            if self._noted < self._on_file:  # shares the sync that is due anyway
                self._noted = self._on_file
                self._out.persist(records.Learnt(self._noted))
        self._out.trace("accepted", ballot=ballot, instance=slot, value=value.name)
        return True

    def accepted_under(self, ballot: Ballot, slot: int) -> Batch | None:
        """The value accepted here in `slot`, if it was accepted under `ballot`."""
        proposal = self.acceptor.accepted.get(slot)
        return proposal.value if proposal is not None and proposal.ballot == ballot else None

    # --- learner and state machine ---

    def learn(self, slot: int, value: Batch, ballot: Ballot | None) -> None:
        """`value` is chosen in `slot`; `ballot` is None if a peer said so without its ballot."""
        if self.log.knows(slot):
            return
        self._out.trace("chosen", instance=slot, value=value.name, ballot=ballot)
        self.log.choose(slot, value)
        self._apply()

    def _apply(self) -> None:
        for value in self.log.advance():
            self._note_if_on_file(self.log.last, value)
            for command in value.commands:
                self._on_applied(command, self.state.apply(command))
            if self.log.last % self._limits.state_every_slots == 0:
                self._trace_state()
        if self._snapshot_is_due():
            slot, part_bytes = self.log.last, self._limits.snapshot_part_bytes
            self._compact(self._snapshots.take(slot, self.state.dump(), part_bytes))
            self.log.drop(self.acceptor.floor)
            self._trace_state()

    def _trace_state(self) -> None:
        """Replicas that stand at one slot can be compared: there, and where a snapshot stands in
        for the log."""
        self._out.trace("state", index=self.log.last, digest=self.state.digest())

    def _note_if_on_file(self, slot: int, value: Batch) -> None:
        proposal = self.acceptor.accepted.get(slot)
        if slot == self._on_file + 1 and proposal is not None and proposal.value == value:
            self._on_file = slot

    def _snapshot_is_due(self) -> bool:
        slots = self.log.last - (self.snapshot.slot if self.snapshot is not None else 0)
        many = self._bytes >= self._limits.snapshot_every_bytes
        return slots >= self._limits.snapshot_every_slots or (many and slots > 0)

    def install(self, snapshot: Snapshot) -> bool:
        """Jump to the state of a peer; False if it is no news, or damaged."""
        if snapshot.slot <= self.log.last:
            return False
        try:
            self.state.load(snapshot.whole())
        except msgspec.DecodeError:
            return False
        self.log.restart_at(snapshot.slot)
        self._compact(snapshot)
        self._trace_state()
        self._apply()
        return True
