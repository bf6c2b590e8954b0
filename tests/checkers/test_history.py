"""Histories: the rules at the head of checkers.history, each with a history that breaks it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import Call, Error, History, HistoryError, Operation, freeze


def op(index: int, process: int | str, type_: str, f: str = "read", **rest: Any) -> Operation:
    """An operation whose time follows its index unless it is given."""
    rest.setdefault("time", index)
    return Operation(index=index, process=process, type=type_, f=f, **rest)  # type: ignore[arg-type]


def refusal(*operations: Operation) -> HistoryError:
    """The error with which these operations are refused."""
    with pytest.raises(HistoryError) as caught:
        History(operations)
    return caught.value


def test_indices_grow() -> None:
    """Rule 1: the index is the order of the journal; one that repeats or falls is refused."""
    for second in (4, 3):
        error = refusal(op(4, 0, "invoke"), op(second, 1, "invoke", time=9))

        assert error.index == second
        assert f"operation {second}: its index does not follow 4" in str(error)
        assert "number the lines again" in str(error)


def test_indices_do_not_begin_below_zero() -> None:
    """Rule 1: the first index is 0 or more, so that -1 can stand for 'before the history'."""
    assert refusal(op(-1, 0, "invoke", time=0)).index == -1


def test_indices_may_leave_gaps() -> None:
    """Rule 1 asks for order, not for density: a history cut from a longer one is a history."""
    assert [o.index for o in History([op(3, 0, "invoke"), op(7, 0, "ok")])] == [3, 7]


def test_time_does_not_go_back() -> None:
    """Rule 1: times come from one monotonic clock; equal times are fine, earlier ones are not."""
    History([op(0, 0, "invoke", time=5), op(1, 0, "ok", time=5)])

    error = refusal(op(0, 0, "invoke", time=5), op(1, 0, "ok", time=4))

    assert "operation 1: time goes back from 5 to 4 ns" in str(error)
    assert "one monotonic clock" in str(error)


def test_time_of_the_nemesis_does_not_go_back_either() -> None:
    """Rule 1 holds for every line, judged or not: there is one journal."""
    assert refusal(op(0, "nemesis", "info", time=5), op(1, 0, "invoke", time=4)).index == 1


def test_a_process_has_one_open_operation() -> None:
    """Rule 2: an invocation while another of the process is open names both and the remedy."""
    error = refusal(op(0, 3, "invoke", "write"), op(1, 0, "invoke"), op(2, 3, "invoke", "read"))

    assert error.index == 2
    assert "process 3 invoked 'read' while its 'write' (operation 0) is open" in str(error)
    assert "must complete as info" in str(error)


@pytest.mark.parametrize("outcome", ["ok", "fail", "info"])
def test_a_completion_has_an_invocation(outcome: str) -> None:
    """Rule 2: a completion of a process that has nothing open is refused, whatever its type."""
    error = refusal(op(0, 1, "invoke"), op(1, 1, "ok"), op(2, 1, outcome))

    assert error.index == 2
    assert f"process 1 completed 'read' ({outcome}) without an open invocation" in str(error)
    assert "Record the invocation before" in str(error)


def test_a_completion_repeats_the_function() -> None:
    """A completion of something else than what was invoked is refused."""
    error = refusal(op(0, 1, "invoke", "write"), op(1, 1, "ok", "read"))

    assert "process 1 completed 'read' but had invoked 'write' (operation 0)" in str(error)
    assert "repeats the f" in str(error)


def test_a_completion_repeats_the_key_or_leaves_it_out() -> None:
    """A completion of another key is refused; one without a key takes that of its invocation."""
    History([op(0, 1, "invoke", key="a"), op(1, 1, "ok")])

    error = refusal(op(0, 1, "invoke", key=1), op(1, 1, "ok", key=True))

    assert "its key True is not that of its invocation, 1" in str(error)
    assert "or leaves it out" in str(error)


def test_processes_with_names_are_never_judged() -> None:
    """Rule 2: the nemesis begins and ends faults as it likes, and makes no calls."""
    faults = [op(0, "nemesis", "info", "partition"), op(1, "nemesis", "info", "heal")]
    history = History([*faults, op(2, 0, "invoke")])

    assert tuple(faults) == history.of_nemesis()
    assert [call.index for call in history.calls()] == [2]


def test_outcomes() -> None:
    """Rule 3: ok, fail, info as completed; without a completion the outcome is info."""
    history = History(
        [
            *(op(i, i, "invoke", "write", value=i) for i in range(4)),
            op(4, 0, "ok", "write"),
            op(5, 1, "fail", "write", error=Error("no-leader")),
            op(6, 2, "info", "write"),
        ]
    )

    assert [call.outcome for call in history.calls()] == ["ok", "fail", "info", "info"]
    assert [call.input for call in history.calls()] == [0, 1, 2, 3]
    assert history.calls()[3].completion is None
    assert history.calls()[3].output is None


def test_calls_come_in_the_order_of_invocation() -> None:
    """The order of completion does not disturb that of calls, which their indices name."""
    history = History([op(0, 0, "invoke"), op(1, 1, "invoke"), op(2, 1, "ok"), op(3, 0, "ok")])

    assert [call.index for call in history.calls()] == [0, 1]
    assert Call(history[0], history[3]) == history.calls()[0]


def test_calls_by_key_keep_json_apart() -> None:
    """1, true and "1" are three keys in JSON, and must not become one object."""
    keys = [1, True, "1", [1], 1]
    history = History([op(i, i, "invoke", key=key) for i, key in enumerate(keys)])

    groups = [[call.index for call in calls] for calls in history.by_key().values()]

    assert groups == [[0, 4], [1], [2], [3]]


def test_operations_by_process() -> None:
    """Every operation is in the group of its process, in order."""
    history = History([op(0, 0, "invoke"), op(1, "nemesis", "info"), op(2, 0, "ok")])

    assert {0: (history[0], history[2]), "nemesis": (history[1],)} == history.by_process()


def test_equal_histories_hash_alike_whatever_their_values() -> None:
    """A history is a value: values that Python cannot hash, such as lists, do not prevent it."""
    first, second = (History([op(0, 0, "invoke", value=[1, 2])]) for _ in range(2))

    assert first == second
    assert hash(first) == hash(second)
    assert hash(History([])) == hash(History([]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


def same_json(one: Any, other: Any) -> bool:
    """Equality of JSON values, from its definition."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[k], other[k]) for k in one)
    return type(one) is type(other) and bool(one == other)


@settings(deadline=None)
@given(JSON, JSON)
def test_frozen_values_are_equal_exactly_where_json_is(one: Any, other: Any) -> None:
    """freeze: equal JSON values freeze to equal hashable values, different ones to different."""
    assert same_json(one, other) == (freeze(one) == freeze(other))
    assert hash(freeze(one)) == hash(freeze(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, ["bool", "true"]),
        ({"a": 1}, [["a", 1]]),
        ([True], [1]),
        (float("nan"), ["nan", "nan"]),
    ],
)
def test_frozen_values_have_no_impostors(one: Any, other: Any) -> None:
    """A stand-in is told from the list that looks like what it is made of, both ways round."""
    assert freeze(one) != freeze(other)
    assert freeze(other) != freeze(one)
    assert freeze(one) == freeze(one)


def test_a_client_with_its_number_in_quotes_is_refused() -> None:
    """Rule 2: processes with names go unjudged, so that of process "1" would hide what it saw."""
    error = refusal(op(0, 0, "invoke"), op(1, "1", "invoke"))

    assert error.index == 1
    assert "its process is the text '1'" in str(error)


def test_a_refusal_shows_the_ends_of_a_long_value() -> None:
    """A value may be a megabyte; the message is one sentence."""
    error = HistoryError(3, "f'read' returned " + "x" * 1_000_000 + "!", "Look.")

    assert len(str(error)) < 1_000
    assert "x!. Look." in str(error)
