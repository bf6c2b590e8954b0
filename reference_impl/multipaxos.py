"""Multi-Paxos: a replicated log with a distinguished proposer, and on it a map of keys to values.

Rules
1. This file says who hears of what; the decisions are in the parts: `election` (who proposes),
   `leader` (what is proposed), `replica` (votes, learning, state), `catchup`, `intake`, `reads`.
2. A handler lets the parts change, then `_settle` draws the consequences, once, of what has in
   fact changed: leadership taken up or laid down, waiting commands proposed, answers gathered into
   one message a node.
3. Whoever sees a ballot above its own stops leading before it looks at anything else in a message.
   A leader has therefore learnt nothing from a higher ballot, and its "chosen up to" speaks of the
   values that it proposed itself: a follower that accepted a slot under that same ballot may take
   its own copy for the chosen one.

Sources: Lamport 1998, section 3; Lamport 2001, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from harness.machine import (
    ClientRequest,
    Deliver,
    Detected,
    Effect,
    Event,
    Recover,
    Timeout,
)
from reference_impl import messages, requests, statemachine
from reference_impl.ballot import Ballot
from reference_impl.catchup import CatchUp
from reference_impl.election import Election, Role
from reference_impl.intake import Intake
from reference_impl.leader import Leader
from reference_impl.limits import Limits
from reference_impl.logmessages import (
    Answers,
    Batch,
    Behind,
    Canvass,
    Command,
    Entries,
    Fetch,
    FetchPart,
    Forward,
    Heard,
    Heartbeat,
    LogMessage,
    Part,
    Support,
)
from reference_impl.messages import Accept, Accepted, Prepare, Promise, Refuse
from reference_impl.outbox import Outbox
from reference_impl.relay import Relay
from reference_impl.replica import Replica
from reference_impl.requests import Response
from reference_impl.rules import Rules

FUNCTIONS = (*statemachine.FUNCTIONS, "status")


class MultiPaxos:
    """A machine. `peers` are the other nodes; all of them are acceptors, this node included."""

    messages = LogMessage

    def __init__(
        self,
        *,
        name: str,
        peers: Sequence[str],
        rng: Random,
        learning: str,
        refusals: bool,
        reads: str,
        rules: Rules,
        limits: Limits | None = None,
    ) -> None:
        self._name, self._rules = name, rules
        self._peers = tuple(sorted(set(peers) - {name}))
        self._tell_all, self._refusals = learning == "all", refusals
        self._quorum_reads = reads == "quorum"
        self._limits = limits or Limits()
        self._now = 0.0
        nodes = len(self._peers) + 1
        self._quorum = rules.quorum(nodes)
        self._out = Outbox(self._peers)
        ballots = rules.ballots(name)
        self._replica = Replica(self._out, rules, ballots, self._limits, self._on_applied)
        self._election = Election(
            name,
            self._out,
            self._replica,
            rng,
            self._limits,
            rules,
            new_tally=lambda: rules.new_tally(nodes),
            new_proposer=lambda ballot: rules.proposer(ballot, rules.new_tally(nodes)),
        )
        self._learner = rules.new_learner(nodes)
        self._read_rule, self._hearsay = rules.read_rule(), rules.hearsay()
        self._catchup = CatchUp(self._out, self._peers, self._replica, self._limits, self._hearsay)
        self._intake = Intake(self._out, self._limits)
        self._relay = Relay(self._out, self._limits)
        self._leader: Leader | None = None
        self._standing = self._election.standing  # as `_settle` saw it last
        self._handlers: dict[type, Callable[[str, Any], None]] = {
            Prepare: self._on_prepare,
            Promise: self._election.on_promise,
            Refuse: lambda _, m: self._election.on_refuse(m),
            Accept: self._on_accept,
            Accepted: self._on_accepted,
            Heartbeat: self._on_heartbeat,
            Heard: self._on_heard,
            Canvass: lambda src, m: self._election.on_canvass(src, m, self._now),
            Support: self._election.on_support,
            Behind: self._on_behind,
            Forward: self._on_forward,
            Answers: self._on_answers,
            Fetch: self._catchup.on_fetch,
            Entries: self._on_entries,
            FetchPart: self._catchup.on_fetch_part,
            Part: self._on_part,
        }

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        self._now = now
        if isinstance(event, Deliver):
            self._on_message(event.src, event.message)
        elif isinstance(event, Timeout):
            self._on_timeout(event.name)
        elif isinstance(event, ClientRequest):
            self._on_request(event.id, event.request)
        elif isinstance(event, Detected):
            self._election.on_detected(event.node, event.up)
        elif isinstance(event, Recover):
            self._recover(event)
        self._settle()
        return self._out.take()

    def _on_message(self, src: str, message: Any) -> None:
        handler = self._handlers.get(type(message))
        if handler is None:  # plain values: the host does not know `messages`
            message = messages.read(message, LogMessage)
            handler = self._handlers.get(type(message))
        if handler is not None and src in self._peers:
            handler(src, message)

    @property
    def _leading(self) -> bool:
        return self._election.role is Role.LEADING

    def _settle(self) -> None:
        """The consequences of an event, whatever it was."""
        if self._election.standing != self._standing:
            self._standing = self._election.standing
            self._change_leadership()
        if self._leader is not None:
            self._leader.pump(self._now)
        if self._relay.answers:
            for command_id, response in self._relay.take(self._name):
                self._intake.answered(command_id, response)
            self._relay.send()

    def _change_leadership(self) -> None:
        """Another leader, ballot or role than before: who waits for the one is told, who waited for
        any goes on."""
        leader, election = self._leader, self._election
        if leader is not None and not (self._leading and leader.ballot == election.ballot):
            self._leader = None
            leader.end()
        if self._leading and self._leader is None:
            self._take_office()
        self._intake.only_leader(election.leader, election.ballot)
        if self._intake.holds and election.leader is not None:
            for number, command in self._intake.release():
                self._route(number, command)

    def _take_office(self) -> None:
        proposer = self._election.proposer
        assert proposer is not None, "leading without phase 1: a bug of election"
        self._leader = Leader(
            self._name,
            self._peers,
            self._quorum,
            proposer,
            self._out,
            self._replica,
            self._limits,
            self._rules,
            self._quorum_reads,
            answer=self._relay.add,
            vote=lambda slot, value: self._vote(self._election.ballot, slot, value),
        )
        self._leader.begin(self._now)

    # --- life ---

    def _recover(self, event: Recover) -> None:
        self._out.trace("restart")
        self._replica.recover(event.stored)
        self._intake.life = self._replica.ballots.next().round
        self._replica.new_round(self._intake.life)
        self._election.start()
        self._out.set_timer("messages", self._limits.messages_trace_s)

    def _on_timeout(self, name: str) -> None:
        leader = self._leader
        if name == "election":
            self._election.on_timeout(self._now)
        elif name == "heartbeat" and leader is not None:
            if not leader.on_heartbeat_due(self._now):
                self._election.step_down()
        elif name == "gather" and leader is not None:
            leader.on_gathered()
        elif name == "flush" and leader is not None:
            leader.tell_news(self._now)
        elif name == "hold":
            self._intake.on_hold_timeout(self._now)
        elif name == "fetch":
            self._catchup.on_timeout()
        elif name == "messages":
            self._out.trace_messages()
            self._out.set_timer("messages", self._limits.messages_trace_s)

    # --- clients ---

    def _on_request(self, client: int, request: Mapping[str, Any]) -> None:
        number = self._intake.next_number()
        command_id = f"{self._name}.{self._intake.life}.{number}"
        try:
            f = requests.function_of(request, FUNCTIONS, "multipaxos")
            if f == "status":
                self._out.reply(client, requests.ok(self._status()))
                return
            size_max = self._limits.command_bytes_max
            command = statemachine.command_of(request, f, command_id, size_max)
        except requests.RequestError as wrong:
            self._out.reply(client, wrong.response)
            return
        alone = self._read_rule.may_answer_alone(self._leading, self._election.leader)
        if f == "get" and alone:
            self._out.reply(client, self._replica.state.get(command.key))
            return
        self._intake.admit(client, command)
        self._route(number, command)

    def _route(self, number: int, command: Command) -> None:
        if self._leader is not None:
            self._leader.take(self._name, command)
        elif self._election.leader is None:
            self._intake.hold(number, command, self._now)
        else:
            self._intake.forward(self._election.leader, self._election.ballot, number, command)

    def _status(self) -> Mapping[str, Any]:
        """`ready`: a leader is known, so requests have somewhere to go."""
        leader = self._election.leader
        return {
            "node": self._name,
            "ready": leader is not None,
            "leading": self._leading,
            "leader": leader,
            "ballot": self._election.ballot if leader is not None else None,
            "role": self._election.role.value,
            "chosen": self._replica.log.last,
        }

    def _on_forward(self, src: str, message: Forward) -> None:
        if self._leader is not None and self._leader.first_time(src, message):
            self._leader.take(src, message.command)

    def _on_answers(self, _src: str, message: Answers) -> None:
        for command_id, response in message.answers:
            self._intake.answered(command_id, response)

    def _on_applied(self, command: Command, response: Response) -> None:
        if self._leader is not None:
            self._leader.applied(command, response)

    # --- acceptor ---

    def _on_prepare(self, src: str, message: Prepare) -> None:
        if message.first is None:
            return
        answer = self._replica.promise(message.ballot, message.first, asked_by_us=False)
        if answer is None:
            self._refuse(src, message.ballot, None)
            return
        if isinstance(answer, Promise):
            self._election.promised_to(message.ballot, self._now)
        self._out.send(src, answer)

    def _refuse(self, src: str, ballot: Ballot, slot: int | None) -> None:
        if self._refusals:
            promised = self._replica.acceptor.promised
            self._out.trace("refuse", ballot=ballot, instance=slot, promised=promised)
            self._out.send(src, Refuse(ballot, slot, promised))

    def _on_accept(self, src: str, message: Accept[Batch]) -> None:
        ballot, slot = message.ballot, message.instance
        if not isinstance(slot, int):
            return
        if slot <= self._replica.acceptor.floor:
            self._out.send(src, Behind(ballot, self._replica.log.last))
        elif self._replica.accept(ballot, slot, message.value):
            self._election.heard(src, ballot, self._now)
            self._tell(src, Accepted(ballot, slot, None, message.beat))
            self._follow(src, ballot, self._hearsay.horizon(slot, message.chosen))
        else:
            self._refuse(src, ballot, slot)

    def _vote(self, ballot: Ballot, slot: int, value: Batch) -> None:
        """Phase 2b of a leader's own acceptor."""
        if slot > self._replica.acceptor.floor and self._replica.accept(ballot, slot, value):
            self._tell(self._name, Accepted(ballot, slot))

    def _tell(self, proposer: str, vote: Accepted) -> None:
        """Tell the learners of our vote: all of them, or the distinguished one (T24)."""
        if self._tell_all:
            self._out.broadcast(vote)
        elif proposer != self._name:
            self._out.send(proposer, vote)
        if self._tell_all or proposer == self._name:
            self._on_accepted(self._name, vote)

    # --- learner ---

    def _on_accepted(self, src: str, message: Accepted) -> None:
        ballot, slot, leader = message.ballot, message.instance, self._leader
        if not isinstance(slot, int):
            return
        if ballot > self._election.ballot and self._election.outbid(ballot):
            leader = None  # rule 3
        ours = leader is not None and ballot == leader.ballot
        if leader is not None and ours and src != self._name:
            leader.heard(src, message.beat, self._now)
        if self._replica.log.knows(slot):
            return
        if self._learner.on_accepted(src, ballot, slot):
            value = self._replica.accepted_under(ballot, slot)
            if leader is not None and ours:
                value = leader.proposed(slot)
            if value is not None:
                self._learn(slot, value, ballot)

    def _learn(self, slot: int, value: Batch, ballot: Ballot | None) -> None:
        self._learner.forget(slot)
        if self._leader is not None:
            self._leader.chosen(slot)
        self._replica.learn(slot, value, ballot)
        if self._leader is not None and self._leader.has_news and not self._tell_all:
            self._out.set_timer("flush", self._limits.flush_s)

    def _follow(self, src: str, ballot: Ballot, chosen: int) -> None:
        """The leader of `ballot` says that all slots up to `chosen` are chosen (rule 3)."""
        if self._leading:
            return
        log = self._replica.log
        for slot in range(log.last + 1, chosen + 1):
            if not log.knows(slot):
                copy = self._replica.acceptor.accepted.get(slot)
                if copy is None or not self._hearsay.confirms(ballot, copy.ballot):
                    break
                self._learn(slot, copy.value, ballot)
        self._catchup.behind(chosen, src)

    def _on_heartbeat(self, src: str, message: Heartbeat) -> None:
        if not self._replica.acceptor.may_accept(message.ballot):
            self._refuse(src, message.ballot, None)
            return
        self._election.heard(src, message.ballot, self._now)
        self._out.send(src, Heard(message.ballot, message.beat))
        self._follow(src, message.ballot, message.chosen)

    def _on_heard(self, src: str, message: Heard) -> None:
        if self._leader is not None and message.ballot == self._leader.ballot:
            self._leader.heard(src, message.beat, self._now)

    def _on_behind(self, src: str, message: Behind) -> None:
        """We ask about slots that others have put into snapshots. A leader that does so must not
        take values from others (rule 3): it goes, and catches up first."""
        if self._leading and message.ballot == self._election.ballot:
            self._election.step_down()
        if not self._leading:
            self._catchup.behind(message.chosen, src)

    def _on_entries(self, src: str, message: Entries) -> None:
        if not self._leading:
            self._catchup.on_entries(src, message)
            self._learner.forget_up_to(self._replica.log.last)

    def _on_part(self, src: str, message: Part) -> None:
        if not self._leading:
            self._catchup.on_part(src, message)
            self._learner.forget_up_to(self._replica.log.last)
