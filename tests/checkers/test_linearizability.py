"""The linearizability checker: keys, budgets, evidence, and what is no verdict."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.budget import Budget
from checkers.history import History, HistoryError, Operation
from checkers.linearizability import Linearizable, check_linearizability
from checkers.models import Register, model
from checkers.notation import parse
from checkers.verdict import Kind, Recording


def test_equal_times_are_ordered_by_the_journal() -> None:
    """The index is authoritative: at one time stamp an ok before an invoke is before it."""
    lines = [
        ("invoke", "write", 1),
        ("ok", "write", None),
        ("invoke", "read", None),
        ("ok", "read", None),
    ]
    operations = [
        Operation(index=i, time=0, process=0, type=kind, f=f, value=value)  # type: ignore[arg-type]
        for i, (kind, f, value) in enumerate(lines)
    ]

    assert Kind.INVALID is check_linearizability(History(operations), Register()).kind


def test_a_history_without_results_is_not_valid() -> None:
    """A check that judged nothing is UNKNOWN for want of coverage."""
    for history in (History([]), parse("p0 |-w1-?"), parse("p0 |-w1-!"), parse("p0 |-r-?")):
        verdict = check_linearizability(history, Register())

        assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)


def test_a_foreign_operation_is_refused_by_name() -> None:
    """The history's author is told which operation the model cannot read."""
    with pytest.raises(HistoryError, match="operation 2"):
        check_linearizability(parse("p0 |-w1-| |-a2-|"), Register())


def test_keys_are_judged_on_their_own() -> None:
    """One wrong key is found among right ones, and all wrong ones are named."""
    right = "p0 |-w1@{k}-| |-r1@{k}-|"
    wrong = "p0 |-w1@{k}-| |-r2@{k}-|"
    lines = [right, wrong, right, wrong]
    picture = "\n".join(
        line.replace("p0", f"p{i}").replace("{k}", f"k{i}") for i, line in enumerate(lines)
    )

    verdict = check_linearizability(parse(picture), Register())

    assert Kind.INVALID is verdict.kind
    assert {"total": 4, "linearizable": 2, "refuted": ["k1", "k3"]} == verdict.evidence["keys"]
    assert "k1" == verdict.evidence["contradiction"]["key"]
    assert verdict.summary.startswith("Key k1: read -> 2 by process 1")


def test_a_contradiction_tells_what_was_possible_and_why_not() -> None:
    """The evidence follows the schema at the head of explain.py, down to the indices."""
    history = parse(
        """
        p0 |-w1-|
        p1        |-w2-|
        p2        |---w3---|
        p3                   |-r1-|
        """
    )

    verdict = check_linearizability(history, Register())

    found: dict[str, Any] = verdict.evidence["contradiction"]
    assert (6, 7, 7) == (found["operation"], found["completion"], found["known_with"])
    assert (3, "read -> 1", 4) == (found["process"], found["describe"], found["calls"])
    values = {(v["state"], v["operation"], v["describe"]) for v in found["values"]}
    assert values == {("the value is 2", 2, "write 2"), ("the value is 3", 3, "write 3")}
    assert found["complete"]
    for partial in found["partial"]:
        assert partial["order"][0] == 0
        assert set(partial["order"]) == {0, 2, 3}
        assert partial["pending"] == []
        assert partial["reason"] == f"read -> 1, but {partial['state']}"
        assert partial["fits"] == {"after": 0, "until": partial["order"][1]}
    assert [0, 2, 3, 6] == found["window"]
    assert (
        "read -> 1 by process 3 (operation 6) cannot be placed: by then, in every order, the value"
    ) in verdict.summary
    assert "it would have fitted after operation 0 (write 1)" in verdict.summary


def test_the_shortest_failing_prefix_may_end_with_another_outcome() -> None:
    """What could explain a call may be ruled out later: here by the fail of the only write."""
    history = parse(
        """
        p0 |---w1--------!
        p1     |-r1-|
        p2                  |-w2-|
        """
    )

    verdict = check_linearizability(history, Register())

    found = verdict.evidence["contradiction"]
    assert (1, 2, 3) == (found["operation"], found["completion"], found["known_with"])


def hard() -> History:
    """Sixty crashed additions of different powers of two, and a sum that none can make."""
    lines = [f"p{i} |-add {2**i}-?" for i in range(1, 61)]
    lines.append("p0                  |-r1-|")
    return parse("\n".join(lines))


@pytest.mark.parametrize("budget", [Budget(time_s=0.0), Budget(time_s=None, configurations=500)])
def test_a_spent_budget_is_unknown(budget: Budget) -> None:
    """Time and memory: never VALID, never INVALID, and the reason is told."""
    verdict = check_linearizability(hard(), model("counter"), budget)

    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)
    assert budget.reason in verdict.summary
    assert 0 < verdict.evidence["unfinished"][0]["of"]


def test_no_time_is_not_valid_however_easy_it_is() -> None:
    """A timeout never means VALID."""
    verdict = check_linearizability(parse("p0 |-w1-|"), Register(), Budget(time_s=0.0))

    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)


def test_a_hard_key_does_not_hide_a_wrong_one() -> None:
    """Keys take turns: the contradiction is found though the first key would take for ever."""
    lines = [f"p{i} |-add {2**i}@hard-?" for i in range(1, 25)]
    lines.append("p0                     |-r1@hard-|  |-r7@wrong-|")

    verdict = check_linearizability(
        parse("\n".join(lines)), model("counter"), Budget(time_s=None, configurations=10**6)
    )

    assert Kind.INVALID is verdict.kind, verdict.summary
    assert "wrong" == verdict.evidence["contradiction"]["key"]


def test_a_contradiction_that_the_verifier_cannot_confirm_ends_within_its_budget() -> None:
    """Also without a limit of time: fourteen crashed additions are too much for it, and there are
    no more operations that would tell more."""
    lines = [f"p{i} |-add {2**i}-?" for i in range(1, 15)]
    history = parse("\n".join([*lines, "p0                  |-r1-|"]))

    verdict = check_linearizability(
        history, model("counter"), Budget(time_s=None, configurations=500)
    )

    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)
    assert "more than 500 configurations" in verdict.summary


def test_the_budget_of_a_checker_begins_with_the_check() -> None:
    """A checker is made before the run; what the run takes is not the checker's time."""
    budget = Budget(time_s=None, configurations=500)
    assert budget.spent(held=501)

    verdict = Linearizable(Register(), budget).check(Recording(history=parse("p0 |-w1-|")))

    assert Kind.VALID is verdict.kind


def test_a_witness_is_given_on_request_only() -> None:
    """It is as long as the history."""
    history = parse("p0 |-w1-| |-r1-|")

    assert "witness" not in check_linearizability(history, Register()).evidence
    asked = check_linearizability(history, Register(), witness=True)
    assert [{"key": None, "order": [0, 2]}] == asked.evidence["witness"]


def test_a_limit_below_zero_is_refused() -> None:
    """A budget that cannot be is a slip of the caller."""
    with pytest.raises(ValueError, match="time_s"):
        Budget(time_s=-1.0)
