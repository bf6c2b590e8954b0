"""Single-decree Paxos by key: each key is one instance of consensus, chosen once and for ever.

Rules
1. Every node is proposer, acceptor and learner of every instance (T10). Its own roles answer it by
   a plain call; its own vote counts at once, since no effect that depends on it can overtake the
   Persist that came before (see harness.machine, rule 2).
2. A node runs one attempt at a key at a time; clients that propose meanwhile wait for its outcome
   and are told the value chosen, whoever proposed it.
3. Proposers that outbid one another back off for random, growing times (T26). A phase that is not
   answered is sent again once, then tried under a higher ballot.
4. Learning (T24): `all`, acceptors tell every node; `distinguished`, acceptors tell the proposer's
   node, which tells the rest. Who missed it asks, or learns from a later proposal (T25).

Sources: Lamport 1998, section 2; Lamport 2001, sections 2.2 to 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from harness.machine import ClientRequest, Deliver, Effect, Event, Recover, Timeout
from reference_impl import messages, records, requests
from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot, Ballots
from reference_impl.learning import Enquiries
from reference_impl.messages import (
    Accept,
    Accepted,
    Chosen,
    Prepare,
    Promise,
    Proposal,
    Query,
    Refuse,
    Report,
    Unlearnt,
)
from reference_impl.outbox import Outbox
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules

FUNCTIONS = ("propose", "learn", "status")
PHASE_S = 0.1  # an unanswered phase is sent again after this
SENDS_PER_PHASE_MAX = 2
ATTEMPT_S = 10.0  # then clients are told `timeout`
ATTEMPTS_MAX = 4096
MESSAGES_TRACE_S = 1.0


class _Instance:
    """What this node remembers of a key, in all its lives."""

    def __init__(self, acceptor: Acceptor, ballots: Ballots) -> None:
        self.acceptor, self.ballots = acceptor, ballots


class _Attempt:
    """This node's effort to have something chosen for a key, over as many ballots as it takes."""

    def __init__(self, own: Any, deadline: float) -> None:
        self.own = own
        self.deadline = deadline
        self.clients: list[int] = []
        self.proposer: Proposer | None = None  # None while it backs off
        self.sends = 0
        self.ballots = 0


class Synod:
    """A machine. `peers` are the other nodes; all of them are acceptors, this node included."""

    messages = messages.SynodMessage

    def __init__(
        self,
        *,
        name: str,
        peers: Sequence[str],
        rng: Random,
        learning: str,
        refusals: bool,
        rules: Rules,
    ) -> None:
        self._name, self._rng, self._rules = name, rng, rules
        self._peers = tuple(sorted(set(peers) - {name}))
        self._nodes = len(self._peers) + 1
        self._tell_all, self._refusals = learning == "all", refusals
        self._out = Outbox(self._peers)
        self._now = 0.0
        self._instances: dict[str, _Instance] = {}
        self._learner = rules.new_learner(self._nodes)
        self._chosen: dict[str, Any] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._enquiries = Enquiries(self._out, self._nodes)
        self._inherited: set[str] = set()  # keys with a vote of an earlier life, not told in this
        self._handlers: dict[type, Callable[[str, Any], None]] = {
            Prepare: self._on_prepare,
            Promise: self._on_promise,
            Refuse: self._on_refuse,
            Accept: self._on_accept,
            Accepted: self._on_accepted,
            Chosen: self._on_chosen,
            Query: self._on_query,
            Unlearnt: self._on_unlearnt,
        }

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        self._now = now
        if isinstance(event, Deliver):
            message = messages.read(event.message, messages.SynodMessage)
            if message is not None and event.src in self._peers:
                self._handlers[type(message)](event.src, message)
        elif isinstance(event, ClientRequest):
            self._on_request(event.id, event.request)
        elif isinstance(event, Timeout):
            self._on_timeout(event.name)
        elif isinstance(event, Recover):
            self._recover(event)
        return self._out.take()

    # --- life ---

    def _recover(self, event: Recover) -> None:
        self._out.trace("restart")
        for position, stored in enumerate(event.stored):
            record = records.read(stored, position, records.SynodRecord)
            if not isinstance(record.instance, str):
                raise records.RecordError(position, "it speaks of a log")
            instance = self._instance(record.instance)
            if isinstance(record, records.Round):
                instance.ballots.restore(record.round)
            elif isinstance(record, records.Promised):
                instance.acceptor.restore_promise(record.ballot)
            else:
                instance.acceptor.restore_accepted(record.ballot, record.instance, record.value)
        for key, instance in self._instances.items():
            instance.ballots.restore(instance.acceptor.promised.round)
            if key in instance.acceptor.accepted:
                self._inherited.add(key)
        self._out.set_timer("messages", MESSAGES_TRACE_S)

    def _on_timeout(self, name: str) -> None:
        kind, _, key = name.partition(":")
        if kind == "attempt":
            self._on_attempt_timeout(key)
        elif kind == "enquiry":
            self._enquiries.give_up(key)
        elif kind == "messages":
            self._out.trace_messages()
            self._out.set_timer("messages", MESSAGES_TRACE_S)

    # --- clients ---

    def _on_request(self, client: int, request: Mapping[str, Any]) -> None:
        try:
            f = requests.function_of(request, FUNCTIONS, "synod")
            if f == "status":
                self._out.reply(client, requests.ok(self._status()))
                return
            key = requests.key_of(request)
        except requests.RequestError as bad:
            self._out.reply(client, bad.response)
            return
        if key in self._chosen:
            self._out.reply(client, requests.ok(self._chosen[key]))
        elif f == "propose":
            self._propose(client, key, request.get("value"))
        else:
            self._enquire(client, key)

    def _status(self) -> Mapping[str, Any]:
        """Nobody leads: every node proposes, and is ready once it runs."""
        return {
            "node": self._name,
            "ready": True,
            "leading": False,
            "leader": None,
            "ballot": None,
            "chosen": len(self._chosen),
        }

    def _propose(self, client: int, key: str, value: Any) -> None:
        attempt = self._attempts.get(key)
        if attempt is None:
            if len(self._attempts) >= ATTEMPTS_MAX:
                text = f"{ATTEMPTS_MAX} keys are being decided; propose again later"
                self._out.reply(client, requests.error("overloaded", text))
                return
            attempt = self._attempts[key] = _Attempt(value, self._now + ATTEMPT_S)
            attempt.clients.append(client)
            self._prepare(key, attempt)
        else:
            attempt.clients.append(client)

    # --- proposer ---

    def _prepare(self, key: str, attempt: _Attempt) -> None:
        ballot = self._instance(key).ballots.next()
        attempt.proposer = self._rules.proposer(ballot, self._rules.new_tally(self._nodes))
        attempt.ballots += 1
        attempt.sends = 1
        self._out.persist(records.Round(key, ballot.round))
        self._out.trace("prepare", ballot=ballot, instance=key, first=None)
        self._out.broadcast(Prepare(ballot, key, None))
        self._out.set_timer(f"attempt:{key}", PHASE_S)
        promise = self._promise(key, ballot)
        if promise is not None:
            self._on_promise(self._name, promise)

    def _on_promise(self, src: str, message: Promise[Any]) -> None:
        key = message.instance
        attempt = self._attempts.get(key) if key is not None else None
        if key is None or attempt is None or attempt.proposer is None:
            return
        proposer = attempt.proposer
        if proposer.asked(message.ballot) and proposer.on_promise(src, message.accepted):
            self._begin_phase_2(key, attempt, proposer)

    def _begin_phase_2(self, key: str, attempt: _Attempt, proposer: Proposer) -> None:
        value = proposer.value_for(key, attempt.own)
        attempt.sends = 1
        accept = Accept(proposer.ballot, key, value)
        self._out.trace("accept", ballot=accept.ballot, instance=key, value=value)
        self._out.broadcast(accept)
        self._out.set_timer(f"attempt:{key}", PHASE_S)
        self._on_accept(self._name, accept)

    def _on_refuse(self, _src: str, message: Refuse) -> None:
        key = str(message.instance)
        self._instance(key).ballots.saw(message.promised.round)
        attempt = self._attempts.get(key)
        if attempt is None or attempt.proposer is None:
            return
        if attempt.proposer.ballot == message.ballot:
            self._back_off(key, attempt)

    def _back_off(self, key: str, attempt: _Attempt) -> None:
        """Wait before the next ballot, or two proposers can refuse each other for ever (T26)."""
        attempt.proposer = None
        delay_s = self._rules.back_off_s(self._rng, attempt.ballots)
        self._out.set_timer(f"attempt:{key}", delay_s)

    def _on_attempt_timeout(self, key: str) -> None:
        attempt = self._attempts.get(key)
        if attempt is None:
            return
        if self._now >= attempt.deadline:
            del self._attempts[key]
            text = f"nothing was chosen for {key!r} within {ATTEMPT_S:g} s; it may be yet"
            for client in attempt.clients:
                self._out.reply(client, requests.error("timeout", text))
        elif attempt.proposer is None:
            self._prepare(key, attempt)
        elif attempt.sends >= SENDS_PER_PHASE_MAX:
            self._back_off(key, attempt)
        else:
            self._send_phase_again(key, attempt, attempt.proposer)

    def _send_phase_again(self, key: str, attempt: _Attempt, proposer: Proposer) -> None:
        """To all, also to who has answered: other learners may have missed that answer."""
        attempt.sends += 1
        if proposer.prepared:
            value = proposer.value_for(key, attempt.own)
            self._out.broadcast(Accept(proposer.ballot, key, value))
        else:
            self._out.broadcast(Prepare(proposer.ballot, key, None))
        self._out.set_timer(f"attempt:{key}", PHASE_S)

    # --- acceptor ---

    def _instance(self, key: str) -> _Instance:
        if key not in self._instances:
            self._instances[key] = _Instance(
                self._rules.acceptor(), self._rules.ballots(self._name)
            )
        return self._instances[key]

    def _on_prepare(self, src: str, message: Prepare) -> None:
        if message.instance is None:
            return
        promise = self._promise(message.instance, message.ballot)
        if promise is not None:
            self._out.send(src, promise)
        else:
            self._refuse(src, message.instance, message.ballot)

    def _promise(self, key: str, ballot: Ballot) -> Promise[Any] | None:
        instance = self._instance(key)
        acceptor = instance.acceptor
        before = acceptor.promised
        if not acceptor.promise(ballot):
            return None
        instance.ballots.saw(ballot.round)
        if acceptor.promised != before:
            self._out.persist(records.Promised(key, ballot))
        promise = Promise(ballot, key, None, acceptor.reports(None))
        self._trace_promise(key, ballot, promise.accepted)
        return promise

    def _trace_promise(self, key: str, ballot: Ballot, reports: Sequence[Report[Any]]) -> None:
        accepted = [(r.instance, r.ballot, r.value) for r in reports]
        self._out.trace("promise", ballot=ballot, instance=key, first=None, accepted=accepted)

    def _refuse(self, src: str, key: str, ballot: Ballot) -> None:
        if self._refusals:
            promised = self._instance(key).acceptor.promised
            self._out.trace("refuse", ballot=ballot, instance=key, promised=promised)
            self._out.send(src, Refuse(ballot, key, promised))

    def _on_accept(self, src: str, message: Accept[Any]) -> None:
        key = str(message.instance)
        instance = self._instance(key)
        acceptor = instance.acceptor
        proposal = (message.ballot, message.value)
        again = acceptor.accepted.get(key) == proposal
        if not acceptor.accept(message.ballot, key, message.value):
            self._refuse(src, key, message.ballot)
            return
        instance.ballots.saw(message.ballot.round)
        if not again:
            self._out.persist(records.AcceptedProposal(key, message.ballot, message.value))
        self._out.trace("accepted", ballot=message.ballot, instance=key, value=message.value)
        answer = Accepted(message.ballot, key, message.value)
        if self._tell_all:
            self._out.broadcast(answer)
            self._on_accepted(self._name, answer)
        elif src == self._name:
            self._on_accepted(self._name, answer)
        else:
            self._out.send(src, answer)

    # --- learner ---

    def _on_accepted(self, src: str, message: Accepted) -> None:
        key = str(message.instance)
        if key in self._chosen:
            return
        if self._learner.on_accepted(src, message.ballot, key):
            self._learn(key, message.value, message.ballot)
            if not self._tell_all:
                self._out.broadcast(Chosen(key, message.value))
        elif src != self._name:
            self._enquiries.answered(key, src)

    def _on_chosen(self, _src: str, message: Chosen) -> None:
        if message.instance not in self._chosen:
            self._learn(message.instance, message.value, None)

    def _learn(self, key: str, value: Any, ballot: Ballot | None) -> None:
        self._chosen[key] = value
        self._learner.forget(key)
        self._out.trace("chosen", instance=key, value=value, ballot=ballot)
        attempt = self._attempts.pop(key, None)
        if attempt is not None:
            self._out.cancel_timer(f"attempt:{key}")
            for client in attempt.clients:
                self._out.reply(client, requests.ok(value))
        self._enquiries.learnt(key, value)

    def _enquire(self, client: int, key: str) -> None:
        own = self._vote(key)
        if own is not None and self._learner.on_accepted(self._name, own.ballot, key):
            self._learn(key, own.value, own.ballot)
            self._out.reply(client, requests.ok(own.value))
        else:
            self._enquiries.begin(client, key)

    def _vote(self, key: str) -> Proposal | None:
        """What was accepted here, to be told to a learner. That of an earlier life may be durable
        and not traced, for power failed in between: it is traced before anything follows from it,
        by the promise that reports it if a higher ballot was promised since."""
        instance = self._instances.get(key)
        proposal = None if instance is None else instance.acceptor.accepted.get(key)
        if instance is None or proposal is None or key not in self._inherited:
            return proposal
        self._inherited.discard(key)
        if instance.acceptor.promised > proposal.ballot:
            self._trace_promise(key, instance.acceptor.promised, instance.acceptor.reports(None))
        else:
            self._out.trace("accepted", ballot=proposal.ballot, instance=key, value=proposal.value)
        return proposal

    def _on_query(self, src: str, message: Query) -> None:
        key = message.instance
        if key in self._chosen:
            self._out.send(src, Chosen(key, self._chosen[key]))
        elif (proposal := self._vote(key)) is not None:
            self._out.send(src, Accepted(proposal.ballot, key, proposal.value))
        else:
            self._out.send(src, Unlearnt(key))

    def _on_unlearnt(self, src: str, message: Unlearnt) -> None:
        self._enquiries.answered(message.instance, src)
