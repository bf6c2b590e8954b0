"""Workload queue: enqueue and dequeue on rotating keys, linearizable; drained at the end.

Operations: `enqueue` (an element, not null -> anything), `dequeue` (null -> the element taken, null
if the queue was empty).

Rules
1. Every element enqueued on a key is new there, so one that comes twice or never is named.
2. After healing each key is dequeued by one worker until it is empty: what is lost is what did not
   come. A queue that is never seen empty shows nothing lost, so the drain is tried again and again.
3. A dequeue of unknown outcome may have taken any element. Few of them, and few operations on a
   key, keep the search of an unordered queue cheap: each may explain the loss of one element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.history import Operation
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import FifoQueue, UnorderedQueue
from checkers.queue_elements import QueueElements
from checkers.verdict import Checker
from harness.generators import Answer, Context, Generator, Pending, Request, generate
from harness.workloads.keys import (
    FINAL_RETRY_S,
    FINAL_TRIES,
    KeyOptions,
    UsedKeys,
    each_key_by_one,
    rotating,
)
from harness.workloads.options import Count, Share, convert


class Options(KeyOptions, frozen=True, kw_only=True):
    """`order`: does the queue promise first in, first out? `enqueue_share`: of all operations; the
    rest are dequeues."""

    keys_quick: Count = 2
    operations_per_key: Count = 60
    unknown_per_key: Count = 4
    order: Literal["fifo", "unordered"] = "fifo"
    enqueue_share: Share = 0.5


class Queue:
    """See the head of this module. One object serves one run."""

    name = "queue"
    operations = ("enqueue", "dequeue")

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()

    def generator(self) -> Generator:
        enqueue_share = self._options.enqueue_share

        def make(n: int, context: Context) -> Request:
            enqueues = context.random.random() < enqueue_share
            return Request("enqueue", n) if enqueues else Request("dequeue")

        return rotating(lambda _key: generate(make), self._options, self._used)

    def final_generator(self) -> Generator:
        most = self._options.operations_per_key
        return each_key_by_one(self._used, self._options, lambda key: _Drain(key, most))

    def checkers(self) -> Sequence[Checker]:
        model = FifoQueue() if self._options.order == "fifo" else UnorderedQueue()
        return (
            QueueElements(),
            Linearizable(model, Budget(time_s=self._check_time_limit_s)),
            Laws(),
            Termination(),
            Coverage(operations=self.operations, final=("dequeue",)),
        )


class _Drain(msgspec.Struct, frozen=True):
    """Dequeues of one key until it is empty; of one worker. `left`: elements that may still come;
    `tries`: answers other than ok that it puts up with."""

    key: str
    left: int
    tries: int = FINAL_TRIES
    due_ns: int = 0

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if self.left < 0 or not self.tries:
            return None, self
        if context.time_ns < self.due_ns:
            return Pending(self.due_ns), self
        return context.invocation(Request("dequeue", key=self.key)), self

    def update(self, context: Context, event: Operation) -> Generator:
        if event.type == "invoke" or event.key != self.key:
            return self
        if event.type == "ok":
            left = -1 if event.value is None else self.left - 1
            return msgspec.structs.replace(self, left=left)
        due_ns = context.time_ns + round(FINAL_RETRY_S * 1e9)
        return msgspec.structs.replace(self, tries=self.tries - 1, due_ns=due_ns)
