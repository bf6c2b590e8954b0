"""What pages say of numbers, times and verdicts, as filters of their templates."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

SIGNS = {"valid": "✓", "invalid": "✗", "unknown": "?", "": "–"}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(length: int) -> str:
    """Bytes, for people."""
    amount, unit = float(length), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def number(value: float | None) -> str:
    """With one decimal; below one, where that would tell little, with two digits that count."""
    if value is None:
        return ""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.2g}"


def seconds(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 7200:
        return f"{value / 3600:.1f} h"
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.1f} s"


def moment(iso: str) -> str:
    """'2026-01-31T23:59:59Z' and a folder's '20260131T235959Z' as '2026-01-31 23:59:59'."""
    digits = "".join(sign for sign in iso[:20] if sign.isdigit())
    if len(digits) != 14:
        return iso
    y, mo, d = digits[:4], digits[4:6], digits[6:8]
    return f"{y}-{mo}-{d} {digits[8:10]}:{digits[10:12]}:{digits[12:]}"


def run_path(label: str, name: str, rest: str = "") -> str:
    """The address of a run's page, or of a part of it."""
    return f"/runs/{quote(label, safe='')}/{quote(name, safe='')}{rest}"


def verdict_word(verdict: str) -> str:
    return verdict.upper() or "NO VERDICT"


def with_query(asked: Mapping[str, str], **changed: Any) -> str:
    """The query with some of it changed; what is empty is left out."""
    merged = {**asked, **{name: str(value) for name, value in changed.items()}}
    return "?" + urlencode({name: value for name, value in merged.items() if value != ""})


FILTERS: Mapping[str, Callable[..., str]] = {
    "size": size,
    "number": number,
    "seconds": seconds,
    "moment": moment,
    "verdict_word": verdict_word,
    "sign": lambda verdict: SIGNS.get(verdict, "?"),
    "shell": lambda words: shlex.join(words),
    "part": lambda text: quote(text, safe="/"),
    "clip": lambda text, most: text if len(text) <= most else text[: most - 1] + "…",
}
