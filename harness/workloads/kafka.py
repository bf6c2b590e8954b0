"""Workload kafka: logs that are appended to by `send` and read from an offset on by `poll`.

Operations (no `key`: one poll is of several logs, whose names are in the values):
`send` ([log, value] -> [log, [offset, value]]); `poll` ({log: the offset to begin at} -> {log:
[[offset, value], ...]}, ascending, as many as the node likes and none of a log without any);
`commit_offsets` ({log: offset} -> anything): processed up to and with it; `list_committed_offsets`
([log, ...] -> {log: offset}), a log without any left out.

Rules
1. Every value sent is new in the whole run, so a message that is lost, doubled or at two offsets is
   named by its value.
2. A poll says where it begins, and the generator keeps the positions: each process goes on behind
   what it has seen, and now and then begins at 0 again. So a checker knows which range a poll
   covers, and a message that is skipped or gone shows.
3. Logs rotate, a few live at once: they stay short enough to be polled as a whole, and the last of
   them are polled by every process until nothing is missing.
4. A process commits what it has polled.

Sources: the kafka workload of Maelstrom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.history import Operation
from checkers.laws import Laws
from checkers.message_logs import MessageLogs, polled_messages, sent_message
from checkers.verdict import Checker
from harness.generators import (
    PENDING,
    Answer,
    Context,
    Generator,
    Pending,
    Request,
    deferred,
    for_each_worker,
    sequence,
    time_limit,
    watch,
)
from harness.workloads.keys import FINAL_RETRY_S, FINAL_TIME_LIMIT_S, FINAL_TRIES
from harness.workloads.options import Count, Share, convert

_REWOUND = 0.1  # of polls begin at 0
_COMMITS = 0.05  # of all operations, and as many lists
_WALKED_AT_ONCE = 4  # logs in one final poll


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`logs`: how many live at once. `sends_per_log`: after which another takes its place.
    `send_share`: of all operations; most of the rest are polls. `final_logs`: how many are polled
    as a whole at the end."""

    logs: Count = 4
    sends_per_log: Count = 200
    send_share: Share = 0.5
    final_logs: Count = 100


class _Traffic(msgspec.Struct, frozen=True):
    """The main phase. `live`: logs with the number of sends to each; `opened`: how many so far;
    `retired`: the latest that are polled still, though not sent to. `behind`: by process, log and
    offset to go on at."""

    options: Options
    live: tuple[tuple[str, int], ...]
    opened: int
    retired: tuple[str, ...] = ()
    sent: int = 0
    behind: Mapping[int, Mapping[str, int]] = {}

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return PENDING, self
        worker = context.any_free()
        mine = self.behind.get(context.processes[worker], {})
        draw = context.random.random()
        request, after = self._drawn(draw, mine, context)
        return context.among((worker,)).invocation(request), after

    def _drawn(
        self, draw: float, mine: Mapping[str, int], context: Context
    ) -> tuple[Request, _Traffic]:
        if draw < self.options.send_share:
            return self._send(context)
        assigned = [*self.retired, *(log for log, _ in self.live)]
        draw -= self.options.send_share
        if draw < _COMMITS and mine:
            commits = {log: at - 1 for log, at in mine.items() if at > 0}
            return Request("commit_offsets", commits), self
        if draw < 2 * _COMMITS:
            return Request("list_committed_offsets", assigned), self
        if context.random.random() < _REWOUND:
            return Request("poll", {context.random.choice(assigned): 0}), self
        return Request("poll", {log: mine.get(log, 0) for log in assigned}), self

    def _send(self, context: Context) -> tuple[Request, _Traffic]:
        at = context.random.randrange(len(self.live))
        (log, sends), retired, opened = self.live[at], self.retired, self.opened
        entry = (log, sends + 1)
        if sends + 1 >= self.options.sends_per_log:
            entry, opened = (f"log{opened}", 0), opened + 1
            retired = (*retired, log)[-len(self.live) :]
        live = (*self.live[:at], entry, *self.live[at + 1 :])
        after = msgspec.structs.replace(
            self, live=live, opened=opened, retired=retired, sent=self.sent + 1
        )
        return Request("send", [log, self.sent]), after

    def update(self, context: Context, event: Operation) -> Generator:
        process = event.process
        assert isinstance(process, int), "generators see the events of clients only"
        ends = _ends(event)
        mine = self.behind.get(process, {})
        ends = {log: end for log, end in ends.items() if end > mine.get(log, 0)}
        if not ends:
            return self
        assigned = {*self.retired, *(log for log, _ in self.live)}
        kept = {log: at for log, at in {**mine, **ends}.items() if log in assigned}
        others = {p: at for p, at in self.behind.items() if p in context.processes}
        return msgspec.structs.replace(self, behind=others | {process: kept})


class _Acknowledged:
    """The highest acknowledged offset of each log, in the order of their last acknowledgement."""

    def __init__(self) -> None:
        self.highest: dict[str, int] = {}

    def see(self, event: Operation) -> None:
        sent = sent_message(event.value) if event.f == "send" and event.type == "ok" else None
        if sent is not None:
            log, (offset, _) = sent
            before = self.highest.pop(log, -1)
            self.highest[log] = max(offset, before)


class _Walk(msgspec.Struct, frozen=True):
    """Of one worker: polls of some logs from 0 to what was acknowledged, or until it is out of
    tries: those that brought nothing new."""

    wanted: Mapping[str, int]
    at: Mapping[str, int]
    tries: int = FINAL_TRIES
    due_ns: int = 0

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not self.tries or all(self.at[log] > end for log, end in self.wanted.items()):
            return None, self
        if context.time_ns < self.due_ns:
            return Pending(self.due_ns), self
        return context.invocation(Request("poll", dict(self.at))), self

    def update(self, context: Context, event: Operation) -> Generator:
        if event.f != "poll" or event.type == "invoke":
            return self
        ends = _ends(event)
        if any(end > self.at.get(log, end) for log, end in ends.items()):
            return msgspec.structs.replace(self, at={**self.at, **ends})
        due_ns = context.time_ns + round(FINAL_RETRY_S * 1e9)
        return msgspec.structs.replace(self, tries=self.tries - 1, due_ns=due_ns)


class Kafka:
    """See the head of this module. One object serves one run."""

    name = "kafka"
    operations = ("send", "poll", "commit_offsets", "list_committed_offsets")

    def __init__(self, options: Mapping[str, Any], _check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._acknowledged = _Acknowledged()

    def generator(self) -> Generator:
        count = self._options.logs
        live = tuple((f"log{at}", 0) for at in range(count))
        return watch(self._acknowledged.see, _Traffic(self._options, live, count))

    def final_generator(self) -> Generator:
        def of_worker(worker: int, workers: int) -> Generator:
            wanted = self._acknowledged.highest
            latest = list(reversed(wanted))[: self._options.final_logs]
            by_all, by_one = latest[: self._options.logs], latest[self._options.logs :]
            return sequence(
                *map(walk, _blocks(by_all)), *map(walk, _blocks(by_one[worker::workers]))
            )

        def walk(logs: Sequence[str]) -> Generator:
            wanted = {log: self._acknowledged.highest[log] for log in logs}
            return _Walk(wanted, dict.fromkeys(logs, 0))

        return deferred(lambda: time_limit(FINAL_TIME_LIMIT_S, for_each_worker(of_worker)))

    def checkers(self) -> Sequence[Checker]:
        coverage = Coverage(operations=self.operations, final=("poll",))
        return (MessageLogs(), Laws(), Termination(), coverage)


def _ends(event: Operation) -> dict[str, int]:
    """By log, the offset behind the last message of a poll. What is malformed is no business of
    generators: the checker names it."""
    if event.f != "poll" or event.type != "ok":
        return {}
    told = polled_messages(event.value) or {}
    return {log: messages[-1][0] + 1 for log, messages in told.items() if messages}


def _blocks(logs: Sequence[str]) -> list[Sequence[str]]:
    return [logs[at : at + _WALKED_AT_ONCE] for at in range(0, len(logs), _WALKED_AT_ONCE)]
