"""The timeline in a real browser: it draws, zooms, filters, steps, and says it in words too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from checkers.faults import fault_intervals
from checkers.history import History, Operation
from checkers.statistics import statistics
from checkers.verdict import Recording
from harness.report.clocks import ClockSpan
from harness.report.logs import LogLine
from harness.report.timeline import css, script, timeline
from tests.harness.browser import Watched, browser, opened

__all__ = ["browser"]
MS = 1_000_000
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
COLOURS = (
    ":root { --ok: #080; --fail: #a60; --info: #80d; --bad: #c00; --ink: #000; --paper: #fff }"
)


def recorded(calls: int) -> History:
    """Four workers, each with one operation at a time; a kill, during which everything fails."""
    random = Random(7)
    events: list[tuple[int, Any, str, str, Any, str | None]] = []
    for n in range(calls):
        start, kind = n * MS, "fail" if calls // 3 < n < calls // 2 else "ok"
        f, key = random.choice(["read", "write"]), f"r{n % 3}"
        # The second worker's third operation never returns: it goes on under another number.
        process = n % 4 if n % 4 != 1 or n < 10 else 5
        events.append((start, process, "invoke", f, n, key))
        if n != 9:
            events.append((start + random.randrange(1, 4 * MS), process, kind, f, n, key))
    fault = {"fault": "kill", "nodes": ["n1"]}
    for at, f in ((calls // 3, "kill"), (calls // 2, "restart")):
        events.append((at * MS, "nemesis", "info", f, {"id": 1, "intended": fault}, None))
        done = {"id": 1, "intended": fault, "applied": fault, "observed": {}, "in_effect": True}
        events.append((at * MS + 1, "nemesis", "info", f, done, None))
    events.sort(key=lambda event: event[0])
    return History(
        Operation(i, time, process, kind, f, value, key, None, None)
        for i, (time, process, kind, f, value, key) in enumerate(events)
    )


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    history = recorded(3000)
    calls = history.calls()
    made = timeline(
        calls,
        fault_intervals(history),
        (),
        statistics(Recording(history=history)),
        workers=4,
        marked=[calls[1500]],
        logs=[LogLine(i * 100 * MS, "n1", f"says <b>{i}</b>", "error") for i in range(20)],
        clocks=[ClockSpan("n2", 0, 500 * MS, 250.0)],
    )
    assert made is not None
    link = f'<button id="link" data-operation="{calls[700].index}">there</button>'
    range_link = '<button id="range" data-from="0.2" data-to="0.4">then</button>'
    file: Path = tmp_path_factory.mktemp("page") / "timeline.html"
    file.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>timeline</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<style>{COLOURS} {css()}</style>{link}{range_link}{made.markup}"
        f"<script>{script()}</script>"
    )
    with opened(browser, file.as_uri()) as watched:
        watched.page.wait_for_selector("#tl-canvas[data-drawn]")
        yield watched


@pytest.fixture(autouse=True)
def from_the_beginning(page: Watched) -> Iterator[None]:
    """Each test begins with the whole run, no filter, nothing chosen; and ends without an error."""
    page.page.evaluate("document.querySelector('.tl-filters').reset()")
    page.page.evaluate("antipaxosTimeline.filter(); antipaxosTimeline.select(-1)")
    page.page.click("[data-tl=whole]")
    yield
    assert [] == page.errors


def seen(page: Watched) -> tuple[float, float]:
    found: list[float] = page.page.evaluate(
        "[antipaxosTimeline.view.from, antipaxosTimeline.view.to]"
    )
    return found[0], found[1]


def colours(page: Watched) -> set[tuple[int, int, int]]:
    """What stands on the canvas."""
    listed = page.page.evaluate(
        """() => { antipaxosTimeline.frame(); const c = document.getElementById("tl-canvas");
        const bytes = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        const found = new Set();
        for (let i = 0; i < bytes.length; i += 4)
          if (bytes[i + 3] === 255) found.add(`${bytes[i]},${bytes[i + 1]},${bytes[i + 2]}`);
        return [...found]; }"""
    )
    return {(int(r), int(g), int(b)) for r, g, b in (each.split(",") for each in listed)}


OK, FAIL, INFO = (0, 136, 0), (170, 102, 0), (136, 0, 221)


def test_every_outcome_is_drawn_in_its_colour(page: Watched) -> None:
    """And gone when the reader does not want it."""
    assert {OK, FAIL, INFO} <= colours(page)

    page.page.uncheck(".tl-filters input[value='1']")
    page.until("antipaxosTimeline.view.shown < 3000")

    assert FAIL not in colours(page)
    assert OK in colours(page)


def test_keys_zoom_and_move(page: Watched) -> None:
    """Without a pointer everything can be reached."""
    whole = seen(page)
    page.page.focus("#tl-canvas")
    page.page.keyboard.press("+")
    near = seen(page)
    assert near[1] - near[0] == pytest.approx(0.7 * (whole[1] - whole[0]))

    page.page.keyboard.press("ArrowRight")
    assert seen(page)[0] > near[0]
    page.page.keyboard.press("0")
    assert whole == seen(page)


def test_the_wheel_zooms_where_the_pointer_is(page: Watched) -> None:
    """What is under the pointer stays there; without Ctrl the page scrolls and nothing zooms."""
    box = page.page.locator("#tl-canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + 500, box["y"] + 120
    page.page.mouse.move(x, y)
    whole, at = seen(page), page.page.evaluate("antipaxosTimeline.view.at(500)")
    page.page.mouse.wheel(0, -40)
    assert whole == seen(page)

    page.page.keyboard.down("Control")
    page.page.mouse.wheel(0, -200)
    page.page.keyboard.up("Control")
    page.until("antipaxosTimeline.view.span < antipaxosTimeline.view.d.end_s")
    assert at == pytest.approx(page.page.evaluate("antipaxosTimeline.view.at(500)"))


def test_dragging_moves_the_run_along(page: Watched) -> None:
    """The moment that was grasped stays under the pointer."""
    page.page.evaluate("antipaxosTimeline.range(1, 2)")
    before = seen(page)
    box = page.page.locator("#tl-canvas").bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + 600, box["y"] + 120)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 400, box["y"] + 120, steps=4)
    page.page.mouse.up()

    width = page.page.evaluate("antipaxosTimeline.view.width")
    moved = 200 / width * (before[1] - before[0])
    assert before[0] + moved == pytest.approx(seen(page)[0], rel=1e-3)


def test_filters_narrow_and_are_counted(page: Watched) -> None:
    """By key, node, operation, process, fault and what an operation says."""
    page.page.fill("#tl-key", "r1")
    page.page.select_option("#tl-f", "read")
    page.until("antipaxosTimeline.view.shown < 900")
    assert page.page.inner_text("#tl-count").endswith(" of 3,000 operations")

    page.page.fill("#tl-key", "")
    page.page.select_option("#tl-f", "")
    page.page.select_option("#tl-during", "0")
    page.until("antipaxosTimeline.view.shown > 450 && antipaxosTimeline.view.shown < 550")
    page.page.select_option("#tl-during", "")
    page.page.fill("#tl-text", "no such thing")
    page.until("antipaxosTimeline.view.shown === 0")


def test_links_of_the_page_lead_here(page: Watched) -> None:
    """To an operation, or to a span of time."""
    page.page.click("#link")
    assert "operation " in page.page.inner_text("#tl-selected")
    assert seen(page)[1] - seen(page)[0] < 1

    page.page.click("#range")
    assert (pytest.approx(0.15), pytest.approx(0.45)) == seen(page)


def test_operations_can_be_stepped_through(page: Watched) -> None:
    """n and p, in the order of their invocations, each told in a live region."""
    page.page.focus("#tl-canvas")
    page.page.keyboard.press("n")
    first = page.page.inner_text("#tl-selected")
    page.page.keyboard.press("n")
    second = page.page.inner_text("#tl-selected")
    assert first.startswith("operation 0, process 0")
    assert first != second
    page.page.keyboard.press("p")
    assert first == page.page.inner_text("#tl-selected")
    page.page.keyboard.press("Escape")
    assert "" == page.page.inner_text("#tl-selected")


def test_what_is_pointed_at_is_told(page: Watched) -> None:
    """An operation, a fault, a log line; as text, whatever it contains."""
    found = page.page.evaluate(
        """() => { const t = antipaxosTimeline, p = t.panels, v = t.view;
        t.frame();
        const out = [];
        const at = (seconds, y) => { t.point(v.x(seconds), y);
          out.push(document.getElementById("tl-tip").textContent); };
        at(v.d.groups[0].bars[0].from + 0.1, p.groups[0].y + 5);
        at(v.d.lines[3][0], p.logs.y + 5);
        at(v.d.start[1200], p.rows.y + (v.d.row[1200] + 0.5) * p.rows.each);
        at(0.5, p.rates.y + 30);
        return out; }"""
    )

    assert found[0].startswith("kill of n1 from 1.0 s to 1.5 s (seen in effect)")
    assert found[1].endswith("n1  says <b>3</b>")
    assert found[2].startswith("operation ")
    assert " ok, " in found[3]


def test_the_same_is_there_as_text(page: Watched) -> None:
    """A table of what is in view, and the log lines, for who cannot see the drawing."""
    page.page.evaluate("document.querySelectorAll('.tl-list').forEach((d) => { d.open = true; })")
    page.page.evaluate("antipaxosTimeline.range(0.2, 0.3)")
    page.until("document.querySelectorAll('#tl-rows tr').length > 50")
    page.until("document.querySelectorAll('#tl-lines li').length === 2")
    assert "says <b>2</b>" in page.page.inner_text("#tl-lines")
    page.page.evaluate("document.querySelectorAll('.tl-list').forEach((d) => { d.open = false; })")
