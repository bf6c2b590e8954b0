"""A real browser for the tests of pages: Debian's chromium, driven by Playwright.

Rules
1. A page under test is watched: `errors` has every error of its console, every exception of its
   scripts and every request that failed or left the page's own origin.
2. Pictures go to the folder that ANTIPAXOS_PICTURES names, to be looked at; without it there are
   none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.real import needs, needs_module

WIDTHS = (600, 1200, 2000)
_FRAMES_MAX = 600  # about ten seconds


class Watched:
    """A page, and what went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda wrong: self.errors.append(f"exception: {wrong}"))
        page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}")

    def until(self, expression: str) -> None:
        """Wait until it is true. Playwright's own way asks the page to evaluate text, which the
        policy of our pages forbids, as it should."""
        for _ in range(_FRAMES_MAX):
            if self.page.evaluate(expression):
                return
            self.page.evaluate("new Promise(requestAnimationFrame)")
        raise AssertionError(f"never true: {expression}")

    def picture(self, name: str) -> None:
        """The whole page as a picture, where somebody wants to look at it."""
        folder = os.environ.get("ANTIPAXOS_PICTURES")
        if folder:
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window. One is enough for all tests of a module."""
    program = needs("chromium", "chromium")
    needs_module("playwright", "playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Any, url: str, *, width: int = 1200, height: int = 900, dark: bool = False
) -> Iterator[Watched]:
    """A page of its own, with nothing kept from others."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    try:
        watched = Watched(context.new_page())
        watched.page.goto(url)
        yield watched
    finally:
        context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Import it where it is needed."""
    with chromium() as started:
        yield started
