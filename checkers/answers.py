"""Answers that are right or wrong by themselves: echoes and unique identifiers.

Rules
1. An echo is what was sent, as JSON: 1 is not true, and the order of members does not matter.
2. No identifier is given out twice, to whomever, whenever. One whose answer was lost is nobody's.

Sources: the echo and unique-ids workloads of Maelstrom.
"""

from __future__ import annotations

from checkers.finding import counted, found, invalid, shown, untold, valid
from checkers.history import Call, freeze
from checkers.verdict import Recording, Verdict


class Echoed:
    """Judges `echo` (any value -> the same). Evidence: `kind` changed, `operations`."""

    name = "echoed"

    def check(self, recording: Recording) -> Verdict:
        answers = _answers(recording, "echo")
        for call in answers:
            if freeze(call.input) != freeze(call.output):
                sentence = (
                    f"Operation {call.index} sent {shown(call.input)} and was answered "
                    f"{shown(call.output)}."
                )
                return invalid(self.name, found("changed", sentence, (call,)))
        if not answers:
            return untold(self.name, "Nothing was ever echoed.")
        return valid(self.name, f"{counted(len(answers), 'echo')}, none of them changed.")


class UniqueIds:
    """Judges `generate` (null -> an identifier, any JSON value but null).

    Evidence: `kind` (repeated, absent), `id`, `operations`.
    """

    name = "unique-ids"

    def check(self, recording: Recording) -> Verdict:
        given: dict[object, Call] = {}
        for call in _answers(recording, "generate"):
            if call.output is None:
                sentence = f"Operation {call.index} was given no identifier at all."
                return invalid(self.name, found("absent", sentence, (call,)))
            earlier = given.setdefault(freeze(call.output), call)
            if earlier is not call:
                sentence = (
                    f"The identifier {shown(call.output)} was given out twice, by operations "
                    f"{earlier.index}{_at(earlier)} and {call.index}{_at(call)}."
                )
                wrong = found("repeated", sentence, (earlier, call), id=repr(call.output))
                return invalid(self.name, wrong)
        if not given:
            return untold(self.name, "No identifier was ever given out.")
        return valid(self.name, f"{counted(len(given), 'identifier')}, no two alike.")


def _answers(recording: Recording, f: str) -> list[Call]:
    return [c for c in recording.history.calls() if c.f == f and c.outcome == "ok"]


def _at(call: Call) -> str:
    return f" ({call.invoke.node})" if call.invoke.node else ""
