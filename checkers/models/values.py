"""How models read the values of a call, and how they refuse what they cannot read.

Rule: a refusal names the operation, what was got, what was expected and what to do about it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from checkers.history import Call, HistoryError, freeze
from checkers.models.model import UNKNOWN


def argument(call: Call) -> Any:
    """The frozen value of the invocation."""
    return freeze(call.input)


def result(call: Call) -> Any:
    """The frozen value of an `ok`; UNKNOWN for every other outcome."""
    return freeze(call.output) if call.outcome == "ok" else UNKNOWN


def integer(value: Any) -> int | None:
    """A frozen number as an integer; None for what is none. JSON's 2.0 is 2."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def error_code(call: Call) -> str | None:
    """The code that a completion carries, None if none does."""
    completion = call.completion
    return completion.error.code if completion is not None and completion.error else None


def refuse(call: Call, got: str, expected: str) -> NoReturn:
    """Blames the invocation."""
    raise HistoryError(call.index, got, expected)


def refuse_result(call: Call, expected: str) -> NoReturn:
    """Blames the value of the completion."""
    assert call.completion is not None, "an operation without completion has no result to refuse"
    raise HistoryError(
        call.completion.index, f"{call.f!r} returned {call.output!r}", f"{expected}."
    )


def refuse_operation(call: Call, model: str, known: tuple[str, ...], hint: str = "") -> NoReturn:
    raise HistoryError(
        call.index,
        f"{call.f!r} is not an operation of the model {model}",
        f"It knows {', '.join(known)}; choose the model that fits the history.{hint}",
    )


def show(value: Any) -> str:
    """A frozen value as people write it; long ones are cut in the middle."""
    text = _json(value)
    return text if len(text) <= 80 else f"{text[:50]} ... {text[-25:]} ({len(text)} characters)"


def _json(value: Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, str):
        return f'"{value}"'
    if type(value) is tuple:
        return "[" + ", ".join(_json(v) for v in value) + "]"
    return repr(value)
