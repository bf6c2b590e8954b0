"""EDN: values against edn_format as the oracle, operations of Jepsen and Knossos, torn ends."""

import re
from fractions import Fraction
from typing import Any

import edn_format
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.formats import FormatError
from checkers.formats import edn as format_
from checkers.formats.edn_reader import DEPTH_MAX, EdnError, elements, read_one
from checkers.formats.source import Decoded, Source
from checkers.history import Error, History, HistoryError, Operation


def decode(text: str) -> Decoded:
    return format_.decode(Source.of("history.edn", text.encode()))


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        (":timed-out", "timed-out"),
        (":ns/name", "ns/name"),
        ("sym", "sym"),
        ("-7", -7),
        ("+7", 7),
        ("12345678901234567890N", 12345678901234567890),
        ("1/2", "1/2"),
        ("2/4", "1/2"),
        ("4/2", 2),
        ("1.5e3", 1500.0),
        ("0.1M", 0.1),
        ("0.10000000000000000001M", "0.10000000000000000001"),
        ("0x1F", 31),
        ("1e400", "1e400"),
        ("##NaN", "##NaN"),
        ("-", "-"),
        (r"\a", "a"),
        (r"\newline", "\n"),
        (r"\u00e9", "é"),
        (r'"a\"b\\c\n\u00e9\101"', 'a"b\\c\néA'),
        (r'#"re\d"', r"re\d"),
        ("#{3 1 2}", [1, 2, 3]),
        (r'"\ud83d\ude00"', "\U0001f600"),  # two escapes, one character
        ("#:a{:b 1, :c/d 2, :_/e 3}", {"a/b": 1, "c/d": 2, "e": 3}),
        ("(1 [2 #{}])", [1, [2, []]]),
        ("{:a {1 [2]}, [1 2] nil}", {"a": {"1": [2]}, "[1,2]": None}),
        ('#inst "2020-01-01"', "2020-01-01"),
        ("#jepsen.history.Op{:index 1}", {"index": 1}),
        ("#object[java.lang.Object 0x1f {:a 1}]", ["java.lang.Object", 31, {"a": 1}]),
        ("^{:line 1} [1]", [1]),
        ("[#_ #_ a b #tag #_ c d ; e\n]", ["d"]),
        ("[1,2,,3]", [1, 2, 3]),
    ],
)
def test_values_become_json(text: str, value: Any) -> None:
    """Rule 1: each kind of value that Clojure prints, as JSON."""
    assert read_one(text) == value
    assert type(read_one(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "got", "torn"),
    [
        ("[1 2", "the end of the text within a form", True),
        ('{:a "b', "a string without its end", True),
        ("#tag", "the end of the text within a form", True),
        ("[1)", "`)`", False),
        ("]", "`]`", False),
        ("{:a}", "a map with a key that has no value", False),
        ('{:a 1 "a" 2}', "a map with the key 'a' twice", False),
        ("[1x 2]", "`1x`", False),
        (r"[\nope 2]", r"the character `\nope`", False),
        (r'["\q"]', r"the escape `\q`", False),
        ("[#_]", "`]`", False),
        ("", "0 values", True),
        ("1 2", "2 values", False),
        ("[" * (DEPTH_MAX + 1), "a deeper nesting", False),
    ],
)
def test_what_is_no_edn(text: str, got: str, torn: bool) -> None:
    """Rule 5: an error says what was got, and whether more text could have made it right."""
    with pytest.raises(EdnError) as caught:
        read_one(text)

    assert (caught.value.got, caught.value.torn) == (got, torn)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('#{1 "1"}', '#{"1" 1}'),
        ("#{{:a 1, :b 2} {:a 2}}", "#{{:a 2} {:b 2, :a 1}}"),
        ("{{:a 1, :b 2} 3}", "{{:b 2, :a 1} 3}"),
    ],
)
def test_equal_values_stay_equal(one: str, other: str) -> None:
    """Sets and maps have no order: a read that prints them in another is no violation."""
    assert read_one(one) == read_one(other)


@pytest.mark.parametrize("text", [r'"\ud83d"', r'"a\ude00\ud83d"', r"\ud83d", r"\uzzzz"])
def test_half_a_character_is_none(text: str) -> None:
    """What no UTF-8 can print is refused when it is read, not when it is told."""
    with pytest.raises(EdnError):
        read_one(f"[{text} ]")


def test_elements_come_before_an_error_behind_them() -> None:
    """Elements are those of the one vector, or else the top-level values; each with its offset."""
    assert list(elements(" [1 :b]")) == [(2, 1), (4, "b")]
    assert list(elements("; c\n1 [2]")) == [(4, 1), (6, [2])]
    found = elements("[1 2")
    assert [next(found), next(found)] == [(1, 1), (3, 2)]
    with pytest.raises(EdnError):
        next(found)


NAMES = st.from_regex(re.compile(r"[a-z][a-z0-9*!?-]{0,4}", re.ASCII), fullmatch=True)
ATOMS = (
    st.sampled_from(["nil", "true", "false", "3N", "0.5M", "7/8", "-1.25", r"\x", r'"\n\"é\\"'])
    | st.integers().map(str)
    | NAMES.map(":{}".format)
    | NAMES.filter(lambda name: name not in ("nil", "true", "false"))
    | st.text("ab ;[{#", max_size=3).map('"{}"'.format)
)
EDN = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{' '.join(items)}]")
        | st.lists(inner, max_size=3).map(lambda items: f"({', '.join(items)} ; so )]}}\n)")
        | st.lists(st.integers(), max_size=3, unique=True).map(
            lambda items: "#{" + " ".join(map(str, items)) + "}"
        )
        | st.dictionaries(NAMES, inner, max_size=3).map(
            lambda pairs: "{" + ",".join(f":{k} {v}" for k, v in pairs.items()) + "}"
        )
        | inner.map("[#_ {0} {0}]".format)
    ),
    max_leaves=8,
)


def as_json(value: Any) -> Any:
    """What edn_format read, as our rule 1 says that JSON has it."""
    if isinstance(value, edn_format.Keyword):
        return value.name
    if isinstance(value, edn_format.Symbol):
        return str(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, edn_format.ImmutableDict | dict):
        return {as_json(k): as_json(v) for k, v in value.items()}
    if isinstance(value, frozenset | set):
        return sorted((as_json(v) for v in value), key=str)
    if isinstance(value, edn_format.ImmutableList | list | tuple):
        return [as_json(v) for v in value]
    return float(value) if type(value).__name__ == "Decimal" else value


@settings(deadline=None)
@given(EDN)
def test_values_are_those_of_edn_format(text: str) -> None:
    """The oracle: edn_format, slow and proven, reads the same values."""
    assert read_one(text) == as_json(edn_format.loads(text))


# --- Operations -------------------------------------------------------------------------------

CALL = """\
{:index 4, :time 100, :process 0, :type :invoke, :f :cas, :value [1 2]}
{:index 5, :time 120, :process 0, :type :fail, :f :cas, :value [1 2], :error :no-leader}
"""
NEMESIS = "{:index 6, :time 130, :process :nemesis, :type :info, :f :start, :value {:n1 #{:n2}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        CALL + NEMESIS,
        f"[{CALL}{NEMESIS}]",
        "(" + (CALL + NEMESIS).replace("{:index", "#jepsen.history.Op{:index") + ")\n",
        "; from a store\n[" + (CALL + NEMESIS).replace(", ", "\n "),
    ],
)
def test_operations(text: str) -> None:
    """Rules 1 and 2: the same history as lines, a vector, a list of records, pretty-printed."""
    if text.startswith(";"):
        text += "]"
    decoded = decode(text)

    assert decoded.notices == []
    assert decoded.operations == [
        Operation(4, 100, 0, "invoke", "cas", [1, 2]),
        Operation(5, 120, 0, "fail", "cas", [1, 2], error=Error("no-leader")),
        Operation(6, 130, "nemesis", "info", "start", {"n1": ["n2"]}),
    ]


def test_positions_stand_in_for_times_and_indices() -> None:
    """Rule 1: without times and indices, positions order the operations and a notice says so."""
    decoded = decode(
        "{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :read :value 1}"
    )

    assert [(o.index, o.time, o.value) for o in decoded.operations] == [(0, 0, None), (1, 1, 1)]
    assert len(decoded.notices) == 1
    assert "have no times" in decoded.notices[0]


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (":timeout", Error("timeout")),
        ('"timeout"', Error("timeout")),
        ('"connection refused"', Error("error", "connection refused")),
        ('[:no-client "refused" 3]', Error("no-client", "refused; 3")),
        ("{:code 7}", Error("error", '{"code":7}')),
        ("nil", None),
    ],
)
def test_errors(error: str, read: Error | None) -> None:
    """Jepsen's :error may be anything; its first word becomes the code, nothing is lost."""
    (operation,) = decode(f"{{:process :n :type :info :f :x :error {error}}}").operations

    assert operation.error == read


@pytest.mark.parametrize(
    ("change", "got", "line"),
    [
        ((":process 0, :type :fail", ":process nil, :type :fail"), ":process null", 2),
        ((":process 0, :type :fail", ":process true, :type :fail"), ":process true", 2),
        ((":type :fail", ":type :failed"), ":type failed", 2),
        ((":type :fail, ", ""), "a map without :type", 2),
        ((":f :cas, :value [1 2], :error", ":f 3, :error"), ":f 3", 2),
        ((":time 120, ", ""), "a map without :time", 2),
        ((":index 4", ':index "4"'), ":index 4", 1),
        (("{:index 5", "7\n{:index 5"), "`7`", 2),
        (("[1 2], :error", "[1 2), :error"), "`)`", 2),
        (("[1 2], :error", "[1 2, :error"), "`}`", 2),
        (("[1 2], :error", '["1 2], :error'), "a string without its end", 2),
    ],
)
def test_what_is_no_operation(change: tuple[str, str], got: str, line: int) -> None:
    """An error names the line where the operation begins, what was got and what to do."""
    assert change[0] in CALL
    with pytest.raises(FormatError) as caught:
        decode((CALL + NEMESIS).replace(*change))

    assert f"history.edn, line {line}: got {got}; expected" in str(caught.value)
    assert str(caught.value).endswith(
        ("docs/histories.md shows one.", "or take the member out everywhere.")
    )


LINES = CALL.splitlines(keepends=True)


@pytest.mark.parametrize("kept", range(len(LINES[1].encode())))
def test_an_end_torn_at_any_byte(kept: int) -> None:
    """Rule 3: after any byte of the last map the history is read up to that map; one that only
    lacks its line feed is whole."""
    decoded = decode(LINES[0] + LINES[1][:kept])

    whole = kept == len(LINES[1]) - 1
    assert len(decoded.operations) == 1 + whole
    assert len(decoded.notices) == (0 if whole or kept == 0 else 1)


def test_a_vector_that_was_never_closed() -> None:
    """Rule 3: within a vector as well, with a notice although every map is whole."""
    decoded = decode("[" + CALL.strip())

    assert (len(decoded.operations), len(decoded.notices)) == (2, 1)


def test_an_end_that_is_wrong_is_not_torn() -> None:
    """Rule 3: with a line feed behind it, an unfinished map is somebody's mistake."""
    with pytest.raises(FormatError):
        decode(CALL + "{:process 0,\n")


def keyed(*values: str, kinds: str = "invoke ok") -> Decoded:
    """A history of calls on process 0 with these values, invocation and completion in turn."""
    types = kinds.split()
    return decode(
        "\n".join(
            f"{{:process 0 :type :{types[i % 2]} :f :x :value {value}}}"
            for i, value in enumerate(values)
        )
    )


def test_independent_keys_are_split_off() -> None:
    """Rule 4: where every value is [key value] and a read asks for [key nil], keys are keys."""
    decoded = keyed("[1 nil]", "[1 7]", "[2 [7 8]]", "[2 [7 8]]")

    assert [(o.key, o.value) for o in decoded.operations] == [
        (1, None),
        (1, 7),
        (2, [7, 8]),
        (2, [7, 8]),
    ]
    assert "the keys were split off" in decoded.notices[-1]


def test_tagged_tuples_are_split_without_a_read() -> None:
    """Rule 4: a tag says that it is a pair of key and value."""
    decoded = keyed("#jepsen.independent.MapEntry [1 2]", "#jepsen.independent.MapEntry [1 2]")

    assert [(o.key, o.value) for o in decoded.operations] == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    "values",
    [
        ("[1 2]", "[1 2]"),  # compare-and-sets alone
        ("nil", "[1 2]"),  # a read of a pair
        ("[1 nil]", "[1 2]", "3", "3"),  # not every value is a pair
        ("[1 nil]", "[2 2]"),  # a call that does not keep its key
        ("[nil nil]", "[nil 2]"),  # nil is no key
    ],
)
def test_other_pairs_stay_values(values: tuple[str, ...]) -> None:
    """Rule 4: wherever a pair may be a value it stays one."""
    decoded = keyed(*values)

    assert {o.key for o in decoded.operations} == {None}
    assert len(decoded.notices) == 1


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ("[2 8]", ":type :info"),
        ("[2 8]", ":type :info, :value :timed-out"),
        ("[2 8]", ":type :info, :value [:timeout 5]"),
        ("[2 nil]", ":type :fail, :value nil"),
        ("[2 8]", ":type :ok, :value nil"),
    ],
)
def test_a_client_that_gave_up_hides_no_keys(asked: str, end: str) -> None:
    """Rule 4: one completion without its pair, and the keys are found all the same: judged as one
    object, the pairs of a correct system would be a violation."""
    call = "{{:process 5, :type :invoke, :f :read, :value {}}} {{:process 5, :f :read, {}}}"
    decoded = decode(call.format("[1 nil]", ":type :ok, :value [1 7]") + call.format(asked, end))

    assert [o.key for o in decoded.operations][:3] == [1, 1, 2]
    assert [c.key for c in History(decoded.operations).calls()] == [1, 2]


def test_a_key_of_its_own_is_kept() -> None:
    """A map with :key has its key there, and its value is not looked into."""
    decoded = decode("{:process 0 :type :invoke :f :read :key :x :value [1 nil]}")

    assert [(o.key, o.value) for o in decoded.operations] == [("x", [1, None])]


def test_indices_that_do_not_grow_are_for_the_history_to_refuse() -> None:
    """The format reads what is written; whether it is a history is one rule for all formats."""
    decoded = decode(CALL.replace(":index 5", ":index 3"))

    with pytest.raises(HistoryError, match="operation 3: its index does not follow 4"):
        History(decoded.operations)
