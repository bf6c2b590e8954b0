"""The pages in a real browser: no error, nothing that keeps people out, and what they do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.browser import WIDTHS, browser, opened  # noqa: F401 - browser is a fixture
from tests.harness.serve.stores import process

LOOK = (Path(__file__).parent / "looking.js").read_text()


@pytest.fixture(scope="module", autouse=True)  # first: simulating needs a thread without a browser
def address(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("server") / "store"
    shutil.copytree(filled, store, symlinks=True)
    with process(["--store", str(store)]) as (_, url):
        yield url.rstrip("/")


@pytest.fixture(scope="module")
def paths(address: str) -> dict[str, str]:
    """Every kind of page."""
    runs = httpx.get(f"{address}/api/runs").json()["runs"]
    named = [f"{r['label']}/{r['name']}" for r in runs]
    (bad,) = (f"{r['label']}/{r['name']}" for r in runs if r["verdict"] == "invalid")
    (killed,) = (f"{r['label']}/{r['name']}" for r in runs if not r["verdict"])
    return {
        "runs": "/runs",
        "search": "/runs?q=nothing",
        "run": f"/runs/{bad}",
        "killed": f"/runs/{killed}",
        "compare": f"/compare?run={named[0]}&run={named[1]}",
        "nights": "/nights",
        "night": "/nights/20261121T220000Z",
        "failures": "/failures",
        "live": "/live",
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_sound(browser: Any, address: str, paths: dict[str, str], *, dark: bool) -> None:  # noqa: F811
    """At three widths, in both themes: no error in the console, every control has a name, ids are
    unique, one h1 and headings in order, contrast of 4.5, nothing wider than the window."""
    with opened(browser, f"{address}/runs", dark=dark) as watched:
        for name, path in paths.items():
            watched.page.goto(address + path)
            for width in WIDTHS:
                watched.page.set_viewport_size({"width": width, "height": 900})
                watched.picture(f"serve-{name}-{width}-{'dark' if dark else 'light'}")
                found = watched.page.evaluate(LOOK)
                assert [] == found, f"{name} at {width}"
        left = "/static/icon.svg"  # not awaited by the browser, and dropped when a page is left
        assert [] == [wrong for wrong in watched.errors if not wrong.endswith(left)]


def test_searching_filtering_and_comparing(browser: Any, address: str) -> None:  # noqa: F811
    """By mouse and by keyboard."""
    with opened(browser, f"{address}/runs") as watched:
        page = watched.page
        page.get_by_label("Words").fill("local-reads")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=local-reads**")
        assert 2 == page.locator("tbody tr").count()
        page.locator("select[name=verdict]").select_option("invalid")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**verdict=invalid**")
        assert 1 == page.locator("tbody tr").count()
        page.get_by_role("link", name="Clear").click()
        page.wait_for_url("**/runs")
        compare = page.get_by_role("button", name="Compare")
        assert compare.is_disabled()
        boxes = page.locator("tbody input[type=checkbox]")
        boxes.nth(0).check()
        boxes.nth(1).focus()
        page.keyboard.press("Space")
        compare.click()
        page.wait_for_url("**/compare**")
        assert "Two runs" == page.locator("h1").inner_text()
        assert [] == watched.errors


def test_a_replay_is_watched_live(browser: Any, address: str, paths: dict[str, str]) -> None:  # noqa: F811
    """From the button to the verdict, without a reload."""
    with opened(browser, address + paths["run"]) as watched:
        page = watched.page
        page.get_by_role("button", name="Replay it here").click()
        page.wait_for_url("**/live/*")
        page.get_by_text("It has ended: invalid, exit code 1.").wait_for()
        assert "byte for byte" in page.locator("[data-lines]").inner_text()
        assert "INVALID" == page.locator("[data-outcome]").inner_text()
        assert 0 == page.get_by_role("button", name="Cancel").count()
        watched.picture("serve-replayed")
        assert [] == page.evaluate(LOOK)
        # The page closes its stream when the end is told, which a browser may call a failure.
        assert [] == [wrong for wrong in watched.errors if "/events" not in wrong]


def test_a_run_that_goes_on_is_watched_and_cancelled(
    browser: Any,  # noqa: F811
    address: str,
    paths: dict[str, str],
) -> None:
    """Its operations are counted as they come, and the button ends it as Ctrl-C would."""
    with opened(browser, address + paths["run"]) as watched:
        page = watched.page
        page.get_by_role("button", name="Run it again here").click()
        page.wait_for_url("**/live/*")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("It has ended: cancelled").wait_for()
        left = "/events"  # the stream of the page that the button left
        assert [] == [wrong for wrong in watched.errors if left not in wrong]


def test_the_report_opens(browser: Any, address: str, paths: dict[str, str]) -> None:  # noqa: F811
    """In its sandbox, with its own scripts, and nothing of ours within their reach."""
    with opened(browser, f"{address}{paths['run']}/report") as watched:
        assert "INVALID" in watched.page.locator("h1").first.inner_text()
        assert "null" == watched.page.evaluate("self.origin")
        assert [] == watched.errors
