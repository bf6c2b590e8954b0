"""Termination of single instances: one that starves while others are served, and what is none."""

from __future__ import annotations

from typing import Any

from checkers.consensus import STARVING_S, STARVING_TRIES, Termination
from checkers.history import History, Operation
from checkers.verdict import Kind, Recording, Verdict

SECOND = 1_000_000_000

# (seconds, node, key, type): a propose that begins and ends
Line = tuple[float, str, str, str]


def judged(*lines: Line, f: str = "propose", healed_s: float = 2.0) -> Verdict:
    """Of calls of 1.9 s each, by their beginnings; the only fault is over at `healed_s`."""
    moments: list[tuple[float, dict[str, Any]]] = []
    for place, (at_s, node, key, outcome) in enumerate(lines):
        call = {"process": place, "node": node, "key": key, "f": f, "value": place}
        moments.append((at_s, {**call, "type": "invoke"}))
        moments.append((at_s + 1.9, {**call, "type": outcome}))
    for at_s, what, more in (
        (0.1, "kill", {}),
        (0.2, "kill", {"applied": {}, "in_effect": True}),
        (healed_s - 0.1, "restart", {}),
        (healed_s, "restart", {"in_effect": True}),
    ):
        value = {"id": 1, "intended": {}, **more}
        moments.append((at_s, {"process": "nemesis", "type": "info", "f": what, "value": value}))
    moments.sort(key=lambda moment: moment[0])
    operations = [
        Operation(index=index, time=round(at_s * SECOND), **fields)
        for index, (at_s, fields) in enumerate(moments)
    ]
    recording = Recording(history=History(operations), nodes=("n1", "n2", "n3"))
    return Termination().check(recording)


IN_VAIN: list[Line] = [(3 + 2 * n, "n1", "a", "info") for n in range(STARVING_TRIES)]
SERVED: Line = (3 + STARVING_S, "n1", "b", "ok")


def test_t3_an_instance_that_starves_at_a_node_that_serves_others() -> None:
    """It is INVALID whatever else succeeds, and names the key, the node and the tries."""
    verdict = judged(*IN_VAIN, SERVED)
    assert Kind.INVALID is verdict.kind
    assert ("'a'", "n1") == (verdict.evidence["key"], verdict.evidence["node"])
    assert STARVING_TRIES == len(verdict.evidence["operations"])
    assert verdict.summary.startswith("Nothing was decided for 'a': n1 was asked 3 times in 5.9 s")


def test_an_instance_that_got_an_answer_anywhere_does_not_starve() -> None:
    """The value is chosen then; that one node is slow to learn it is not judged here."""
    assert Kind.VALID is judged(*IN_VAIN, SERVED, (4, "n2", "a", "ok")).kind
    assert Kind.VALID is judged(*IN_VAIN[:-1], (7, "n1", "a", "ok"), SERVED).kind


def test_a_node_that_serves_nobody_any_more_proves_nothing() -> None:
    """It may have died of itself, or be lost: that the cluster goes on is what counts."""
    early = (SERVED[0] - 0.1, *SERVED[1:])
    elsewhere = (SERVED[0], "n2", "b", "ok")
    assert Kind.VALID is judged(*IN_VAIN, early).kind
    assert Kind.VALID is judged(*IN_VAIN, elsewhere).kind


def test_patience_has_a_length_and_a_number_of_tries() -> None:
    """A run that ends early, and one with few long tries, tell nothing of an instance."""
    assert Kind.VALID is judged(*IN_VAIN[:-1], (6, "n1", "a", "info"), SERVED).kind
    assert Kind.VALID is judged(IN_VAIN[0], IN_VAIN[-1], SERVED).kind


def test_tries_under_the_fault_do_not_count() -> None:
    """Only the healed system owes progress."""
    assert Kind.VALID is judged(*IN_VAIN, SERVED, healed_s=4.0).kind


def test_only_instances_of_consensus_starve() -> None:
    """Where clients write to registers a key is no instance, and has no share of its own."""
    assert Kind.VALID is judged(*IN_VAIN, SERVED, f="write").kind
