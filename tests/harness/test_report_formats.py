"""Markdown for tickets, JSON for programs, pictures for papers: one content, each in its form."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from checkers.formats import write_jsonl
from harness import drawing, forms, recheck
from harness.recheck import Asked, Judged
from harness.report import markdown, picture, raster
from harness.report.findings import Subject
from tests.harness import report_scenes as scenes
from tests.harness.real import needs_module

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"


def judged(name: str) -> Judged:
    verdict, recording = scenes.judged(name)
    return Judged(
        verdict=verdict,
        recording=recording,
        notices=["a node crashed"],
        trial=None,
        environment={},
        operations=len(recording.history.calls()),
    )


def subject(of: Judged, title: str = "night-7") -> Subject:
    return Subject(title=title, rerun="antipaxos run --seed 7", notices=of.notices)


@pytest.mark.parametrize("name", sorted(scenes.SCENES))
def test_every_kind_of_finding_has_every_form(name: str) -> None:
    """Each is whole, and known as ours again."""
    of = judged(name)
    told = json.loads(forms.json(of, subject(of)))
    text = forms.md(of, subject(of)).decode()
    assert of.verdict.kind.name == told["verdict"]
    assert text.startswith(f"### {of.verdict.kind.name}: night-7\n")
    assert text.count("\n```") % 2 == 0
    if len(of.recording.history):
        root = ElementTree.fromstring(forms.svg(of, subject(of)))
        assert f"{SVG}svg" == root.tag
        assert [] == root.findall(f".//{SVG}script")
    else:
        with pytest.raises(Exception, match="nothing to draw"):
            forms.svg(of, subject(of))


def test_a_ticket_has_the_story_the_picture_and_the_command() -> None:
    """In that order, the picture and the command as code."""
    of = judged("contradiction")
    text = forms.md(of, subject(of)).decode()
    at = [text.index(part) for part in ("**Wrong**", "<- fits nowhere", "```sh\nantipaxos run")]
    assert at == sorted(at)
    assert "> a node crashed" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b*c`d", r"a\_b\*c\`d"),
        ("<b>&", "&lt;b>&amp;"),
        ("@all", "@\u200ball"),
        ("http://x [y](z)", "http:\u200b//x \\[y\\](z)"),
        ("1. no list", r"1\. no list"),
        ("- no list", r"\- no list"),
        ("one\n\ntwo\x1b[0m", "one two\ufffd\\[0m"),
        ("from 1.5 s to -3", "from 1.5 s to -3"),
    ],
)
def test_markdown_is_escaped(text: str, expected: str) -> None:
    """What means something is told to mean nothing, what means nothing stays readable."""
    assert expected == markdown.escaped(text)


def test_code_is_fenced_by_more_ticks_than_it_has() -> None:
    """So that no value ends its block."""
    assert "````\na```b\n````" == markdown.fenced("a```b")
    assert "`` a`b ``" == markdown.code("a`b")


def test_the_json_has_the_members_that_are_documented() -> None:
    """docs/reports.md names each; a new one must be written down."""
    of = judged("contradiction")
    told = json.loads(forms.json(of, subject(of)))
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
    assert ("antipaxos report", 1) == (told["format"], told["version"])
    assert [] == [name for name in told if f"`{name}`" not in page]


def test_a_window_is_drawn_with_its_culprit_and_no_more_bars_than_fit() -> None:
    """Bars carry what they are; an open end is dashed."""
    of = judged("contradiction, late")
    root = ElementTree.fromstring(forms.svg(of, subject(of)))
    bars = root.findall(f".//{SVG}g/{SVG}rect")
    assert 1 < len(bars) <= forms.BARS_MAX
    assert 1 == sum(bar.get("fill") == "#fbdcdc" for bar in bars)


def test_a_valid_run_is_drawn_as_it_went(tmp_path: Path) -> None:
    """Completions over time, faults shaded."""
    recording = scenes.recorded("p0  |-w1-|   |-w2-|", faults=2)
    path = tmp_path / "h.jsonl"
    write_jsonl(recording.history, path)
    asked = Asked(model_name="register", drawn=True)
    of = recheck.check(path, asked)
    root = ElementTree.fromstring(forms.svg(of, drawing.subject_of(path, of, asked)))
    shades = [r for r in root.iter(f"{SVG}rect") if r.get("fill-opacity")]
    assert 2 == len(shades)
    assert 3 == len(root.findall(f".//{SVG}polyline"))


@pytest.mark.parametrize(
    ("end_s", "expected"),
    [(22.0, [0, 5, 10, 15, 20]), (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0.001, None)],
)
def test_ticks_are_round(end_s: float, expected: list[float] | None) -> None:
    """From 0, and none behind the end."""
    found = picture._ticks(end_s)
    assert all(0 <= tick <= end_s for tick in found)
    assert expected in (None, found)


def test_text_is_drawn_on_a_machine_without_fonts() -> None:
    """By the font that is brought along: not one sign is left to the machine's."""
    needs_module("resvg_py", "antipaxos[png]")
    needs_module("font_source_sans_pro", "antipaxos[png]")
    of = judged("contradiction")
    svg = forms.svg(of, subject(of)).decode()
    drawn = raster.png(svg, system_fonts=False)
    without = raster.png(svg.replace("<text", "<desc").replace("</text", "</desc"))
    assert drawn.startswith(PNG)
    assert picture.MARK.encode() in drawn[:200]
    assert raster.png(svg) == drawn
    assert len(drawn) > 3 * len(without)
