"""Agreement, validity, integrity, termination: what each refuses, and the nearest it accepts."""

from __future__ import annotations

import json

from checkers.consensus import CONSENSUS, Agreement, Integrity, Termination, Validity
from checkers.history import History, Operation
from checkers.trace import TraceEvent
from checkers.verdict import Checker, Kind, Recording, Verdict

SECOND = 1_000_000_000


def op(index: int, line: str) -> Operation:
    """One line, 'process type f value': a second after the one before it, on key r1, node nP."""
    process, type_, f, value = line.split(maxsplit=3)
    at = {"index": index, "time": index * SECOND, "type": type_, "f": f}
    if process == "nemesis":
        return Operation(process=process, value=json.loads(value), **at)
    return Operation(
        process=int(process), value=json.loads(value), key="r1", node=f"n{process}", **at
    )


def recording(*lines: str, trace: tuple[TraceEvent, ...] = ()) -> Recording:
    operations = [op(index, line) for index, line in enumerate(lines)]
    return Recording(history=History(operations), trace=trace, nodes=("n1", "n2", "n3"))


def judge(checker: Checker, *lines: str, trace: tuple[TraceEvent, ...] = ()) -> Verdict:
    return checker.check(recording(*lines, trace=trace))


def chosen(node: str, value: object, instance: object = "r1") -> TraceEvent:
    return TraceEvent(0, node, "chosen", instance=instance, value=value)  # type: ignore[arg-type]


PROPOSED = ("1 invoke propose 1", "2 invoke propose 2", "1 ok propose 1")


def test_t2_agreement_all_clients_see_one_value() -> None:
    """Two answers with two values are two decisions."""
    assert Kind.INVALID is judge(Agreement(), *PROPOSED, "2 ok propose 2").kind
    assert Kind.VALID is judge(Agreement(), *PROPOSED, "2 ok propose 1").kind
    reads = "3 invoke read null", "3 ok read 2"
    assert judge(Agreement(), *PROPOSED, *reads).evidence["operations"] == [0, 3]


def test_a_read_of_nothing_is_no_decision() -> None:
    """A node that has learnt nothing says null, at any time; false is a value and not 0."""
    null = "3 invoke read null", "3 ok read null"
    assert Kind.VALID is judge(Agreement(), *PROPOSED, *null).kind
    zero = "1 invoke propose 0", "1 ok propose 0", "2 invoke read null", "2 ok read false"
    assert Kind.INVALID is judge(Agreement(), *zero).kind


def test_unknown_outcomes_decide_nothing() -> None:
    """A propose that timed out has seen no decision."""
    verdict = judge(Agreement(), "1 invoke propose 1", "1 info propose 2")

    assert (verdict.kind, verdict.cause) == (Kind.UNKNOWN, "coverage")


def test_t2_agreement_learners_see_what_clients_see() -> None:
    """Nodes agree among themselves and with the answers they give."""
    assert Kind.INVALID is judge(Agreement(), trace=(chosen("n1", "a"), chosen("n2", "b"))).kind
    assert Kind.INVALID is judge(Agreement(), *PROPOSED, trace=(chosen("n1", 2),)).kind
    assert Kind.VALID is judge(Agreement(), *PROPOSED, trace=(chosen("n1", 1),)).kind
    others = (chosen("n1", "a", 4), chosen("n2", "b", 5))
    assert Kind.VALID is judge(Agreement(), *PROPOSED, trace=others).kind


def test_a_trace_may_name_values_by_ids_of_its_own() -> None:
    """An id that is no proposed value cannot be compared with one."""
    assert Kind.VALID is judge(Agreement(), *PROPOSED, trace=(chosen("n1", "id-7"),)).kind


def test_t2_validity_only_proposed_values() -> None:
    """Not an invented value."""
    assert Kind.INVALID is judge(Validity(), "1 invoke propose 1", "1 ok propose 3").kind
    assert Kind.VALID is judge(Validity(), "1 invoke propose 1", "1 ok propose 1").kind
    assert Kind.INVALID is judge(Validity(), "1 invoke read null", "1 ok read 3").kind


def test_validity_takes_unknown_outcomes_and_not_failures() -> None:
    """What timed out may have been proposed; what definitely failed was not."""
    read = "2 invoke read null", "2 ok read 1"
    assert Kind.VALID is judge(Validity(), "1 invoke propose 1", "1 info propose 1", *read).kind
    assert Kind.VALID is judge(Validity(), "1 invoke propose 1", *read).kind
    failed = judge(Validity(), "1 invoke propose 1", "1 fail propose 1", *read)
    assert (failed.kind, failed.evidence["operations"]) == (Kind.INVALID, [2, 0])


def test_validity_a_value_is_proposed_before_it_is_seen() -> None:
    """A decision cannot come from a later propose; from a concurrent one it can."""
    late = "1 invoke read null", "1 ok read 1", "2 invoke propose 1", "2 ok propose 1"
    assert Kind.INVALID is judge(Validity(), *late).kind
    concurrent = "1 invoke read null", "2 invoke propose 1", "1 ok read 1", "2 ok propose 1"
    assert Kind.VALID is judge(Validity(), *concurrent).kind


def test_t2_integrity_what_is_learnt_was_chosen_and_stays() -> None:
    """By a majority of distinct acceptors at one ballot."""
    alive = tuple(TraceEvent(0, node, "restart") for node in ("n1", "n2", "n3"))
    votes = tuple(
        TraceEvent(0, node, "accepted", ballot=(1, "n1"), instance="r1", value="a")
        for node in ("n1", "n2")
    )
    assert Kind.VALID is judge(Integrity(), trace=(*alive, *votes, chosen("n3", "a"))).kind
    assert Kind.INVALID is judge(Integrity(), trace=(*alive, votes[0], chosen("n3", "a"))).kind
    assert Kind.UNKNOWN is judge(Integrity(), trace=votes).kind


BROKEN = (
    'nemesis info kill {"id": 1, "intended": {}}',
    'nemesis info kill {"id": 1, "applied": {}, "in_effect": true}',
)
HEALED = ('nemesis info restart {"id": 1}', 'nemesis info restart {"id": 1, "applied": {}}')


def test_t3_termination_something_succeeds_on_the_healed_system() -> None:
    """One success is progress; none is not, and the numbers are told."""
    tries = "3 invoke read null", "3 info read null", "4 invoke read null"
    stuck = judge(Termination(), *PROPOSED, *BROKEN, *HEALED, *tries, "4 fail read null")
    moving = judge(Termination(), *PROPOSED, *BROKEN, *HEALED, *tries, "4 ok read 1")
    numbers = "0 ok, 1 fail and 1 info of 2 operations in 4.0 s after the last fault was undone"

    assert Kind.INVALID is stuck.kind
    assert f"{numbers}; no success on n3, n4." == stuck.summary
    assert (moving.kind, moving.evidence["silent_nodes"]) == (Kind.VALID, ["n3"])


def test_t3_termination_to_read_null_is_no_progress() -> None:
    """A node without a majority can always say that it has learnt nothing: the proposals of a
    healed system are what must end. Where none was made, nothing is owed."""
    lonely = "3 invoke propose 3", "4 invoke read null", "4 ok read null", "3 info propose 3"
    idle = "3 invoke read null", "3 ok read null", "4 invoke read null", "4 info read null"
    register = "1 invoke write 1", "1 ok write 1", *BROKEN, *HEALED, *idle

    assert Kind.INVALID is judge(Termination(), *PROPOSED, *BROKEN, *HEALED, *lonely).kind
    assert Kind.UNKNOWN is judge(Termination(), *PROPOSED, *BROKEN, *HEALED, *idle).kind
    assert Kind.UNKNOWN is judge(Termination(), *PROPOSED, *BROKEN, *HEALED, *idle[:2]).kind
    assert Kind.VALID is judge(Termination(), *register).kind


def test_termination_asks_nothing_of_nodes_that_are_lost() -> None:
    """A node that does not run on a damaged disk is right: where all clients happened to be at such
    nodes nothing was tried. Elsewhere the others' silence still tells."""
    final = '"intended": {"final": true}'
    heal = "{" + final + ', "observed": {"lost": ["n3"]}, "in_effect": true}'
    healed = (*HEALED, "nemesis info heal {" + final + "}", f"nemesis info heal {heal}")
    lonely = "3 invoke propose 3", "3 fail propose 3", "3 invoke propose 4", "3 fail propose 4"
    silent = *lonely, "4 invoke propose 5", "4 fail propose 5"

    untold = judge(Termination(), *PROPOSED, *BROKEN, *healed, *lonely)
    stuck = judge(Termination(), *PROPOSED, *BROKEN, *healed, *silent)
    moving = judge(
        Termination(), *PROPOSED, *BROKEN, *healed, *lonely, "4 invoke propose 5", "4 ok propose 1"
    )

    assert Kind.UNKNOWN is untold.kind
    assert "but on what is lost: n3." in untold.summary
    assert (Kind.INVALID, ["n4"]) == (stuck.kind, stuck.evidence["silent_nodes"])
    assert Kind.VALID is moving.kind


def test_t28_success_under_the_fault_is_no_sign_of_health() -> None:
    """Only what was invoked after the undoing had completed counts."""
    before = (*PROPOSED, *BROKEN, "3 invoke read null", *HEALED, "3 ok read 1")
    assert Kind.UNKNOWN is judge(Termination(), *before).kind


def test_termination_of_a_system_that_was_never_healed_is_unknown() -> None:
    """No promise of progress holds while a fault lasts; the first line of an undoing undoes
    nothing yet."""
    read = "3 invoke read null", "3 info read null"
    assert Kind.UNKNOWN is judge(Termination(), *PROPOSED, *BROKEN, *read).kind
    assert Kind.UNKNOWN is judge(Termination(), *PROPOSED, *BROKEN, HEALED[0], *read).kind


def test_a_system_on_which_nothing_ever_succeeded_is_unknown() -> None:
    """What never worked was most likely never set up: no verdict on the system."""
    tries = "1 invoke read null", "1 info read null", "2 invoke read null", "2 info read null"
    assert Kind.UNKNOWN is judge(Termination(), *tries).kind
    assert Kind.VALID is judge(Termination(), *PROPOSED).kind


def test_termination_of_a_run_that_was_cut_short_is_unknown() -> None:
    """A system is given time to find a leader: two seconds of silence prove nothing."""
    tries = "1 invoke read null", "1 info read null", "2 invoke read null"
    assert Kind.UNKNOWN is judge(Termination(), *tries).kind


def test_the_consensus_checkers_have_four_names() -> None:
    """One for each part of the problem's statement."""
    assert [c.name for c in CONSENSUS] == ["agreement", "validity", "integrity", "termination"]
