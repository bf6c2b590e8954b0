"""Raft in one file, for Maelstrom's workloads lin-kv and txn-list-append. Standard library only.

Term, vote and log are on disk (file `raft` in the working directory) before anything is said that
rests on them: all that one batch of input brings is synced once, then everything is sent. Reads go
through the log like writes. A follower passes requests on to its leader, which answers the client.
A request that the network doubled is known by its client and msg_id, and applied once.

With `--bug stale-reads` a leader answers reads from its own state, which spares it the log. That is
right while it leads; but one that was cut off and replaced believes that it does.

Source: Ongaro and Ousterhout, In search of an understandable consensus algorithm, 2014.
"""

import argparse
import json
import os
import random
import select
import sys
import time
from pathlib import Path

HEARTBEAT_S = 0.05
ELECTION_S = (0.3, 0.6)
FIRST_ELECTION_S = 0.05  # of the first node, in its first life: somebody has to begin
ENTRIES_MAX = 400  # in one message

NOT_SUPPORTED, UNAVAILABLE, CRASH, NO_KEY, MISMATCH = 10, 11, 13, 20, 22
KINDS = ("read", "write", "cas", "txn")


class Disk:
    """Records as JSON lines: ["vote", term, node] and ["entry", index, entry]; an entry replaces
    the one of its index and all behind it."""

    def __init__(self, path):
        self.term, self.vote, self.log = 0, None, []
        whole = 0
        path.touch()
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):  # else it was cut short by a crash, and nothing rests on it
                self.replay(*json.loads(line))
                whole += len(line)
        self.file = path.open("ab")
        self.file.truncate(whole)
        self.dirty = False

    def replay(self, kind, number, what):
        if kind == "vote":
            self.term, self.vote = number, what
        else:
            self.log[number - 1 :] = [what]

    def keep(self, *record):
        self.file.write(json.dumps(record).encode() + b"\n")
        self.dirty = True

    def sync(self):
        if self.dirty:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.dirty = False


class Store:
    """The state machine: values by key. What it answers is the body of the reply."""

    def __init__(self):
        self.values = {}
        self.seen = {}  # by client, the last msg_id that was applied

    def apply(self, client, body):
        """None for a request that was applied before."""
        if body["msg_id"] <= self.seen.get(client, 0):
            return None
        self.seen[client] = body["msg_id"]
        return self.perform(body)

    def perform(self, body):
        if body["type"] == "txn":
            return {"type": "txn_ok", "txn": [self.step(*step) for step in body["txn"]]}
        key = json.dumps(body["key"])
        if body["type"] == "write":
            self.values[key] = body["value"]
            return {"type": "write_ok"}
        if key not in self.values:
            return {"type": "error", "code": NO_KEY, "text": "no such key"}
        value = self.values[key]
        if body["type"] == "read":
            return {"type": "read_ok", "value": value}
        if value != body["from"]:
            return {"type": "error", "code": MISMATCH, "text": f"the value is {value}"}
        self.values[key] = body["to"]
        return {"type": "cas_ok"}

    def step(self, f, key, value):
        elements = self.values.setdefault("list " + json.dumps(key), [])
        if f == "append":
            elements.append(value)
            return [f, key, value]
        return [f, key, list(elements)]


class Node:
    def __init__(self, bug):
        self.bug = bug
        self.out = []
        self.name, self.others = None, []
        self.disk = Disk(Path("raft"))
        self.term, self.vote, self.log = self.disk.term, self.disk.vote, self.disk.log
        self.store = Store()
        self.role, self.leader = "follower", None
        self.committed = self.applied = 0
        self.votes = set()
        self.match, self.next = {}, {}  # of the others, while leading
        self.pending = {}  # requests that this leader has put into the log: index -> (client, id)
        self.election_at = self.heartbeat_at = float("inf")

    # The loop.

    def run(self):
        buffer = b""
        while True:
            wait = max(0, min(self.election_at, self.heartbeat_at) - time.monotonic())
            if select.select([0], [], [], min(wait, 1))[0]:
                data = os.read(0, 1 << 20)
                if not data:
                    return
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    self.handle(message["src"], message["body"])
            self.tick(time.monotonic())
            self.disk.sync()
            if self.out:
                sys.stdout.write("".join(self.out))
                sys.stdout.flush()
                self.out = []

    def handle(self, src, body):
        kind = body["type"]
        if kind == "init":
            self.begin(body)
            self.reply(src, body, {"type": "init_ok"})
        elif self.name is None:
            return
        elif kind in KINDS:
            self.request(src, body)
        elif kind in ("vote", "vote_ok", "append", "append_ok"):
            if body["term"] > self.term:
                self.follow(body["term"], None)
            getattr(self, "on_" + kind)(src, body)
        elif "in_reply_to" not in body:
            self.fail(src, body, NOT_SUPPORTED, f"there is no {kind}")

    def begin(self, body):
        self.name = body["node_id"]
        self.others = [node for node in body["node_ids"] if node != self.name]
        self.wait_for_leader()
        if not self.log and self.name == body["node_ids"][0]:
            self.election_at = time.monotonic() + FIRST_ELECTION_S

    def tick(self, now):
        if self.role != "leader" and now >= self.election_at:
            self.stand()
        if self.role == "leader" and now >= self.heartbeat_at:
            self.heartbeat_at = now + HEARTBEAT_S
            for node in self.others:
                self.next[node] = self.match[node] + 1  # what was lost is sent again
                self.send_entries(node)
        elif self.role == "leader":
            for node in self.others:
                if self.next[node] <= len(self.log):
                    self.send_entries(node)
        self.apply()

    def send(self, dest, **body):
        self.out.append(json.dumps({"src": self.name, "dest": dest, "body": body}) + "\n")

    def reply(self, client, request, body):
        self.send(client, in_reply_to=request["msg_id"], **body)

    def fail(self, client, request, code, text):
        self.reply(client, request, {"type": "error", "code": code, "text": text})

    # Roles.

    def follow(self, term, leader):
        if term > self.term:
            self.term, self.vote = term, None
            self.disk.keep("vote", term, None)
        if self.role == "leader":
            for client, request in self.pending.values():
                self.fail(client, request, CRASH, "leadership was lost: it may still happen")
            self.pending = {}
        self.role, self.leader = "follower", leader
        self.heartbeat_at = float("inf")
        self.wait_for_leader()

    def wait_for_leader(self):
        self.election_at = time.monotonic() + random.uniform(*ELECTION_S)

    def stand(self):
        self.term, self.vote, self.leader = self.term + 1, self.name, None
        self.disk.keep("vote", self.term, self.name)
        self.role, self.votes = "candidate", {self.name}
        self.wait_for_leader()
        for node in self.others:
            self.send(node, type="vote", term=self.term, last=self.last())
        self.count_votes()

    def count_votes(self):
        if self.role == "candidate" and 2 * len(self.votes) > len(self.others) + 1:
            self.role, self.leader = "leader", self.name
            self.match = dict.fromkeys(self.others, 0)
            self.next = dict.fromkeys(self.others, len(self.log) + 1)
            self.heartbeat_at, self.election_at = 0, float("inf")
            # Entries of earlier terms are committed with one of this term, and not by counting.
            self.append([self.term, None, None])

    def last(self):
        return [self.log[-1][0] if self.log else 0, len(self.log)]

    def on_vote(self, src, body):
        grant = (
            body["term"] == self.term and self.vote in (None, src) and body["last"] >= self.last()
        )
        if grant:
            if self.vote is None:
                self.vote = src
                self.disk.keep("vote", self.term, src)
            self.wait_for_leader()
        self.send(src, type="vote_ok", term=self.term, granted=grant)

    def on_vote_ok(self, src, body):
        if body["term"] == self.term and body["granted"]:
            self.votes.add(src)
            self.count_votes()

    # The log. Entries are [term, client, request], numbered from 1.

    def append(self, entry):
        self.log.append(entry)
        self.disk.keep("entry", len(self.log), entry)
        self.commit()

    def send_entries(self, node):
        first = self.next[node]
        entries = self.log[first - 1 : first - 1 + ENTRIES_MAX]
        self.next[node] += len(entries)
        before = self.log[first - 2][0] if first > 1 else 0
        self.send(
            node,
            type="append",
            term=self.term,
            before=[before, first - 1],
            entries=entries,
            committed=self.committed,
        )

    def on_append(self, src, body):
        if body["term"] < self.term:
            self.send(src, type="append_ok", term=self.term, match=0, behind=0)
            return
        if self.role != "follower" or self.leader != src:
            self.follow(body["term"], src)
        self.wait_for_leader()
        term, index = body["before"]
        if index > len(self.log) or (index and self.log[index - 1][0] != term):
            behind = min(index - 1, len(self.log))
            self.send(src, type="append_ok", term=self.term, match=-1, behind=behind)
            return
        for number, entry in enumerate(body["entries"], index + 1):
            if number > len(self.log) or self.log[number - 1][0] != entry[0]:
                self.log[number - 1 :] = [entry]
                self.disk.keep("entry", number, entry)
        match = index + len(body["entries"])
        self.committed = max(self.committed, min(body["committed"], match))
        self.send(src, type="append_ok", term=self.term, match=match, behind=0)

    def on_append_ok(self, src, body):
        if self.role != "leader" or body["term"] < self.term:
            return
        if body["match"] >= 0:
            self.match[src] = max(self.match[src], body["match"])
            self.next[src] = max(self.next[src], self.match[src] + 1)
            self.commit()
        else:
            # Step back as far as it says, but never before what it is known to have.
            self.next[src] = max(self.match[src], body["behind"]) + 1
            self.send_entries(src)

    def commit(self):
        counts = sorted([len(self.log), *self.match.values()])
        agreed = counts[(len(counts) - 1) // 2]  # so many have all up to it
        if agreed > self.committed and self.log[agreed - 1][0] == self.term:
            self.committed = agreed

    def apply(self):
        while self.applied < self.committed:
            _, client, request = self.log[self.applied]
            self.applied += 1
            if request is None:
                continue
            answer = self.store.apply(client, request)
            asked = self.pending.pop(self.applied, None)
            if asked is not None and answer is not None:
                self.reply(client, request, answer)

    # Clients.

    def request(self, client, body):
        if self.role == "leader":
            if self.bug == "stale-reads" and body["type"] == "read":
                self.reply(client, body, self.store.perform(body))
                return
            self.append([self.term, client, body])
            self.pending[len(self.log)] = (client, body)
        elif self.leader is None or body.get("passed_on"):
            self.fail(client, body, UNAVAILABLE, "no leader is known")
        else:
            body["passed_on"] = True
            message = {"src": client, "dest": self.leader, "body": body}
            self.out.append(json.dumps(message) + "\n")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--bug", choices=["none", "stale-reads"], default="none")
    Node(options.parse_args().bug).run()
