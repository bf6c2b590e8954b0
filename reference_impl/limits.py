"""Every bound and time-out of the replicated log, in one place.

Rules
1. A follower must miss several heartbeats before it doubts the leader; a leader must be patient for
   longer than an election takes, or two of them depose each other by turns.
2. What truncation retains is more than what can be in flight: a node that is only a message behind
   is never told to fetch a snapshot.
3. No frame comes near the transport's limit, whatever clients send.
"""

from __future__ import annotations

import msgspec

KIB = 1024
SNAPSHOT_SLOTS_MIN = 40
RETAIN_SLOTS = 500


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults suit nodes on one machine or one network, under load."""

    heartbeat_s: float = 0.05
    election_min_s: float = 0.3  # silence after which a follower doubts the leader: at least,
    election_max_s: float = 0.6  # and at most
    first_election_max_s: float = 0.25  # at the start nobody has a leader to wait for
    canvass_min_s: float = 0.1  # an unanswered canvass is repeated after this, at least,
    canvass_max_s: float = 0.25  # and at most
    prepare_s: float = 0.15  # an unanswered prepare is sent again after this
    prepares_per_ballot_max: int = 2
    leader_patience_s: float = 1.0  # a leader that hears no quorum for so long steps down
    resend_s: float = 0.2  # an accept request without a quorum is sent again after this
    gather_s: float = 0.0015  # a command waits so long for others to share its slot
    flush_s: float = 0.01  # an idle leader tells what was chosen after this
    hold_s: float = 1.0  # a request waits so long for a leader to appear
    fetch_s: float = 0.2  # an unanswered fetch goes to the next peer after this
    messages_trace_s: float = 1.0

    window_slots: int = 4  # slots in flight; what comes meanwhile shares the next one
    batch_commands_max: int = 256
    batch_bytes_max: int = 512 * KIB
    command_bytes_max: int = 512 * KIB
    queue_commands_max: int = 8192
    held_requests_max: int = 1024
    report_bytes_max: int = 2048 * KIB  # in a promise to a node that lags
    fetch_bytes_max: int = 1024 * KIB
    answers_bytes_max: int = 1024 * KIB
    snapshot_part_bytes: int = 1024 * KIB
    snapshot_every_slots: int = 2000
    snapshot_every_bytes: int = 4096 * KIB  # of accepted values: they all go into a promise
    retain_slots: int = RETAIN_SLOTS
    retain_bytes: int = 1024 * KIB
    state_every_slots: int = 25  # the state's digest is traced that often

    @staticmethod
    def with_snapshots(every_slots: int) -> Limits:
        """The defaults, but for how often the log is cut. Raises ValueError if it is too often."""
        if every_slots < SNAPSHOT_SLOTS_MIN:
            raise ValueError(
                f"a snapshot every {every_slots} slots leaves too little between two: give at "
                f"least {SNAPSHOT_SLOTS_MIN}"
            )
        return Limits(
            snapshot_every_slots=every_slots, retain_slots=min(RETAIN_SLOTS, every_slots // 2)
        )

    def __post_init__(self) -> None:
        assert 4 * self.heartbeat_s <= self.election_min_s < self.election_max_s
        assert self.election_max_s < self.leader_patience_s
        assert self.retain_slots > 4 * self.window_slots
        assert self.retain_slots < self.snapshot_every_slots
        assert self.retain_bytes < self.snapshot_every_bytes
        assert self.command_bytes_max <= self.batch_bytes_max
