"""A key-value store replicated by Raft, somebody's own: three hundred lines short, with two bugs.

A machine without I/O (harness.machine): events come in, effects go out, and the simulated cluster
runs it. Whatever node a client asks, the leader puts the request into its log, and who asked hears
of it when a majority has it. Two options choose between a right and a wrong way:

- `reads: leader`: a leader answers reads at once from what it has applied. It may have been
  deposed without knowing: the bug that the tests beside this file find. `reads: log` is right;
- `votes: remembered` puts each vote on disk before it is given; with `votes: forgotten` a node that
  is restarted votes twice in one term, and there may be two leaders of it.

Source: Ongaro and Ousterhout 2014, "In Search of an Understandable Consensus Algorithm", figure 2.
No snapshots, no membership changes.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from harness.machine import (
    ClientRequest,
    Deliver,
    Effect,
    Event,
    Persist,
    Recover,
    Reply,
    Send,
    SetTimer,
    Timeout,
    Trace,
)
from harness.systems.bare import offers

HEARTBEAT_S = 0.05
ELECTION_S = (0.15, 0.3)
NO_LEADER = {"error": {"code": "no-leader", "text": "no leader is known"}}
# Not the same: the network may have doubled a request, and its other copy found the leader.
DEPOSED = {"error": {"code": "deposed", "text": "whom this was passed on to leads no longer"}}

Request = Mapping[str, Any]
Entry = list[Any]  # term, who asked (a node and its number for it, or nothing), request


class Raft:
    def __init__(
        self, name: str, peers: Sequence[str], rng: Random, options: Mapping[str, str]
    ) -> None:
        self.name, self.peers, self.rng = name, peers, rng
        self.majority = (len(peers) + 1) // 2 + 1
        self.reads_by_leader = options["reads"] == "leader"
        self.remembers_votes = options["votes"] == "remembered"
        self.term, self.voted_for = 0, ""
        self.log: list[Entry] = [[0, None, None]]  # entry 0 is before all others
        self.committed = self.applied = 0
        self.values: dict[str, Any] = {}
        self.answers: dict[tuple[Any, ...], dict[str, Any]] = {}  # what was asked is done once
        self.leader = ""
        self.votes: set[str] | None = None  # of a candidate
        self.next: dict[str, int] = {}  # of a leader: the next entry for each
        self.has: dict[str, int] = {}  # and up to where each is known to have them
        self.life = rng.getrandbits(32)
        self.out: list[Effect] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002 - timers suffice
        self.out = []
        match event:
            case Recover(stored):
                self.recover(stored)
            case Timeout("election") if not self.leads:
                self.stand()
            case Timeout("heartbeat") if self.leads:
                self.replicate()
            case ClientRequest(number, request):
                self.ask(number, request)
            case Deliver(src, [kind, term, *rest]):
                if term > self.term:
                    self.follow(term)
                getattr(self, f"on_{kind}")(src, term, *rest)
            case Deliver():
                pass  # a frame that was damaged on its way
        return self.out

    @property
    def leads(self) -> bool:
        return self.leader == self.name

    # Elections

    def recover(self, stored: Sequence[Any]) -> None:
        for kind, *rest in stored:
            if kind == "vote":
                self.term, self.voted_for = rest
            else:
                index, entry = rest
                self.log[index:] = [entry]
        self.wait()

    def wait(self) -> None:
        """Until somebody leads, or it is time to stand."""
        self.out.append(SetTimer("election", self.rng.uniform(*ELECTION_S)))

    def vote(self, term: int, candidate: str) -> None:
        self.term, self.voted_for = term, candidate
        if self.remembers_votes:
            self.out.append(Persist(["vote", term, candidate]))

    def follow(self, term: int) -> None:
        if self.leads:
            self.out.append(Trace("follower", {"leader": None}))
        self.vote(term, "")
        self.leader, self.votes = "", None
        self.wait()

    def stand(self) -> None:
        self.vote(self.term + 1, self.name)
        self.leader, self.votes = "", {self.name}
        self.wait()
        last = len(self.log) - 1
        for peer in self.peers:
            self.out.append(Send(peer, ["candidate", self.term, last, self.log[last][0]]))
        self.count()

    def on_candidate(self, src: str, term: int, last: int, last_term: int) -> None:
        mine = (self.log[-1][0], len(self.log) - 1)
        if term == self.term and self.voted_for in ("", src) and (last_term, last) >= mine:
            self.vote(term, src)
            self.wait()
            self.out.append(Send(src, ["vote", term]))

    def on_vote(self, src: str, term: int) -> None:
        if term == self.term and self.votes is not None:
            self.votes.add(src)
            self.count()

    def count(self) -> None:
        if self.votes is not None and len(self.votes) >= self.majority:
            self.leader, self.votes = self.name, None
            self.next = dict.fromkeys(self.peers, len(self.log))
            self.has = dict.fromkeys(self.peers, 0)
            self.out.append(Trace("leader", {"ballot": [self.term, self.name]}))
            self.append(None, None)  # an entry of this term, behind which older ones are safe

    # The log

    def append(self, asked_by: Any, request: Request | None) -> None:
        entry = [self.term, asked_by, request]
        self.log.append(entry)
        self.out.append(Persist(["entry", len(self.log) - 1, entry]))
        self.replicate()
        self.commit()

    def replicate(self) -> None:
        self.out.append(SetTimer("heartbeat", HEARTBEAT_S))
        for peer in self.peers:
            before = self.next[peer] - 1
            entries = self.log[before + 1 :]
            told = ["entries", self.term, before, self.log[before][0], entries, self.committed]
            self.out.append(Send(peer, told))

    def on_entries(
        self, src: str, term: int, before: int, before_term: int, entries: list[Entry], done: int
    ) -> None:
        if term < self.term:
            self.out.append(Send(src, ["refused", self.term, 0]))
            return
        self.leader, self.votes = src, None
        self.wait()
        if before >= len(self.log) or self.log[before][0] != before_term:
            self.out.append(Send(src, ["refused", term, min(before, len(self.log))]))
            return
        for index, entry in enumerate(entries, before + 1):
            if index >= len(self.log) or self.log[index][0] != entry[0]:
                self.log[index:] = [entry]
                self.out.append(Persist(["entry", index, entry]))
        known = before + len(entries)
        self.out.append(Send(src, ["stored", term, known]))
        self.committed = max(self.committed, min(done, known))
        self.apply()

    def on_refused(self, src: str, term: int, hint: int) -> None:
        if term == self.term and self.leads:
            self.next[src] = max(1, min(hint, self.next[src] - 1))

    def on_stored(self, src: str, term: int, known: int) -> None:
        if term == self.term and self.leads:
            self.has[src] = max(self.has[src], known)
            self.next[src] = self.has[src] + 1
            self.commit()

    def commit(self) -> None:
        """What a majority has is committed, once it is of this term (figure 8 of the paper)."""
        everywhere = sorted([len(self.log) - 1, *self.has.values()], reverse=True)
        held_by_majority = everywhere[self.majority - 1]
        if held_by_majority > self.committed and self.log[held_by_majority][0] == self.term:
            self.committed = held_by_majority
            self.apply()

    def apply(self) -> None:
        while self.applied < self.committed:
            self.applied += 1
            _, asked_by, request = self.log[self.applied]
            if request is None:
                continue
            if tuple(asked_by) not in self.answers:  # or the network doubled the request
                self.answers[tuple(asked_by)] = self.perform(request)
            if self.leads:
                self.answer(asked_by, self.answers[tuple(asked_by)])

    # Clients

    def perform(self, request: Request) -> dict[str, Any]:
        key, value = request["key"], request.get("value")
        held = self.values.get(key)
        if request["f"] == "read":
            return {"ok": held}
        if request["f"] == "cas":
            if held != value[0]:
                return {"error": {"code": "compare-failed", "text": f"it is {held!r}"}}
            value = value[1]
        self.values[key] = value
        return {"ok": None}

    def ask(self, number: int, request: Request) -> None:
        if request["f"] == "status":
            told = {"ready": self.leader != "", "leading": self.leads}
            self.out.append(Reply(number, {"ok": told}))
        elif self.leads:
            self.serve([self.name, self.life, number], request)
        elif self.leader:
            asked_by = [self.name, self.life, number]
            self.out.append(Send(self.leader, ["ask", self.term, asked_by, dict(request)]))
        else:
            self.out.append(Reply(number, NO_LEADER))

    def on_ask(self, src: str, term: int, asked_by: list[Any], request: Request) -> None:
        if self.leads and term == self.term:
            self.serve(asked_by, request)
        else:
            self.out.append(Send(src, ["answer", self.term, asked_by, DEPOSED]))

    def serve(self, asked_by: list[Any], request: Request) -> None:
        if request["f"] == "read" and self.reads_by_leader:
            self.answer(asked_by, self.perform(request))
        else:
            self.append(asked_by, dict(request))

    def answer(self, asked_by: list[Any], answer: dict[str, Any]) -> None:
        if asked_by[0] == self.name:
            self.on_answer(self.name, self.term, asked_by, answer)
        else:
            self.out.append(Send(asked_by[0], ["answer", self.term, asked_by, answer]))

    def on_answer(self, _src: str, _term: int, asked_by: list[Any], answer: Any) -> None:
        name, life, number = asked_by
        if (name, life) == (self.name, self.life):  # an earlier life had the same numbers
            self.out.append(Reply(number, answer))


@offers("register", options={"reads": "leader", "votes": "remembered"})
def build(name: str, peers: Sequence[str], rng: Random, options: Mapping[str, str]) -> Raft:
    """A node: what antipaxos calls, by the names of these parameters."""
    return Raft(name, peers, rng, options)
