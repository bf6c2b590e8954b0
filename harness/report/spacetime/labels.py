"""Labels of drawings: short lines whose width is known before any browser sees them.

Rule: widths are counted in cells of a monospaced font. What takes two cells there counts two, so
that a text of the system under test cannot reach into its neighbour.
"""

from __future__ import annotations

from unicodedata import east_asian_width

CELLS_MAX = 13


def wrapped(text: str, cells: int = CELLS_MAX) -> list[str]:
    """The text on one line, or on two, cut where that is not enough; [] for an empty one.

    Of two lines the first has the first word, and a ballot that comes next: 'accept 3.n1' stands
    over 'r1 = 7', and 'chosen' over 'r1 = 7'.
    """
    text = " ".join(printable(text[: cells * 8]).split())
    if width(text) <= cells:
        return [text] if text else []
    parts = text.split(" ")
    for count in (2, 1) if "." in parts[min(1, len(parts) - 1)] else (1,):
        head, tail = " ".join(parts[:count]), " ".join(parts[count:])
        if tail and width(head) <= cells:
            return [head, clipped(tail, cells)]
    return [clipped(text, cells)]


def clipped(text: str, cells: int) -> str:
    """At most so many cells of the text, with '…' where some are missing."""
    if width(text) <= cells:
        return text
    kept, used = "", 1
    for sign in text:
        used += _cells(sign)
        if used > cells:
            break
        kept += sign
    return kept.rstrip() + "…"


def width(text: str) -> int:
    """In cells."""
    return sum(_cells(sign) for sign in text)


def printable(text: str) -> str:
    """Without signs that control a terminal or the direction of writing."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _cells(sign: str) -> int:
    # What no monospaced font has comes from another one, and is as wide as that likes. Accents
    # that stand by themselves count too, or a tower of them would reach into the lines above.
    return 1 if sign.isascii() or east_asian_width(sign) in ("Na", "H") or sign in "…→�" else 2
