"""What clients ask and are told: requests validated, answers built.

Rules
1. An error code tells the client whether the request may have taken effect. Definite (it did not,
   and never will): compare-failed, no-leader, overloaded, malformed, unsupported. Indefinite (it
   may, now or later): leadership-lost, timeout.
2. When in doubt an answer is indefinite, or none is given and the client's own time-out decides.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

Response = dict[str, Any]

DEFINITE = ("compare-failed", "no-leader", "overloaded", "malformed", "unsupported")
INDEFINITE = ("leadership-lost", "timeout")


class RequestError(Exception):
    """The client is at fault; `response` tells it how."""

    def __init__(self, response: Response) -> None:
        super().__init__(response["error"]["text"])
        self.response = response


def ok(result: Any) -> Response:
    return {"ok": result}


def error(code: str, text: str) -> Response:
    assert code in DEFINITE or code in INDEFINITE, f"{code!r} is not in the clients' table"
    return {"error": {"code": code, "text": text}}


def malformed(text: str) -> RequestError:
    return RequestError(error("malformed", text))


def function_of(request: Mapping[str, Any], functions: Sequence[str], protocol: str) -> str:
    """The function asked for. Raises RequestError if it is none of `functions`."""
    f = request.get("f")
    if isinstance(f, str) and f in functions:
        return f
    near = difflib.get_close_matches(str(f), functions, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    text = f"{protocol} has no function {f!r}, it has {', '.join(functions)}{hint}"
    raise RequestError(error("unsupported", text))


def key_of(request: Mapping[str, Any]) -> str:
    """Raises RequestError unless the request names a key."""
    key = request.get("key")
    if not isinstance(key, str) or not key:
        raise malformed(f"'key' must be a string that is not empty, got {key!r}")
    return key
