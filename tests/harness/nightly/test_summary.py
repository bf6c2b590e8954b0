"""The morning's word: on a terminal, as Markdown, as JUnit XML; whatever a history has in it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec
import pytest

from harness.nightly.grouping import group
from harness.nightly.records import Group, Night, RunRecord
from harness.nightly.summary import SHOWN_MAX, junit, markdown, terminal
from harness.nightly.trends import trends
from tests.harness.nightly.nights import FIRST, SECOND, THIRD, failed, known, night, run, runs

ADDRESS = "/var/lib/antipaxos"
GONE = known("integrity-gone00", cells={"paxos register chaos simulated 5": (50, 100)})
NASTY = "n1 | `rm -rf` <script>alert(1)</script>\n# @all \x1b[31m\x00 \ud800 ![x](http://e.org)"


def scene(
    records: Sequence[RunRecord] = (), before: Sequence[Group] = ()
) -> tuple[Night, list[RunRecord], list[Group]]:
    """A night with a new failure, a known one, one that goes and one that does not show."""
    told = [
        failed(1, "agreement-new000"),
        failed(2),
        run(3, "hung", why="it hung for 60 s"),
        *runs(150),
        *records,
    ]
    before = [known(), GONE, known("validity-rare00", cells={GONE_CELL: (1, 100)}), *before]
    grouped = group(told, before, SECOND, None)
    return night(SECOND, told, gone=["integrity-gone00"]), told, grouped.groups


GONE_CELL = "paxos register chaos simulated 5"


def test_the_terminal_tells_what_is_new_first() -> None:
    """New, known, gone, not seen, then the cells and where all of it is."""
    of, _, groups = scene()
    told = "\n".join(terminal(of, groups, ADDRESS))
    places = [told.index(word) for word in ("NEW 1", "KNOWN 1", "GONE 1", "NOT SEEN 1", "cell  ")]
    assert sorted(places) == places
    assert "night 20261122T220000Z: 1.0 h, 4 workers; its budget was spent" in told
    assert "153 runs (153/h): valid 150, invalid 2, hung 1" in told
    assert "agreement-new000  paxos  in 1 of 152 runs" in told
    assert "agreement-a1b2c3  paxos  in 1 of 152 runs, in 2 nights since 20261121T220000Z" in told
    assert "antipaxos replay nights/paxos-register/20261121T220102Z-7" in told
    assert "failed in 50 of 100 runs, in none of 152 since (by chance alone: under 0.01 %)" in told
    assert "nothing much: the chance is 40% if nothing changed" in told
    assert f"archive  {ADDRESS}/nights/{SECOND}" in told


def test_what_came_back_is_not_told_as_merely_known() -> None:
    """A bug that was mended and is there again wants another reader."""
    gone = group(runs(500), [known()], SECOND, None).groups
    records = runs(9, [failed(1)])
    groups = group(records, gone, THIRD, None).groups
    told = "\n".join(terminal(night(THIRD, records), groups, ADDRESS))
    assert "BACK 1" in told
    assert "KNOWN" not in told


def test_a_night_without_a_failure_is_told_as_one() -> None:
    """Also one in which nothing was run: that is said."""
    assert markdown(night(FIRST, runs(3)), [], ADDRESS).startswith("# No failure in 3 runs\n")
    told = terminal(night(FIRST), [], ADDRESS)
    assert "0 runs (0/h): nothing was run" in told
    assert "no cell was run" in told


def nasty() -> tuple[Night, list[RunRecord], list[Group]]:
    named = {"sentence": NASTY, "law": NASTY, "shape": NASTY}
    of, records, groups = scene([failed(9, "agreement-`|`x", **named)])
    cells = [msgspec.structs.replace(cell, in_effect={NASTY: 3}) for cell in of.cells]
    groups = [msgspec.structs.replace(g, replay=f"antipaxos ``` {NASTY}") for g in groups]
    records.append(run(10, "trouble", why=NASTY))
    return msgspec.structs.replace(of, stopped=NASTY, cells=cells), records, groups


def test_nothing_of_a_history_moves_a_terminal() -> None:
    """A control character could rewrite what is above."""
    of, _, groups = nasty()
    told = terminal(of, groups, f"/tmp/{NASTY}")
    assert all(line.isprintable() for line in told)
    "\n".join(told).encode()


def test_nothing_of_a_history_means_anything_in_markdown() -> None:
    """No cell is split, no tag, link, mention, heading or fence comes of it."""
    of, records, groups = nasty()
    found = trends([night(FIRST, records), of], lambda _name: records)
    lines = markdown(of, groups, ADDRESS, found).encode().decode().splitlines()
    fenced, outside, fence = 0, [], ""
    for line in lines:
        if not fence and line.startswith("```"):
            fence = "`" * (len(line) - len(line.lstrip("`")))
            fenced += 1
        elif fence and line == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert ("", True) == (fence, fenced > 1)
    text = "\n".join(outside)
    assert not any(mark in text for mark in ("<script", "`", "@all", "://", "![", "\x1b"))
    rows = [line for line in outside if line.startswith("|")]
    assert {7} == {row.count("|") for row in rows}
    headings = {line.split()[0] for line in outside if line.startswith("#")}
    assert {"#", "##", "###"} == headings


def test_lists_have_an_end() -> None:
    """A system that fails in a hundred ways does not fill a mail."""
    many = [failed(at, f"agreement-{at:06}") for at in range(100)]
    groups = group(many, [], FIRST, None).groups
    told = terminal(night(FIRST, many), groups, ADDRESS)
    assert f"  and {100 - SHOWN_MAX} more, in nights/groups.json" in told
    assert SHOWN_MAX == markdown(night(FIRST, many), groups, ADDRESS).count("\n### ")


# --- JUnit ---


def test_junit_has_a_suite_a_cell_and_a_test_a_failure() -> None:
    """Not one for each of the runs that passed."""
    of, records, groups = scene()
    [suite] = parsed(junit(of, records, groups))
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert {
        "every run is judged": ["error"],
        "agreement-new000": ["failure"],
        "agreement-a1b2c3": ["failure"],
        "integrity-gone00": [],
        "validity-rare00": ["skipped"],
    } == cases
    new = next(case for case in suite if case.get("name") == "agreement-new000")[0]
    assert "new: in 1 of 152 runs: n1 chose 3 and n2 chose 4" == new.get("message")
    assert "seeds: 1" in (new.text or "")


@pytest.mark.parametrize(
    ("records", "tag"),
    [([run(1)], None), ([run(1, "unknown", why="out of time")], "skipped")],
)
def test_unknown_is_not_green(records: list[RunRecord], tag: str | None) -> None:
    """Nor is it a failure."""
    [suite] = parsed(junit(night(FIRST, records), records, []))
    [case] = suite.iter("testcase")
    assert tag == next((child.tag for child in case), None)


def test_junit_is_well_formed_whatever_a_history_has_in_it() -> None:
    """Characters that XML cannot hold are written out."""
    of, records, groups = nasty()
    content = junit(of, records, groups)
    [suite] = parsed(content)
    said = next(case for case in suite if case.get("name") == "agreement-`|`x")[0].get("message")
    assert said is not None
    assert "#x1B[31m#x00 #xD800" in said
    assert b"<script>" not in content


def parsed(content: bytes) -> list[ElementTree.Element]:
    """The suites, after a look at all that Jenkins' schema asks for."""
    top = ElementTree.fromstring(content)
    assert "testsuites" == top.tag
    for suite in top:
        assert {"name", "tests", "errors", "failures", "skipped", "time", "timestamp"} < {
            *suite.attrib
        }
        cases = suite.findall("testcase")
        assert "properties" == suite[0].tag
        assert suite[1:] == cases
        for name, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped")):
            assert str(sum(case.find(tag) is not None for case in cases)) == suite.get(name)
        assert str(len(cases)) == suite.get("tests")
        for case in cases:
            assert {"classname", "name", "time"} == {*case.attrib}
            assert len(case) <= 1
            assert all({*child.attrib} <= {"message", "type"} for child in case)
    return list(top)
