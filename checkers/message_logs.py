"""Logs of messages at offsets, as Kafka's: nothing lost, skipped, doubled or in two places.

Rules
1. An offset of a log has one value and a value has one offset, whoever says so, an acknowledgement
   or a poll (diverged, duplicated). Values are unique in a log.
2. What is polled was sent, by a send that did not fail and began before the poll ended (invented).
3. Offsets grow: a send has a greater one than what was acknowledged, or polled, before it began
   (reordered). They may have gaps.
4. A poll answers messages in the order of their offsets, from the offset it was asked for, or
   behind all that its process has polled where it names none (disordered). It may answer as few
   messages as the node likes, but it skips none: between its first and its last, all that was
   acknowledged or polled by anybody before it began (skipped; lost, if nobody ever polled it).
5. An acknowledged message that nobody ever polled, though a poll passed over its offset, is lost,
   even to a poll that was under way when it was acknowledged: who has got a later one goes on
   behind that.
6. What checks commits is in checkers.message_commits.
7. Acknowledged messages that no poll has reached are told (`unseen`) and not judged: a node may be
   slow. Where it is all of them, or nothing was polled, that is UNKNOWN; and so it is where polls
   from before such a message were answered when all was over and healed (`withheld`): a log that
   has lost its end looks like that.

Sources: the kafka workload of Jepsen and Maelstrom (lost writes, inconsistent offsets, duplicates,
poll skips, nonmonotonic sends and polls).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from checkers.finding import Found, counted, end_of, found, invalid, listed, shown, untold, valid
from checkers.history import Call, History, HistoryError, freeze
from checkers.message_commits import wrong_commit
from checkers.set_elements import quiescence
from checkers.verdict import Recording, Verdict

Message = tuple[int, Any]  # offset, frozen value


class MessageLogs:
    """Judges `send`, `poll`, `commit_offsets` and `list_committed_offsets`: the shapes of their
    values are those of the workload kafka.

    Evidence of INVALID: `kind`, `log`, `operations`; of all others `acknowledged`, `polled`,
    `unseen`, `withheld`, numbers of messages. Raises HistoryError where a value has another shape.
    """

    name = "message-logs"

    def check(self, recording: Recording) -> Verdict:
        calls = recording.history.calls()
        logs = _logs(calls)
        for log in logs.values():
            wrong = next(log.wrong(), None)
            if wrong is not None:
                return invalid(self.name, wrong)
        wrong = wrong_commit(calls)
        if wrong is not None:
            return invalid(self.name, wrong)
        acknowledged = sum(len(log.acknowledged) for log in logs.values())
        polled = sum(len(log.polled) for log in logs.values())
        unseen = sum(
            offset not in log.polled for log in logs.values() for offset, _, _ in log.acknowledged
        )
        withheld = _withheld(recording.history, logs.values())
        numbers = {"acknowledged": acknowledged, "polled": polled, "unseen": unseen}
        numbers["withheld"] = len(withheld)
        if not polled:
            return untold(self.name, "No message was ever polled.", **numbers)
        if acknowledged and unseen == acknowledged:
            sentence = "Of the acknowledged messages none was ever polled."
            return untold(self.name, sentence, **numbers)
        if withheld:
            name, offset, send, poll = withheld[0]
            sentence = (
                f"Log {name}: offset {offset}, acknowledged in operation {send.index}, is in no "
                f"poll, though operation {poll.index} polled from before it when all was over "
                f"({counted(len(withheld), 'message')} like it)."
            )
            return untold(self.name, sentence, **numbers)
        return valid(
            self.name,
            f"{counted(polled, 'message')} polled, each at its offset, and none passed over; "
            f"{counted(unseen, 'acknowledged message')} not reached.",
            **numbers,
        )


class _Poll:
    """What one poll told of one log. `begin`: from which offset on it covers."""

    def __init__(self, call: Call, messages: list[Message], asked: int | None) -> None:
        self.call = call
        self.messages = messages
        self.asked = asked
        self.begin = messages[0][0] if asked is None and messages else (asked or 0)
        self.last = messages[-1][0] if messages else -1


class _Log:
    """One log: its sends by value, its acknowledgements, its polls by their ends."""

    def __init__(self, name: Any) -> None:
        self.name = name
        self.sends: dict[Any, Call] = {}
        self.acknowledged: list[tuple[int, Any, Call]] = []
        self.polls: list[_Poll] = []
        self.polled: dict[int, Call] = {}

    def wrong(self) -> Iterator[Found]:
        self.polls.sort(key=lambda poll: end_of(poll.call))
        for poll in self.polls:
            for offset, _ in poll.messages:
                self.polled.setdefault(offset, poll.call)
        yield from self._places()
        yield from self._sends()
        yield from self._disordered()
        yield from self._skipped()
        yield from self._lost()

    def _places(self) -> Iterator[Found]:
        """Rules 1 and 2."""
        at: dict[int, tuple[Any, Call]] = {}
        of: dict[Any, tuple[int, Call]] = {}
        seen: set[int] = set()
        claims = [(call, [(offset, value)]) for offset, value, call in self.acknowledged]
        acknowledged = len(claims)
        claims += [(poll.call, poll.messages) for poll in self.polls]
        for number, (call, messages) in enumerate(claims):
            for offset, value in messages:
                known = at.get(offset)
                if known is not None and known[0] == value and offset in seen:
                    continue  # as nearly all of what is polled: by others before
                if number >= acknowledged:
                    seen.add(offset)
                    yield from self._invented(offset, value, call)
                if known is None:
                    at[offset] = (value, call)
                elif known[0] != value:
                    yield self._diverged(offset, known, value, call)
                elsewhere = of.setdefault(value, (offset, call))
                if elsewhere[0] != offset:
                    yield self._duplicated(value, elsewhere, offset, call)

    def _invented(self, offset: int, value: Any, poll: Call) -> Iterator[Found]:
        send = self.sends.get(value)
        said = f"operation {poll.index} polled {shown(value)} at offset {offset}"
        if send is None:
            yield self._found("invented", f"{said}, which nobody sent", (poll,))
        elif send.outcome == "fail":
            why = f"{said}, whose send, operation {send.index}, definitely failed"
            yield self._found("invented", why, (send, poll))
        elif send.index > end_of(poll):
            why = f"{said}, before operation {send.index} sent it"
            yield self._found("invented", why, (poll, send))

    def _diverged(self, offset: int, known: tuple[Any, Call], value: Any, call: Call) -> Found:
        why = (
            f"offset {offset} has the value {shown(known[0])} by operation {known[1].index} and "
            f"{shown(value)} by operation {call.index}"
        )
        return self._found("diverged", why, (known[1], call))

    def _duplicated(self, value: Any, known: tuple[int, Call], offset: int, call: Call) -> Found:
        why = (
            f"{shown(value)} is at offset {known[0]} by operation {known[1].index} and at "
            f"{offset} by operation {call.index}"
        )
        return self._found("duplicated", why, (known[1], call))

    def _sends(self) -> Iterator[Found]:
        """Rule 3. What a poll has shown had been sent, too."""
        known = [(end_of(call), offset, call) for offset, _, call in self.acknowledged]
        known += [(end_of(p.call), p.last, p.call) for p in self.polls if p.messages]
        known.sort(key=lambda entry: entry[0])
        at = 0
        highest: tuple[int, Call | None] = (-1, None)
        for offset, _, call in sorted(self.acknowledged, key=lambda sent: sent[2].index):
            while at < len(known) and known[at][0] < call.index:
                if known[at][1] > highest[0]:
                    highest = known[at][1:]
                at += 1
            if highest[1] is not None and offset < highest[0]:
                why = (
                    f"operation {call.index} was given offset {offset}, though operation "
                    f"{highest[1].index} had returned with {highest[0]} before it began"
                )
                yield self._found("reordered", why, (highest[1], call))

    def _disordered(self) -> Iterator[Found]:
        """Rule 4, of each poll by itself and behind those of its process."""
        behind: dict[Any, tuple[int, Call]] = {}
        for poll in self.polls:
            offsets = [offset for offset, _ in poll.messages]
            if not offsets:
                continue
            if any(a >= b for a, b in pairwise(offsets)):
                why = f"operation {poll.call.index} polled offsets {listed(offsets)}, out of order"
                yield self._found("disordered", why, (poll.call,))
            if poll.asked is not None:
                if offsets[0] < poll.asked:
                    why = (
                        f"operation {poll.call.index} polled from offset {poll.asked} on and was "
                        f"given {offsets[0]}"
                    )
                    yield self._found("disordered", why, (poll.call,))
                continue
            last, earlier = behind.get(poll.call.invoke.process, (-1, poll.call))
            if offsets[0] <= last:
                why = (
                    f"process {poll.call.invoke.process} polled offset {offsets[0]} in operation "
                    f"{poll.call.index}, behind {last} in operation {earlier.index}"
                )
                yield self._found("disordered", why, (earlier, poll.call))
            behind[poll.call.invoke.process] = (offsets[-1], poll.call)

    def _skipped(self) -> Iterator[Found]:
        """Rule 4: `due` has the offsets that a poll which begins now must not pass over."""
        known = [(end_of(call), offset, call) for offset, _, call in self.acknowledged]
        known += [(end_of(call), offset, call) for offset, call in self.polled.items()]
        known.sort(key=lambda entry: entry[0])
        due: list[int] = []
        origin: dict[int, Call] = {}
        at = 0
        for poll in sorted(self.polls, key=lambda poll: poll.call.index):
            while at < len(known) and known[at][0] < poll.call.index:
                _, offset, call = known[at]
                if offset not in origin:
                    insort(due, offset)
                    origin[offset] = call
                at += 1
            there = {offset for offset, _ in poll.messages}
            passed = due[bisect_left(due, poll.begin) : bisect_right(due, poll.last)]
            for offset in passed:
                if offset not in there:
                    yield self._passed_over(poll, offset, origin[offset])

    def _passed_over(self, poll: _Poll, offset: int, origin: Call) -> Found:
        seen = self.polled.get(offset)
        kind = "lost" if seen is None else "skipped"
        what = "acknowledged" if origin.f == "send" else "polled"
        end = "nobody ever polled it" if seen is None else f"operation {seen.index} polled it"
        why = (
            f"operation {poll.call.index} polled up to offset {poll.last} without {offset}, which "
            f"had been {what} in operation {origin.index} before it began; {end}"
        )
        calls = [origin, poll.call] + ([] if seen is None else [seen])
        return self._found(kind, why, calls)

    def _lost(self) -> Iterator[Found]:
        """Rule 5: the ranges that polls covered, joined."""
        ranges = sorted((poll.begin, poll.last, poll.call.index) for poll in self.polls)
        by_index = {poll.call.index: poll.call for poll in self.polls}
        at, covered, by = 0, -1, -1
        for offset, _, send in sorted(self.acknowledged, key=lambda sent: sent[0]):
            while at < len(ranges) and ranges[at][0] <= offset:
                if ranges[at][1] > covered:
                    _, covered, by = ranges[at]
                at += 1
            if offset < covered and offset not in self.polled:
                why = (
                    f"offset {offset} was acknowledged in operation {send.index} and nobody ever "
                    f"polled it, though operation {by} polled from before it up to {covered}"
                )
                yield self._found("lost", why, (send, by_index[by]))

    def _found(self, kind: str, why: str, calls: Sequence[Call]) -> Found:
        return found(kind, f"Log {self.name}: {why}.", calls, log=self.name)


def _logs(calls: Sequence[Call]) -> dict[Any, _Log]:
    logs: dict[Any, _Log] = {}

    def log_of(name: Any) -> _Log:
        # A poll's names are those of a JSON object: a log that is sent to as 1 is polled as "1".
        frozen = str(name) if type(name) is int else freeze(name)
        return logs.get(frozen) or logs.setdefault(frozen, _Log(name))

    for call in calls:
        if call.f == "send":
            name, value = _pair(call, call.input)
            log = log_of(name)
            held = log.sends.setdefault(freeze(value), call)
            if held.outcome == "fail":
                log.sends[freeze(value)] = call
            if call.outcome == "ok":
                sent = sent_message(call.output)
                if sent is None:
                    raise _unreadable(call, call.output, "[log, [offset, value]]")
                log.acknowledged.append((*sent[1], call))
        elif call.f == "poll" and call.outcome == "ok":
            told = polled_messages(call.output)
            if told is None:
                raise _unreadable(call, call.output, "{log: [[offset, value], ...], ...}")
            asked = call.input if isinstance(call.input, dict) else {}
            for name in {**asked, **told}:
                begin = asked.get(name)
                poll = _Poll(call, told.get(name, []), begin if type(begin) is int else None)
                log_of(name).polls.append(poll)
    return logs


def _withheld(history: History, logs: Iterable[_Log]) -> list[tuple[Any, int, Call, Call]]:
    """Rule 7: log, offset, its send, and the last poll that should have come upon it."""
    calm = quiescence(history, ("send",))
    if calm is None:
        return []
    missed: list[tuple[Any, int, Call, Call]] = []
    for log in logs:
        late = [p for p in log.polls if p.asked is not None and p.call.index > calm[0]]
        for offset, _, send in log.acknowledged:
            if offset in log.polled:
                continue
            polls = [p.call for p in late if p.asked is not None and p.asked <= offset]
            if polls:
                missed.append((log.name, offset, send, polls[-1]))
    return missed


def sent_message(value: Any) -> tuple[Any, Message] | None:
    """The log and the message that an acknowledged send names; None for another shape."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    message = _message(value[1])
    return None if message is None else (value[0], message)


def polled_messages(value: Any) -> dict[str, list[Message]] | None:
    """The messages of a poll, by log; None for another shape."""
    if not isinstance(value, dict):
        return None
    told: dict[str, list[Message]] = {}
    for name, messages in value.items():
        if not isinstance(messages, list | tuple):
            return None
        read = [_message(message) for message in messages]
        told[name] = [message for message in read if message is not None]
        if len(told[name]) < len(read):
            return None
    return told


def _message(value: Any) -> Message | None:
    if not isinstance(value, list | tuple) or len(value) != 2 or type(value[0]) is not int:
        return None
    body = value[1]
    return value[0], body if type(body) is int or type(body) is str else freeze(body)


def _pair(call: Call, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _unreadable(call, value, "[log, value]")
    return value[0], value[1]


def _unreadable(call: Call, value: Any, expected: str) -> HistoryError:
    return HistoryError(call.index, f"{call.f!r} has the value {value!r}", f"Expected {expected}.")
