"""The notation: what pictures mean, and that drawing and reading agree."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import Call, Error, History, HistoryError, Operation, freeze
from checkers.notation import NotationError, draw, label, parse
from checkers.notation.grammar import RETURN_NOTHING


def only_call(interval: str) -> Call:
    """The call of a picture with one interval."""
    (call,) = parse(f"p0 {interval}").calls()
    return call


def test_columns_are_the_order_of_events() -> None:
    """Rule 1: events are ordered by column, and index and time count them."""
    history = parse(
        """
        p0  |--w1--|
        p1     |-w2----- ...
        p2            |-r0-|
        """
    )

    assert [(o.index, o.time, o.process, o.type, o.f, o.value) for o in history] == [
        (0, 0, 0, "invoke", "write", 1),
        (1, 1, 1, "invoke", "write", 2),
        (2, 2, 0, "ok", "write", None),
        (3, 3, 2, "invoke", "read", None),
        (4, 4, 2, "ok", "read", 0),
    ]


def test_calls_that_touch_overlap() -> None:
    """Rule 1: in one column invocations come before completions, whichever line is above."""
    for picture in ("p0 |-w1-|\np1      |-r1-|", "p1      |-r1-|\np0 |-w1-|"):
        first, second = parse(picture).calls()
        assert first.completion is not None
        assert second.index < first.completion.index


@pytest.mark.parametrize(
    ("interval", "f", "given_", "outcome", "output"),
    [
        ("|-w1-|", "write", 1, "ok", None),
        ("|w1|", "write", 1, "ok", None),
        ("|--w-1--|", "write", -1, "ok", None),
        ("|-wnil-|", "write", None, "ok", None),
        ('|-w"a|b ..."-|', "write", "a|b ...", "ok", None),
        ("|-r1-|", "read", None, "ok", 1),
        ("|-r-1-|", "read", None, "ok", -1),
        ("|-rnil-|", "read", None, "ok", None),
        ("|-r[1,2]-|", "read", None, "ok", [1, 2]),
        ("|-r-- ...", "read", None, "info", None),
        ("|-r...", "read", None, "info", None),
        ("|-r-!", "read", None, "fail", None),
        ("|-c1>2-|", "cas", [1, 2], "ok", None),
        ("|-cnil>0-?", "cas", [None, 0], "info", None),
        ("|-a1-|", "append", 1, "ok", None),
        ("|-p1=2-|", "propose", 1, "ok", 2),
        ("|-p1-- ...", "propose", 1, "info", None),
        ('|-put "x"-|', "put", "x", "ok", None),
        ("|-dequeue=3-|", "dequeue", None, "ok", 3),
        ("|-add-and-get 1=3-|", "add-and-get", 1, "ok", 3),
        ('|-"w1" 2-|', "w1", 2, "ok", None),
        ("|-write-|", "write", None, "ok", None),
        ("|-read 5-|", "read", 5, "ok", None),
    ],
)
def test_calls(interval: str, f: str, given_: Any, outcome: str, output: Any) -> None:
    """Rule 2: each form of a call, and the way its interval ends."""
    call = only_call(interval)

    assert (f, given_, outcome, output) == (call.f, call.input, call.outcome, call.output)
    assert call.key is None


@pytest.mark.parametrize(
    ("interval", "key"),
    [("|-w1@r12-|", "r12"), ("|-r1@3-|", 3), ('|-c1>2@"a b"-|', "a b"), ("|-r@k-- ...", "k")],
)
def test_keys(interval: str, key: Any) -> None:
    """Rule 2: the key stands last, and the completion has it too."""
    call = only_call(interval)

    assert key == call.key
    assert call.completion is None or call.completion.key == key


@pytest.mark.parametrize(
    ("interval", "error"),
    [
        ("|-w1-!", None),
        ("|-c1>2-!=", Error("compare-failed")),
        ("|-w1-!no-leader", Error("no-leader")),
        ('|-w1-!"no quorum"', Error("no quorum")),
    ],
)
def test_reasons_of_a_fail(interval: str, error: Error | None) -> None:
    """Rule 3: a fail has no reason, that of a compare that did not match, or another."""
    completion = only_call(interval).completion

    assert completion is not None
    assert error == completion.error


def test_a_call_that_never_returned_has_no_completion() -> None:
    """Rule 1: `...` leaves the call open, `?` completes it as info; both have the outcome info."""
    assert only_call("|-w1-- ...").completion is None
    completion = only_call("|-w1--?").completion
    assert completion is not None
    assert completion.type == "info"


def test_notes_and_comments_say_nothing() -> None:
    """Rule 4: what follows the last interval, and lines that begin with #, are for people."""
    bare = parse("p0 |-w1-|\np1 |-w2- ...")
    noted = parse("# two writes\np0 |-w1-|   so ~ w2\n\np1 |-w2- ... never | returned ~")

    assert bare == noted


@pytest.mark.parametrize(
    ("picture", "place", "expected"),
    [
        ("p0 |-w1-|\nw2", "line 2, column 1: got 'w2'", "a process such as p0"),
        ("p0 |--|", "line 1, column 7: got '|'", "a call, as in w1"),
        ("p0 |-w1", "line 1, column 8: got the end of the line", "the interval's end"),
        ("p0 |-c1-|", "line 1, column 8", "`>` and the new value"),
        ("p0 |-put x-|", "line 1, column 10: got 'x-|'", "a value in JSON"),
        ("p0 |-r-|", "line 1, column 7", "what the read returned"),
        ("p0 |-r1- ...", "line 1, column 8", "only a call that returned has an output"),
        ("p0 |-w1 ~\n\np1 --|", "line 3, column 1", "the processes of the folded block before: p0"),
    ],
)
def test_a_picture_that_cannot_be_read(picture: str, place: str, expected: str) -> None:
    """An error names the place, what stands there and what was expected."""
    with pytest.raises(NotationError) as caught:
        parse(picture)

    assert place in str(caught.value)
    assert expected in str(caught.value)


def test_a_picture_of_an_ill_formed_history() -> None:
    """A picture can be read and still be no history: two lines of one process that overlap."""
    with pytest.raises(HistoryError, match="process 0 invoked 'read' while its 'write'"):
        parse("p0 |-w1-|\np0   |-r1-|")


PICTURE = """\
p0  |-w1-|                             it is over
p1  |-w2------------------------- ...
p2         |-r1@"a b"-| |-c1>2-!=
p3         |----r-----!no-leader"""


def test_the_canonical_picture() -> None:
    """Drawing is as tight as labels and order allow, with notes on the right of their lines."""
    assert draw(parse(PICTURE).calls(), notes={0: "it is over"}) == PICTURE


def test_a_folded_picture() -> None:
    """Rule 5: a picture that is too wide goes on in a second block, cut between calls
    where it can be."""
    folded = draw(parse(PICTURE).calls(), notes={0: "it is over"}, width=30)

    assert (
        folded
        == """\
p0  |-w1-|              ~
p1  |-w2----------------~
p2         |-r1@"a b"-| ~
p3         |----r-----!n~

p0                 it is over
p1  --------- ...
p2  |-c1>2-!=
p3  o-leader"""
    )
    assert parse(folded) == parse(PICTURE)


def test_only_the_order_that_matters_is_drawn() -> None:
    """Time is compressed: a hundred calls in between others of which nothing is drawn cost
    nothing, because columns count runs of events and not indices."""
    apart = parse("p0 |-w1-|" + " " * 500 + "|-r1-|")

    assert draw(apart.calls()) == "p0  |-w1-| |-r1-|"


def test_a_process_that_goes_on_after_info_ends_its_interval() -> None:
    """Dots would hide what follows, so there the unknown outcome is drawn where it was told."""
    picture = "p0  |-w1-? |-r1-|"

    assert picture == draw(parse(picture).calls())


def test_long_calls_can_be_cut() -> None:
    """label_max bounds a label, so that one long list does not push everything off the page."""
    calls = parse("p0 |-r[1,2,3,4,5,6,7,8,9]-|").calls()

    assert draw(calls, label_max=8) == "p0  |-r[1,2,3…-|"


def test_keys_can_be_left_out() -> None:
    """In a picture of one key its name is noise."""
    calls = parse("p0 |-w1@k-|").calls()

    assert (
        draw(calls, keys=False),
        label(calls[0], keys=False),
        label(calls[0]),
    ) == ("p0  |-w1-|", "w1", "w1@k")


def test_no_calls_are_no_picture() -> None:
    """The empty history has the empty picture, both ways."""
    assert draw([]) == ""
    assert len(parse("")) == 0


TEXTS = st.text('aw1-|!?~.@ "\\\n\u2028é', max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
NAMES = (
    st.sampled_from(
        [
            "write",
            "read",
            "cas",
            "append",
            "propose",
            "put",
            "w1",
            "r",
            "rnil",
            "add-1",
            "a b",
            "",
            "w",
        ]
    )
    | TEXTS
)
KEYS = st.none() | st.sampled_from(["k", "nil", "r12", "a-b", "a-"]) | st.integers() | TEXTS
CODES = st.sampled_from(["compare-failed", "no-leader", "=", "a b", ""])


@st.composite
def histories(draw_: st.DrawFn) -> History:
    """Well-formed histories of up to four processes, every kind of call and of outcome."""
    operations: list[Operation] = []
    open_of: dict[int, Operation] = {}
    for index in range(draw_(st.integers(0, 14))):
        process = draw_(st.integers(-1, 2))
        invoke = open_of.pop(process, None)
        if invoke is None:
            f = draw_(NAMES)
            pair = st.lists(VALUES, min_size=2, max_size=2)
            value = draw_(pair | VALUES if f == "cas" else st.none() | VALUES)
            operation = Operation(index, index, process, "invoke", f, value, draw_(KEYS))
            open_of[process] = operation
        else:
            kind = draw_(st.sampled_from(["ok", "ok", "fail", "info"]))
            code = draw_(st.none() | CODES) if kind == "fail" else None
            error = None if code is None else Error(code)
            output = draw_(VALUES) if kind == "ok" else None
            operation = Operation(
                index, index, process, kind, invoke.f, output, invoke.key, error=error
            )
        operations.append(operation)
    return History(operations)


def told(call: Call) -> tuple[Any, ...]:
    """All of a call that a picture tells."""
    output = None if call.f in RETURN_NOTHING else freeze(call.output)
    error = call.completion.error if call.completion is not None else None
    facts = (freeze(call.input), call.outcome, output, freeze(call.key))
    return (call.invoke.process, call.f, *facts, error)


def real_time_order(calls: tuple[Call, ...]) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """The pairs of which the first completed, for certain, before the second began; a call is
    named by its process and its number there."""
    named: list[tuple[tuple[int, int], Call]] = []
    count: dict[int | str, int] = {}
    for call in calls:
        process = call.invoke.process
        assert isinstance(process, int)
        count[process] = count.get(process, 0) + 1
        named.append(((process, count[process]), call))
    return {
        (one, other)
        for one, a in named
        for other, b in named
        if a.outcome != "info" and a.completion is not None and a.completion.index < b.index
    }


def by_process(calls: tuple[Call, ...]) -> list[tuple[Any, ...]]:
    """What the calls tell, process by process."""
    return [told(call) for call in sorted(calls, key=lambda call: str(call.invoke.process))]


@settings(deadline=None)
@given(histories(), st.none() | st.integers(1, 60))
def test_drawing_and_reading_agree(history: History, width: int | None) -> None:
    """Rule 6: a drawn history reads as the same calls in the same real-time order, however narrow
    the page is."""
    again = parse(draw(history.calls(), width=width)).calls()

    assert by_process(history.calls()) == by_process(again)
    assert real_time_order(history.calls()) == real_time_order(again)


@settings(deadline=None)
@given(histories())
def test_drawing_is_a_fixed_point(history: History) -> None:
    """What was read from a drawing draws the same lines: there is one picture of an order."""
    picture = draw(history.calls(), width=None)
    again = draw(parse(picture).calls(), width=None)

    assert sorted(picture.split("\n")) == sorted(again.split("\n"))
