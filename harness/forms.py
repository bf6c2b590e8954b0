"""The forms that a report takes: a page, Markdown, JSON, a picture.

Rule: each carries, where nobody reads it, the mark by which it is known as ours again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from checkers.verdict import Kind
from harness.drawing import page
from harness.recheck import Judged
from harness.report import raster
from harness.report.as_json import as_json
from harness.report.explanations import Explanation
from harness.report.findings import Findings, Read, Subject, findings, read
from harness.report.markdown import markdown
from harness.report.picture import MARK, overview_svg, window_svg
from harness.report.terminal import most_telling_first, picture
from harness.trial import TrialError

BARS_MAX = 14  # in a picture: what fits a column of a paper
_ENDS = 4_096  # bytes of a file's beginning and end in which its mark is looked for


def html(judged: Judged, subject: Subject) -> bytes:
    return page(judged, subject).encode()


def md(judged: Judged, subject: Subject) -> bytes:
    known, found = _found(judged, subject)
    pictures = ["\n".join(picture(one)) for one in known.explained]
    return f"{markdown(found, pictures)}\n<!-- {MARK} -->\n".encode()


def json(judged: Judged, subject: Subject) -> bytes:
    known, found = _found(judged, subject)
    return as_json(found, known.stats).encode()


def svg(judged: Judged, subject: Subject) -> bytes:
    return _picture(judged, subject).encode()


def png(judged: Judged, subject: Subject) -> bytes:
    return raster.png(_picture(judged, subject))


FORMS: Mapping[str, Callable[[Judged, Subject], bytes]] = {
    "html": html,
    "md": md,
    "json": json,
    "svg": svg,
    "png": png,
}


def can_draw_png() -> None:
    """Raises TrialError where what draws them is not installed."""
    try:
        raster.installed()
    except raster.NoRaster as wrong:
        raise TrialError([str(wrong)]) from wrong


def is_ours(file: Path) -> bool:
    """Is the file a report, of whichever form? An empty one may be written over, too."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        head = content.read(_ENDS)
        content.seek(max(file.stat().st_size - _ENDS, 0))
        return not head or MARK.encode() in head + content.read()


def _found(judged: Judged, subject: Subject) -> tuple[Read, Findings]:
    known = read(judged.verdict, judged.recording, judged.overview)
    return known, findings(judged.verdict, judged.recording, subject, known)


def _picture(judged: Judged, subject: Subject) -> str:
    """The first window that was found; of a run without one, how it went."""
    known, found = _found(judged, subject)
    shown = zip(known.explained, found.findings, strict=False)
    one = next(((e, f) for e, f in shown if f.window is not None), None)
    if one is not None and judged.verdict.kind is not Kind.VALID:
        explained, finding = one
        assert finding.window is not None
        chosen = _chosen(explained)
        bars = [bar for bar in finding.window.bars if bar.operation in chosen]
        force = [s for s in finding.sentences if s.startswith(("In force then", "No fault"))]
        summary = f"{judged.verdict.kind.name}. {explained.verdict.summary}"
        return window_svg(bars or finding.window.bars, subject.title, summary, force)
    if not len(judged.recording.history):
        raise TrialError(
            [f"{subject.title}: there is nothing to draw a picture of: {judged.verdict.summary}"]
        )
    summary = f"{judged.verdict.kind.name}. {judged.verdict.summary}"
    return overview_svg(known.stats, known.faults, subject.title, summary)


def _chosen(explained: Explanation) -> set[int]:
    return {call.index for call in most_telling_first(explained)[:BARS_MAX]}
