"""Election: who should propose, decided by time-outs and believed by nobody's safety.

Rules
1. A follower that has heard no leader for a random time doubts it. Times differ by node and by try,
   or all would stand at once, and stand again at once (T26).
2. Before it makes a ballot it canvasses: a majority, itself included, must hear no other leader. A
   node that was cut off has no such majority, and does not depose a healthy leader when it returns.
3. Then phase 1, once, for every slot from the first that it does not know to be chosen. Whoever
   completes it leads until it sees a higher ballot, or hears no majority.
4. Several nodes may believe that they lead. Nothing here keeps that from happening, and nothing
   elsewhere relies on it (T27): an election is no substitute for the ballots.

Roles: FOLLOWING -> CANVASSING -> PREPARING -> LEADING, and from each back to FOLLOWING.

Sources: Lamport 1998, section 2.4 and 3.1; Lamport 2001, section 2.4; the canvass is Raft's
pre-vote (Ongaro 2014, section 9.6).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from random import Random

from reference_impl.ballot import NEVER, Ballot
from reference_impl.limits import Limits
from reference_impl.logmessages import Batch, Canvass, Support
from reference_impl.messages import Prepare, Promise, Refuse
from reference_impl.outbox import Outbox
from reference_impl.proposer import Proposer
from reference_impl.quorum import Tally
from reference_impl.replica import Replica
from reference_impl.rules import Rules


class Role(enum.Enum):
    FOLLOWING = "following"
    CANVASSING = "canvassing"
    PREPARING = "preparing"
    LEADING = "leading"


class Election:
    """This node's view of who leads, and its own candidacy."""

    def __init__(
        self,
        name: str,
        out: Outbox,
        replica: Replica,
        rng: Random,
        limits: Limits,
        rules: Rules,
        new_tally: Callable[[], Tally],
        new_proposer: Callable[[Ballot], Proposer],
    ) -> None:
        self._name, self._out, self._replica = name, out, replica
        self._rng, self._limits = rng, limits
        self._tenure, self._suspicion = rules.tenure(), rules.suspicion()
        self._new_tally, self._new_proposer = new_tally, new_proposer
        self.role: Role
        self.leader: str | None  # known and heard of lately; this node itself if it leads
        self.ballot: Ballot  # of `leader`, or the one prepared by this node
        self._stand(Role.FOLLOWING, None, NEVER)
        self.proposer: Proposer | None = None
        self._first = 0  # the scope of phase 1
        self._heard_at = float("-inf")  # when a leader was heard, or a candidate promised
        self._number = 0  # of the last canvass
        self._supporters = new_tally()
        self._sends = 0
        self._stopped: set[str] = set()  # empty for ever without a failure detector

    def _stand(self, role: Role, leader: str | None, ballot: Ballot) -> None:
        """The one place where they change: others look at `standing` after each event."""
        self.role, self.leader, self.ballot = role, leader, ballot
        self.standing = (role, leader, ballot)

    # --- following ---

    def start(self) -> None:
        self._wait(self._rng.uniform(0.2, 1.0) * self._limits.first_election_max_s)

    def heard(self, leader: str, ballot: Ballot, now: float) -> None:
        """A message of a leader came that this node's acceptor did not refuse."""
        if ballot < self.ballot or leader in self._stopped:  # its last words, on their way still
            return
        if self.role is Role.LEADING and not self._tenure.outbid(self.ballot, ballot):
            return
        self._heard_at = now
        if self.role is not Role.FOLLOWING:
            self._wait(self._patience())
        elif leader == self.leader and ballot == self.ballot:
            return
        self._become_follower(leader, ballot)

    def promised_to(self, ballot: Ballot, now: float) -> None:
        """This node promised another's ballot: it gives the candidate time to lead."""
        if self._tenure.outbid(self.ballot, ballot):
            self.step_down()
            self._heard_at = now

    def outbid(self, ballot: Ballot) -> bool:
        """Somebody uses `ballot`. True if that ends this node's leadership or candidacy."""
        self._replica.ballots.saw(ballot.round)
        busy = self.role is Role.LEADING or self.role is Role.PREPARING
        if not busy or not self._tenure.outbid(self.ballot, ballot):
            return False
        self.step_down()
        return True

    def step_down(self) -> None:
        """Stop following, standing or leading. The next try comes soon, but if somebody leads, its
        heartbeat comes first."""
        if self.leader is not None:
            self._become_follower(None, self.ballot)
        self._stand(Role.FOLLOWING, self.leader, self.ballot)
        self.proposer = None
        self._heard_at = float("-inf")
        self._wait(self._rng.uniform(self._limits.canvass_min_s, self._limits.canvass_max_s))

    def _become_follower(self, leader: str | None, ballot: Ballot) -> None:
        self._stand(Role.FOLLOWING, leader, ballot)
        self.proposer = None
        self._out.trace("follower", leader=leader)

    def _patience(self) -> float:
        return self._rng.uniform(self._limits.election_min_s, self._limits.election_max_s)

    def _wait(self, delay_s: float) -> None:
        self._out.set_timer("election", delay_s)

    def on_detected(self, node: str, up: bool) -> None:
        """`node` has stopped or is back, on the word of a perfect failure detector (T4): nobody has
        to be patient, and whoever wants to lead in its place is supported."""
        if up:
            self._stopped.discard(node)
            return
        self._stopped.add(node)
        if node == self.leader and self.role is Role.FOLLOWING:
            self._heard_at = float("-inf")
            self._canvass()

    # --- candidacy ---

    def on_timeout(self, now: float) -> None:
        """The timer "election" ran out."""
        if self.role is Role.LEADING:
            return
        if self.role is Role.PREPARING and self._sends < self._limits.prepares_per_ballot_max:
            self._send_prepare()
            return
        silence_s = now - self._heard_at
        stands = self._suspicion.stands(silence_s, self._limits.election_min_s)
        if self.role is Role.FOLLOWING and not stands:
            self._wait(max(self._patience() - silence_s, self._limits.canvass_min_s))
        else:
            self._canvass()

    def _canvass(self) -> None:
        if self.leader is not None:
            self._become_follower(None, self.ballot)
        self._stand(Role.CANVASSING, self.leader, self.ballot)
        self.proposer = None
        self._number += 1
        self._supporters = self._new_tally()
        self._wait(self._rng.uniform(self._limits.canvass_min_s, self._limits.canvass_max_s))
        self._out.broadcast(Canvass(self._number, self._replica.acceptor.promised))
        self._supported_by(self._name)

    def on_canvass(self, src: str, message: Canvass, now: float) -> None:
        """Support whoever asks if no other leader is heard; that the leader asks is its leave. A
        leader that sees a promise above its ballot must prepare a higher one to win that acceptor
        back, and may hear of it in no other way where refusals are off."""
        if self.role is Role.LEADING:
            self.outbid(message.promised)
            return
        silence_s, patience_s = now - self._heard_at, self._limits.election_min_s
        if self._suspicion.supports(src, self.leader, silence_s, patience_s):
            self._out.send(src, Support(message.number))

    def on_support(self, src: str, message: Support) -> None:
        if self.role is Role.CANVASSING and message.number == self._number:
            self._supported_by(src)

    def _supported_by(self, node: str) -> None:
        if self._supporters.add(node):
            self._prepare()

    def _prepare(self) -> None:
        """Phase 1a."""
        self._stand(Role.PREPARING, self.leader, self._replica.ballots.next())
        self.proposer = self._new_proposer(self.ballot)
        self._first = self._replica.log.last + 1
        self._sends = 0
        self._replica.new_round(self.ballot.round)
        self._out.trace("prepare", ballot=self.ballot, instance=None, first=self._first)
        self._send_prepare()
        promise = self._replica.promise(self.ballot, self._first, asked_by_us=True)
        if isinstance(promise, Promise):
            self.on_promise(self._name, promise)

    def _send_prepare(self) -> None:
        self._sends += 1
        self._out.broadcast(Prepare(self.ballot, None, self._first))
        self._wait(self._limits.prepare_s * self._rng.uniform(1.0, 1.5))

    def on_promise(self, src: str, message: Promise[Batch]) -> None:
        if self.role is not Role.PREPARING or self.proposer is None:
            return
        if message.ballot == self.ballot and self.proposer.on_promise(src, message.accepted):
            self._stand(Role.LEADING, self._name, self.ballot)
            self._out.cancel_timer("election")
            self._out.trace("leader", ballot=self.ballot)

    def on_refuse(self, message: Refuse) -> None:
        """Somebody has promised a higher ballot than the one that this node prepared."""
        if message.ballot == self.ballot:
            self.outbid(message.promised)
        else:
            self._replica.ballots.saw(message.promised.round)
