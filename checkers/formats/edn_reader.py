"""EDN text to JSON values: what Clojure prints, without Clojure.

Rules
1. Every value comes out as JSON: keywords and symbols by their names without the colon, sets as
   lists in an order that follows from their elements, characters as strings, ratios and numbers
   that JSON lacks as their text.
2. Values that differ stay different where it can be told: a decimal that no float holds stays
   text, and two keys of one map that would become the same text are an error.
3. Tags are read through: `#inst "..."` is its string, a record is its map. Only a pair that its
   tag calls an entry or a tuple stays known as one (Pair), and `#:a{:b 1}` is `{:a/b 1}`.
4. Nesting is bounded by DEPTH_MAX: whoever handles the values after us recurses into them.
5. An error is `torn` only if a longer text could have been right: no error elsewhere in a file
   is taken for the end that a killed recorder leaves.

Sources: the EDN specification (edn-format/edn). The package edn_format reads the same text through
a parser generator: some 5,000 operations of a Jepsen history a second where this reads 50,000, no
tag that is not registered with it, and no line in its errors. It is the oracle of our tests.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any


class EdnError(ValueError):
    """Text that is not EDN. `at` is the offset; `torn` is True if the text ended within a form,
    which then began at `at`."""

    def __init__(self, at: int, got: str, expected: str, torn: bool = False) -> None:
        super().__init__(f"got {got}; expected {expected}")
        self.at = at
        self.got = got
        self.expected = expected
        self.torn = torn


class Pair(list[Any]):
    """A [key, value] that its tag declared to be one."""


class _Prefix:
    """Something before a value: a tag on it, or (None) a sign that the value is to be left out."""

    __slots__ = ("tag",)

    def __init__(self, text: str, _at: int) -> None:
        self.tag = None if text in ("#_", "^") else text[1:]


_Around = tuple[list[Any], str, int]  # of an open collection: items before it, bracket, offset

DEPTH_MAX = 100
_LEFT_OUT = object()
_END = r"\s,;\"()\[\]{}"
_BLANK = r"(?:[\s,]+|;[^\n]*)*+"
_TOKEN = re.compile(
    rf"""{_BLANK} (?:
      (?P<atom> [^{_END}\#\\^] [^{_END}]*)
    | (?P<string> \#? " [^"\\]*+ (?: \\. [^"\\]*+ )*+ ")
    | (?P<open> \#\{{ | [\[({{])
    | (?P<close> [\])}}])
    | (?P<prefix> \#_ | \^ | \#[A-Za-z:'] [^{_END}]*)
    | (?P<symbolic> \#\#\w+)
    | (?P<character> \\ (?: [^{_END}]+ | .))
    | (?P<end> \Z)
    | (?P<wrong> .)
    )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {"[": "]", "(": ")", "{": "}", "#{": "}"}
_OPENING = re.compile(_BLANK + r"(?P<bracket>[\[(])")
_CONSTANTS = {"nil": None, "true": True, "false": False}
_CHARACTERS = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r"}
_BY_NUMBER = re.compile("u(?![dD][89a-fA-F])[0-9a-fA-F]{4}")  # halves of characters are none
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", '"': '"'}


def read_one(text: str) -> Any:
    """The one value of `text`; raises EdnError if there is none or more."""
    values = [value for _, value in forms(text)]
    if len(values) != 1:
        raise EdnError(0, f"{len(values)} values", "one value", torn=not values)
    return values[0]


def elements(text: str) -> Iterator[tuple[int, Any]]:
    """The elements of the one vector or list that `text` is, or else its top-level values.

    They come one by one, each with its offset, so that those before a torn end are seen.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return forms(text)
    return forms(text, opening.end(), _CLOSES[opening.group("bracket")])


def forms(text: str, at: int = 0, until: str = "") -> Iterator[tuple[int, Any]]:
    """The values from offset `at` on, each with its offset, to the end or the bracket `until`.

    Raises EdnError.
    """
    items: list[Any] = []  # of the innermost open collection; at the top, prefixes only
    outer: list[_Around] = []
    start = at
    for token in _TOKEN.finditer(text, at):
        kind = token.lastgroup
        if kind is None or kind == "end":
            break
        if not outer and not items:
            start = token.start(kind)
        if kind == "open":
            items = _open(items, outer, token)
            continue
        if kind == "close":
            if not outer and not items and token[kind] == until:
                until = ""
                continue
            items, value = _close(items, outer, token)
        else:
            value = _scalar(kind, token, start)
        if items and items[-1].__class__ is _Prefix:
            value = _prefixed(items, value)
            if value is _LEFT_OUT:
                continue
        if outer or value.__class__ is _Prefix:
            items.append(value)
        else:
            yield start, value
    if outer or items or until:
        at = start if outer or items else len(text)
        raise EdnError(at, "the end of the text within a form", "the rest of it", torn=True)


def _scalar(kind: str, token: re.Match[str], start: int) -> Any:
    text = token[kind]
    try:
        return _SCALARS[kind](text, token.start(kind))
    except EdnError as error:
        if token.end() < len(token.string) and text != '"':
            raise
        raise EdnError(start, error.got, error.expected, torn=True) from None


def _prefixed(items: list[Any], value: Any) -> Any:
    """What the prefixes at the end of `items` make of the value after them; they are taken off."""
    if value.__class__ is _Prefix:
        return value
    while items and items[-1].__class__ is _Prefix:
        tag = items.pop().tag
        if tag is None:
            return _LEFT_OUT  # a prefix before this one awaits the next value
        if type(value) is list and len(value) == 2 and tag.lower().endswith(("entry", "tuple")):
            value = Pair(value)
        elif tag.startswith(":") and isinstance(value, dict):
            value = {_in_namespace(tag[1:], key): held for key, held in value.items()}
    return value


def _in_namespace(name: str, key: str) -> str:
    return key.removeprefix("_/") if "/" in key else f"{name}/{key}"


def _open(items: list[Any], outer: list[_Around], token: re.Match[str]) -> list[Any]:
    if len(outer) == DEPTH_MAX:
        raise EdnError(token.start("open"), "a deeper nesting", f"at most {DEPTH_MAX} levels")
    outer.append((items, token["open"], token.start("open")))
    return []


def _close(items: list[Any], outer: list[_Around], token: re.Match[str]) -> tuple[list[Any], Any]:
    """The items around the collection that `token` closes, and the collection as a value."""
    found, where = token["close"], token.start("close")
    if not outer or _CLOSES[outer[-1][1]] != found:
        raise EdnError(where, f"`{found}`", f"`{_CLOSES[outer[-1][1]]}`" if outer else "a value")
    around, bracket, at = outer.pop()
    if items and items[-1].__class__ is _Prefix:
        raise EdnError(where, f"`{found}`", "the value that a tag or #_ is for")
    if bracket == "{":
        return around, _map(items, at)
    if bracket == "#{":
        return around, sorted(items, key=_sorting)
    return around, items


def _map(items: list[Any], at: int) -> dict[str, Any]:
    if len(items) % 2:
        raise EdnError(at, "a map with a key that has no value", "keys and values in pairs")
    keys = [key if key.__class__ is str else _as_text(key) for key in items[::2]]
    made = dict(zip(keys, items[1::2], strict=True))
    if len(made) != len(keys):
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise EdnError(at, f"a map with the key {twice!r} twice", "keys that differ as text")
    return made


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _sorting(value)


def _sorting(value: Any) -> str:
    # Equal values have equal texts, whatever order they were written in, and 1 is not "1".
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _atom(text: str, at: int) -> Any:
    if text[0] == ":":
        return text[1:]
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0].isdigit() or (text[0] in "+-" and text[1:2].isdigit()):
        return _number(text, at)
    return text


def _number(text: str, at: int) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        if text.startswith("0x"):
            return int(text, 16)
        if text.endswith("N"):
            return int(text[:-1])
        if "/" in text:
            ratio = Fraction(text)
            return ratio.numerator if ratio.denominator == 1 else str(ratio)
        number = float(text.removesuffix("M"))
        if math.isinf(number):
            return text  # too big for JSON's readers
        exact = not text.endswith("M") or Decimal(repr(number)) == Decimal(text[:-1])
        return number if exact else text[:-1]
    except (ValueError, ArithmeticError):
        raise EdnError(
            at, f"`{text}`", "a number, or a symbol that does not look like one"
        ) from None


def _string(text: str, at: int) -> str:
    if text[0] == "#":
        return text[2:-1]  # a regular expression, which knows no escapes of its own
    if "\\" not in text:
        return text[1:-1]

    def unescape(match: re.Match[str]) -> str:
        escape = match.group(1)
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        if escape[0] == "u" and len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape.isdigit():
            return chr(int(escape, 8))
        raise EdnError(at, f"the escape `{match.group()}`", "one of EDN's escapes")

    unescaped = _ESCAPE.sub(unescape, text[1:-1])
    try:  # two escapes may be the halves of one character, as Java counts
        return unescaped.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise EdnError(at, "an escape for half a character", "both halves, or neither") from None


def _character(text: str, at: int) -> str:
    name = text[1:]
    if _BY_NUMBER.fullmatch(name):
        return chr(int(name[1:], 16))
    if len(name) > 1 and name not in _CHARACTERS:
        raise EdnError(at, f"the character `{text}`", "one character or its name after the `\\`")
    return _CHARACTERS.get(name, name)


def _symbolic(text: str, _at: int) -> str:
    return text  # ##NaN and ##Inf: JSON has no such numbers


def _wrong(text: str, at: int) -> Any:
    got = "a string without its end" if text == '"' else f"`{text}`"
    raise EdnError(at, got, "a value")


_SCALARS: dict[str, Callable[[str, int], Any]] = {
    "atom": _atom,
    "prefix": _Prefix,
    "string": _string,
    "character": _character,
    "symbolic": _symbolic,
    "wrong": _wrong,
}
