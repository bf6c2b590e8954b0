"""Explanations: every verdict that is not VALID is explained, by what was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.compose import check_all
from checkers.faults import FaultInterval, fault_intervals
from checkers.history import Error, History, Operation
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.verdict import Kind, Recording, Verdict, merge
from harness.report import words
from harness.report.explanations import DETAILS_MAX, explanations, leaves
from tests.harness.report_scenes import SCENES, Foreign, fault_lines, judged, numbered, recorded


def said(name: str) -> str:
    verdict, recording = judged(name)
    return "\n".join(explanations(verdict, recording)[0].sentences)


@pytest.mark.parametrize("name", SCENES)
def test_every_leaf_that_is_not_valid_is_explained_in_words_first(name: str) -> None:
    """Each kind of leaf has an explanation, which begins with what was found."""
    verdict, recording = judged(name)
    wrong = [leaf for leaf in leaves(verdict) if leaf.kind is not Kind.VALID]
    explained = explanations(verdict, recording)
    assert wrong == [e.verdict for e in explained] != []
    for leaf, explanation in zip(wrong, explained, strict=True):
        assert leaf.checker in explanation.heading
        assert leaf.kind.name in explanation.heading
        assert leaf.summary.startswith(explanation.sentences[0])


def test_leaves_come_the_worst_first_and_keep_their_order() -> None:
    """INVALID before UNKNOWN before VALID; a merged verdict shows its parts, not itself."""

    def leaf(name: str, kind: Kind) -> Verdict:
        cause: Any = "budget" if kind is Kind.UNKNOWN else None
        return Verdict(checker=name, kind=kind, summary="", cause=cause)

    inner = merge("inner", [leaf("a", Kind.VALID), leaf("b", Kind.INVALID)])
    verdict = merge("all", [leaf("c", Kind.UNKNOWN), inner, leaf("d", Kind.INVALID)])
    assert ["b", "d", "c", "a"] == [v.checker for v in leaves(verdict)]


def test_a_merged_verdict_worse_than_its_parts_is_a_leaf_too() -> None:
    """No finding may be lost between a whole and its parts."""
    part = Verdict(checker="part", kind=Kind.VALID, summary="")
    whole = Verdict(checker="whole", kind=Kind.INVALID, summary="wrong", parts=(part,))
    assert ["whole", "part"] == [v.checker for v in leaves(whole)]


def test_a_contradiction_names_the_operation_the_values_and_the_fault() -> None:
    """Which operation, which values were possible and why, which fault was in force then."""
    verdict, recording = judged("contradiction")
    explained = explanations(verdict, recording)[0]
    text = "\n".join(explained.sentences)
    assert "Operation 8, process 1: read → 1 on k" in text
    assert "the value is 2, made by operation 6 (write 2 by process 0)" in text
    assert "In force then: kill of n0" in text
    assert frozenset({8}) == explained.culprits
    assert {2, 6, 8} == {call.index for call in explained.calls}
    assert 9 == explained.end_at


def test_who_was_refused_has_only_observed() -> None:
    """A compare-and-set that failed changed nothing, whatever it tells of the state."""
    history = history_of(
        (0, "invoke", "write", 2, None),
        (0, "ok", "write", 2, None),
        (1, "invoke", "cas", [1, 3], None),
        (1, "fail", "cas", [1, 3], Error("compare-failed")),
        (2, "invoke", "read", None, None),
        (2, "ok", "read", 1, None),
    )
    recording = Recording(history=history)
    verdict = check_all([Linearizable(model("cas-register"))], recording)
    values = verdict.parts[0].evidence["contradiction"]["values"]
    told = explanations(verdict, recording)[0].sentences
    assert any("the value is 2, made by operation 0 (write 2" in sentence for sentence in told)
    values[0]["operation"] = 2  # as where nothing else tells the state
    told = explanations(verdict, recording)[0].sentences
    assert any("the value is 2, observed by operation 2 (cas [1, 3]" in s for s in told)


def history_of(*events: tuple[int, str, str, object, Error | None]) -> History:
    return History(
        [
            Operation(i, i * 1000, process, kind, f, value, error=error)  # type: ignore[arg-type]
            for i, (process, kind, f, value, error) in enumerate(events)
        ]
    )


def test_where_the_orders_begin_is_told_and_drawn() -> None:
    """Late in a long history they begin behind a read, which tells the state; and the operations
    that suffice are named."""
    verdict, recording = judged("contradiction, late")
    explained = explanations(verdict, recording)[0]
    found = verdict.parts[0].evidence["contradiction"]
    text = "\n".join(explained.sentences)
    anchor = found["start"]["operation"]
    assert f"begins behind operation {anchor} (read -> 1), which tells the state" in text
    assert f"Operations {anchor} and {found['operation']} suffice" not in text
    assert f" and {found['core'][-1]} suffice for the contradiction" in text
    assert {anchor, *found["core"]} <= {call.index for call in explained.calls}


def test_calls_that_contradict_one_another_are_each_told_and_drawn() -> None:
    """An element that was lost: the append that was acknowledged and the read that lacks it."""
    verdict, recording = judged("element lost")
    explained = explanations(verdict, recording)[0]
    assert "Operation 0, process 0: append 1" in "\n".join(explained.sentences)
    assert frozenset({0, 2}) == explained.culprits == {call.index for call in explained.calls}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("law", 'Event 2: n2 accepted at 0.000 s: ballot 1.n3, instance "k", value "v".'),
        ("law", "The law: P1a: an acceptor emits nothing below a promise it made."),
        ("agreement, learnt", 'Event 1: n2 chosen at 0.000 s: ballot 1.n1, instance "k"'),
        ("integrity", "Event 0: n1 accepted"),
        ("agreement", "Operation 1, process 1: propose 2"),
        ("validity", "propose 1 → 7"),
        ("termination", "Errors of the whole run: no-leader (1)."),
        ("budget", "Keys: 2 in all; 0 linearizable, 0 not, 2 undecided."),
        ("budget", "--check-time-limit"),
        ("coverage", "A kill was planned and never took place."),
        ("coverage", "--time-limit"),
        ("nothing succeeded", "--faults none"),
        ("checker raised", "fault of the checker"),
    ],
)
def test_evidence_is_read_out(name: str, sentence: str) -> None:
    """What the evidence points to is said in words: events, calls, gaps, and what to do."""
    assert sentence in said(name)


def test_evidence_of_unknown_shape_is_shown_as_it_is() -> None:
    """A checker of the user's may record what it likes, under the names of ours too."""
    for name in ("foreign", "foreign, odd"):
        verdict, recording = judged(name)
        (explained,) = explanations(verdict, recording)
        assert () == tuple(explained.calls)
        assert all(f'"{field}"' in explained.details for field in verdict.parts[0].evidence)


def test_details_are_bounded_and_say_so() -> None:
    """A megabyte of evidence does not become a megabyte of page."""
    verdict = Foreign({"much": "x" * 10**6}).check(Recording(history=History([])))
    details = explanations(verdict, Recording(history=History([])))[0].details
    assert len(details) < DETAILS_MAX + 100
    assert details.endswith("more characters left out)")


def test_calls_around_those_named_are_bounded() -> None:
    """A key with many calls is drawn by the latest of them."""
    recording = Recording(
        history=recorded("p0  " + " ".join(f"|-w{i}-|" for i in range(200))).history
    )
    named = [recording.history.calls()[150].index]
    verdict = Foreign({"operations": named}).check(recording)
    calls = explanations(verdict, recording)[0].calls
    assert 13 == len(calls)
    assert named == [calls[-1].index]


def intervals(*kinds: str) -> list[FaultInterval]:
    """Faults one after another, each of three milliseconds with one between."""
    return fault_intervals(numbered([o for i, k in enumerate(kinds) for o in fault_lines(i, k)]))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "expected"),
    [
        (0, 1, "In force then: kill of n0 from 0.0 s to 0.0 s (seen in effect)."),
        (3, 4, "In force then: kill of n0"),
        (8, 9, "No fault was in force then; the last, partition of n1<>n2 n1>n3, was undone 0.0 s"),
        (-2, -1, "No fault had been in force until then."),
    ],
)
def test_the_fault_in_force_is_told_by_time(start_ms: int, end_ms: int, expected: str) -> None:
    """In force is what began before the end and was undone after the start, ends included."""
    told = words.in_force(intervals("kill", "partition"), start_ms * 10**6, end_ms * 10**6)
    assert told.startswith(expected)


def test_a_fault_between_two_distant_operations_is_not_said_to_be_in_force_at_both() -> None:
    """Of a finding that spans seconds the time is told with the faults."""
    faults = intervals("kill")
    told = words.in_force(faults, -(10**9), 10**10)
    assert told.startswith("In force then: at some time from -1.000 s to 10.000 s, kill of n0")
    assert "at some time" not in words.in_force(faults, 10**6, 10**6)


def test_many_faults_in_force_are_counted_not_listed() -> None:
    """A sentence stays a sentence with fifty faults in force."""
    recording = recorded("p0  |-w1-|", faults=50)
    call = recording.history.calls()[0]
    told = words.in_force(
        fault_intervals(recording.history), call.invoke.time, call.invoke.time + 1
    )
    assert told.endswith("; and 47 more.")


def test_links_cut_both_ways_are_named_once() -> None:
    """n1<>n2 stands for both directions, n1>n3 for one."""
    (cut,) = intervals("partition")
    assert ["n1<>n2", "n1>n3"] == words.struck(cut)


@pytest.mark.parametrize("most", [10, 11, 60])
def test_clipped_texts_are_as_long_as_they_may_be(most: int) -> None:
    """clip never exceeds its bound and keeps both ends."""
    text = "a" * 50 + "z" * 50
    clipped = words.clip(text, most)
    assert most == len(clipped)
    assert clipped.startswith("a")
    assert clipped.endswith("z")


def test_a_history_without_clients_is_not_blamed_on_the_nodes() -> None:
    """Nobody asked anything, so that no node could have answered; the file has the reason."""
    empty = Recording(history=History([]))
    verdict = Verdict(checker="c", kind=Kind.UNKNOWN, cause="coverage", summary="Nothing.")
    text = " ".join(explanations(verdict, empty)[0].sentences)

    assert "The history has no call of a client." in text
    assert "nodes/" not in text
