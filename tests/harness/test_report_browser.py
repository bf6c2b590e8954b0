"""The report in a real browser: every kind of page loads quietly, fits, can be read by everybody,
and does what its buttons and keys say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from checkers.compose import check_all
from checkers.coverage import Coverage
from checkers.formats import read_history
from checkers.history import History
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.trace import TraceEvent
from checkers.verdict import Kind, Recording, Verdict, merge
from harness.report.clocks import ClockSpan
from harness.report.logs import LogLine
from harness.report.page import Subject, write_report
from tests.harness.accessible import complaints, overflow
from tests.harness.browser import WIDTHS, Watched, browser, opened
from tests.harness.pictures import hostile as hostile_world
from tests.harness.report_scenes import HOSTILE, SCENES, hostile, judged, recorded
from tests.harness.worlds import synod

__all__ = ["browser"]

REGISTER = model("register")
VARIED = ("orders", "simulated", "hostile", "valid")  # looked at in every way
RERUN = "antipaxos run --seed 7 --workload register"
# Three orders: the writes may take effect in any order, and no order explains the read.
ORDERS = """
p0  |---w1@k-----|
p1    |---w2@k-----|
p2      |---w3@k-----?
p3                      |-r9@k-|
"""


def subject(**more: Any) -> Subject:
    logs = [LogLine(1_000_000 * i, f"n{i % 3}", f"line {i}", "error") for i in range(9)]
    logs.append(LogLine(4_000_000, "n1", HOSTILE + "\u202e", "warning"))
    settled = {"system": "multipaxos", "workload": "register", "nodes": "3", "clients": "4"}
    return Subject(
        title="paxos-register 20261123T223311-7",
        rerun=RERUN,
        settings={**settled, "faults": "kill"},
        environment={"python": "3.11", "option learning": "all"},
        logs=logs,
        clocks=[ClockSpan("n2", 1_000_000, None, 250.0, 40.0)],
        files=["history.jsonl", "nodes/n1/log"],
        path="antipaxos-runs/paxos-register/20261123T223311-7",
        models=[REGISTER],
        **more,
    )


def scenes() -> Iterator[tuple[str, Verdict, Recording, Subject]]:
    """Every kind of page by name."""
    for name in SCENES:
        yield name, *judged(name), subject()
    tried = recorded(ORDERS, faults=3)
    yield "orders", check_all([Linearizable(REGISTER)], tried), tried, subject()
    fine = recorded("p0  |-w1-| |-r1-|", faults=2)
    passing = [Linearizable(REGISTER), Coverage(operations=("read",), final=())]
    yield "valid", check_all(passing, fine), fine, subject(notices=["n1 crashed."])
    broken = recorded(
        "p0  |-w1-|",
        TraceEvent(2_100_000, "n2", "promise", ballot=(2, "n1"), instance="r1"),
        TraceEvent(3_500_000, "n2", "accepted", ballot=(1, "n3"), instance="r1", value="v"),
    )
    world = synod().events
    yield "simulated", check_all([Laws()], broken), broken, subject(world=world)
    leaf = Verdict(
        checker=HOSTILE,
        kind=Kind.INVALID,
        summary=HOSTILE,
        evidence={"operations": [3], "a": HOSTILE},
    )
    evil = subject(world=hostile_world(HOSTILE), notices=[HOSTILE])
    yield "hostile", merge("all", [leaf] * 3), hostile(), evil


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The address of every page."""
    folder = tmp_path_factory.mktemp("pages")
    urls = {}
    for name, verdict, recording, about in scenes():
        path = folder / f"{name.replace(' ', '-').replace(',', '')}.html"
        write_report(path, verdict, recording, about)
        urls[name] = path.as_uri()
    return urls


@contextmanager
def shown(browser: Any, url: str, **how: Any) -> Iterator[Watched]:
    """A page that must have loaded and been used without an error."""
    with opened(browser, url, **how) as watched:
        yield watched
        assert [] == watched.errors


def test_every_kind_of_page_loads_fits_and_can_be_used_by_everybody(
    browser: Any, pages: dict[str, str]
) -> None:
    """No error, no control without a name, no text too pale, nothing wider than its window; in
    light and in dark, at three widths."""
    found = []
    with shown(browser, pages["valid"]) as watched:
        for name, url in pages.items():
            watched.page.goto(url)
            found += [f"{name}: {c}" for c in complaints(watched.page)]
            for width in WIDTHS if name in VARIED else WIDTHS[:1]:
                watched.page.set_viewport_size({"width": width, "height": 900})
                if overflow(watched.page):
                    found.append(f"{name}: {overflow(watched.page)} pixels too wide at {width}")
            if name in VARIED:
                watched.page.emulate_media(color_scheme="dark")
                found += [f"{name}, dark: {c}" for c in complaints(watched.page)]
                watched.page.emulate_media(color_scheme="light")
    assert [] == found


def test_what_is_wrong_with_a_page_is_found(browser: Any) -> None:
    """The checks of the test above can fail: this page has one of each mistake."""
    bad = (
        "<h1>a</h1><h1>b</h1><h3 id=x>c</h3><p id=x style='color:#999'>pale</p><button></button>"
        "<input><a href='#nowhere'>d</a><div tabindex=3>e</div><svg></svg>"
        "<table><tr><td>f</td></tr></table>"
    )
    with opened(browser, "about:blank") as watched:
        watched.page.set_content(bad)
        found = "\n".join(complaints(watched.page))
    for mistake in (
        "2 h1",
        "heading jumps from 1",
        "id twice: x",
        "contrast 2.85",
        "without a name: button",
        "without a label: input",
        "leads nowhere",
        "positive tabindex",
        "picture without text",
        "no headings",
        "no main",
    ):
        assert mistake in found


@pytest.mark.skipif("ANTIPAXOS_PICTURES" not in os.environ, reason="nobody looks at pictures")
def test_it_looks_as_it_should(browser: Any, pages: dict[str, str]) -> None:
    """Pictures for people, where they are asked for; and the page is not blank."""
    for name, width, dark in (
        ("orders", 600, True),
        ("simulated", 1200, False),
        ("orders", 2000, False),
    ):
        with shown(browser, pages[name], width=width, dark=dark) as watched:
            watched.picture(f"report-{name}-{width}{'-dark' * dark}")
            assert watched.page.locator("h1 .word").is_visible()


def test_the_story_is_told_in_five_lines(browser: Any, pages: dict[str, str]) -> None:
    """Whatever the verdict; the labels say which line is which."""
    expected = {
        "orders": ["Run", "Wrong", "Why", "Fault", "Again"],
        "law": ["Run", "Wrong", "Why", "Fault", "Again"],
        "valid": ["Run", "Checked", "Exercised", "Weakest", "Repeat"],
        "coverage": ["Run", "Unknown", "Exercised", "Weakest", "Next"],
        "budget": ["Run", "Unknown", "Exercised", "Weakest", "Next"],
    }
    with shown(browser, pages["valid"]) as watched:
        told = {}
        for name in expected:
            watched.page.goto(pages[name])
            told[name] = watched.page.locator(".story dt").all_inner_texts()
        watched.page.goto(pages["orders"])
        assert "register on multipaxos, 3 nodes, 4 clients" in watched.page.inner_text(".story")
    assert expected == told


def test_an_order_is_stepped_through_by_keys(browser: Any, pages: dict[str, str]) -> None:
    """Arrows step, Home and End go to the ends, up and down choose another order; each step has the
    state before and after it, a number on its bar, and is said to those who listen."""
    with shown(browser, pages["orders"]) as watched:
        page = watched.page
        box = page.locator(".stepper")
        box.focus()
        assert "read" in box.locator("[data-what]").inner_text()
        assert "stuck" in box.get_attribute("class")
        page.keyboard.press("Home")
        first = box.locator("[data-what]").inner_text()
        assert first.startswith("operation")
        assert "the value is nil" in box.locator("[data-before]").inner_text()
        assert 1 == page.locator(".window .badge").count()
        after = box.locator("[data-after]").inner_text()
        page.keyboard.press("ArrowRight")
        assert after == box.locator("[data-before]").inner_text()
        assert 2 == page.locator(".window .badge").count()
        assert 1 == page.locator(".window .current").count()
        assert "state before" in box.locator("[data-said]").text_content()
        page.keyboard.press("ArrowLeft")
        assert first == box.locator("[data-what]").inner_text()
        page.keyboard.press("ArrowDown")
        assert "1" == box.locator("[data-choose]").input_value()
        page.keyboard.press("ArrowUp")
        assert "0" == box.locator("[data-choose]").input_value()


def test_a_bar_or_step_that_is_pointed_at_is_looked_at(browser: Any, pages: dict[str, str]) -> None:
    """And left again, the step that was chosen is back."""
    with shown(browser, pages["orders"]) as watched:
        page = watched.page
        what = page.locator("[data-what]")
        ended = what.inner_text()
        page.locator(".chips button").first.hover()
        looked_at = what.inner_text()
        page.locator("h1").hover()
        assert ended == what.inner_text() != looked_at
        operation = page.locator(".window .placed").first.get_attribute("data-bar")
        page.locator(f".window [data-bar='{operation}'] text").first.hover()
        assert f"operation {operation}:" in what.inner_text()


def test_the_command_and_the_small_history_are_copied(
    browser: Any, pages: dict[str, str], tmp_path: Path
) -> None:
    """What is copied is what is shown; the small history, downloaded, is INVALID again."""
    with shown(browser, pages["contradiction"]) as watched:
        page = watched.page
        page.evaluate(
            "() => { window.copied = [];"
            " navigator.clipboard.writeText = async (text) => window.copied.push(text); }"
        )
        for button in page.locator("[data-copy]").all():
            button.click()
        rerun, path, small = page.evaluate("copied")
        assert (RERUN, subject().path) == (rerun, path)
        with page.expect_download() as download:
            page.locator("[data-download]").click()
        file = tmp_path / "small.history.jsonl"
        download.value.save_as(file)
        assert "e1.history.jsonl" == download.value.suggested_filename
    assert small == file.read_text()
    assert all(json.loads(line) for line in small.splitlines())
    loaded: History = read_history(file).history
    assert Kind.INVALID is Linearizable(REGISTER).check(Recording(history=loaded)).kind


def test_what_cannot_be_copied_is_selected(browser: Any, pages: dict[str, str]) -> None:
    """A browser may forbid it; then the reader presses the keys."""
    with shown(browser, pages["contradiction"]) as watched:
        watched.page.evaluate(
            "() => { navigator.clipboard.writeText = async () => { throw new Error(); }; }"
        )
        watched.page.locator("[data-copy=rerun]").click()
        assert RERUN == watched.page.evaluate("getSelection().toString()")


def test_light_and_dark_are_chosen_and_kept(browser: Any, pages: dict[str, str]) -> None:
    """The reader's choice beats the system's, and is there at the next visit."""
    paper = "getComputedStyle(document.body).backgroundColor"
    with shown(browser, pages["valid"], dark=True) as watched:
        page, colours = watched.page, []
        for _ in range(3):
            colours.append((page.locator("#theme").inner_text(), page.evaluate(paper)))
            page.locator("#theme").click()
        assert ["Colours: auto", "Colours: light", "Colours: dark"] == [name for name, _ in colours]
        (auto, light, dark) = [colour for _, colour in colours]
        assert auto == dark != light
        page.locator("#theme").click()
        page.reload()
        assert light == page.evaluate(paper)


def test_the_space_time_diagram_is_read_by_keys(browser: Any, pages: dict[str, str]) -> None:
    """One event after another, and what the evidence names."""
    with shown(browser, pages["simulated"]) as watched:
        page = watched.page
        page.locator("#spacetime-drawing").focus()
        page.keyboard.press("ArrowDown")
        first = page.locator("#spacetime-read").inner_text()
        assert first.startswith("1 of ")
        page.keyboard.press("n")
        assert 1 == page.locator(".spacetime .read .named").count()
        page.keyboard.press("Home")
        assert first == page.locator("#spacetime-read").inner_text()


def test_parts_of_the_page_lead_to_the_timeline(browser: Any, pages: dict[str, str]) -> None:
    """An operation of the window, and the time of a fault, are shown there."""
    with shown(browser, pages["orders"]) as watched:
        page = watched.page
        page.wait_for_selector("canvas[data-drawn=yes]")
        page.locator("button[data-operation]").first.click()
        assert "operation" in page.locator("#tl-selected").inner_text().lower()
        page.locator("#faults button[data-from]").first.click()
        assert page.evaluate("document.activeElement !== null")


def test_without_scripts_everything_can_be_read(browser: Any, pages: dict[str, str]) -> None:
    """The orders are a table; what only a script can do is not shown."""
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(pages["orders"])
        assert 0 == page.locator(".needs-script:visible").count()
        assert "but the value is" in page.locator("main").inner_text()
    finally:
        context.close()


def test_hostile_texts_do_nothing(browser: Any, pages: dict[str, str]) -> None:
    """They are shown, and no script of theirs runs."""
    with shown(browser, pages["hostile"]) as watched:
        watched.page.wait_for_selector("canvas[data-drawn=yes]")
        assert 0 == watched.page.locator("main img").count()
        assert "<img src=x onerror=alert(1)>" in watched.page.locator(".told").inner_text()
