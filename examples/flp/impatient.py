"""A protocol of one's own, for `antipaxos explore`: the leader's bit counts, unless it takes long.

n1 decides its own bit and tells the others, who decide what they are told. Who has waited for too
long decides 0 without it. That seems to tolerate a leader that has stopped; but it cannot be told
from one that is slow, and then two values are decided:

    antipaxos explore examples/flp/impatient.py:machine     # exit code 1, with the schedule
    antipaxos explore examples/flp/impatient.py:patient     # agrees, and waits for n1 for ever
"""

from harness.machine import Deliver, Recover, Send, SetTimer, Timeout, Trace

LEADER = "n1"


class Follower:
    """Anybody; `patience_s` None: it waits for ever."""

    def __init__(self, name, peers, bit, patience_s):
        self.name, self.peers, self.bit = name, peers, bit
        self.patience_s = patience_s
        self.decided = False

    def handle(self, event, now):  # noqa: ARG002
        match event:
            case Recover() if self.name == LEADER:
                return [Send(peer, ["lead", self.bit]) for peer in self.peers] + self.decide(
                    self.bit
                )
            case Recover() if self.patience_s is not None:
                return [SetTimer("patience", self.patience_s)]
            case Deliver(message=["lead", bit]):
                return self.decide(bit)
            case Timeout("patience"):
                return self.decide(0)
        return []

    def decide(self, bit):
        if self.decided:
            return []
        self.decided = True
        return [Trace("decide", {"value": bit})]


def machine(name, peers, bit):
    return Follower(name, peers, bit, patience_s=1.0)


def patient(name, peers, bit):
    return Follower(name, peers, bit, patience_s=None)
