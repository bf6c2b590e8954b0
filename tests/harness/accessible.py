"""What keeps a page from being used by everybody, found in a real browser.

Rule: these are own assertions on what a page's reader meets: names of controls, order of headings,
headers of tables, ids, focus, contrast of every text as it is painted.

Source: WCAG 2.2, whose formula of contrast it uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SCRIPT = (Path(__file__).parent / "accessible.js").read_text(encoding="utf-8")


def complaints(page: Any) -> list[str]:
    """A sentence for each thing that is wrong with the page as it is shown now."""
    found: list[str] = page.evaluate(_SCRIPT)
    return found


def overflow(page: Any) -> int:
    """By how many pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(wider, 0)
