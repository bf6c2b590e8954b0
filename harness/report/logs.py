"""Log lines of nodes on the clock of the run.

Rules
1. A line is placed by the stamp that it bears (see stamps). One without stands with the line before
   it: a stack trace is one text. Those before the first stamp are dropped, and counted.
2. Where a fault had skewed the wall clock of its node, a stamp lies by as much, and the line is put
   back. It is the earliest such time that is not before the line above: files are written in order.
3. Everything has a bound: of a large file the beginning, the end and what is around the moment of
   interest are read; of the lines those around it are kept, then errors, then warnings, and an
   even sample of the rest. What is left out is told.
4. A log is what somebody else wrote: bytes that are no text, control characters and colours are
   taken out. A file that is a link is not followed, for it may lead out of the run's folder.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from harness.report.clocks import ClockSpan
from harness.report.stamps import Form, Zone, recognised

LINES_MAX = 1000  # of one node
TEXT_MAX = 500
READ_BYTES_MAX = 2 * 2**20  # of one file
LINE_BYTES_MAX = 4096
FOLLOWING_MAX = 50  # lines of one stack trace
FIRST_LINES = 200  # by which the form of stamps is recognised
FILES_MAX = 20  # of one node
EDGE_NS = 1_000_000_000  # a fault begins and ends within so much of what its span says
SLACK_NS = 50_000_000  # threads of one program write lines out of order by as much

_NOISE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?")
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029, 0xFEFF), " ")
_TURNS_TEXT = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), None)
_CLEANED = {**_CONTROLS, **_TURNS_TEXT}
_LEVEL = re.compile(
    r"\b(?:(?P<error>ERR(?:OR)?|FATAL|CRIT(?:ICAL)?|D?PANIC|SEVERE|EMERG(?:ENCY)?|ALERT)"
    r"|(?P<warning>WARN(?:ING)?)|INFO|DEBUG|TRACE|NOTICE)\b"
)
_KEYED_LEVEL = re.compile(
    r"\b(?:level|lvl|severity)\"?\s?[=:]\s?\"?(?:(?P<error>err|eror|fatal|crit|d?panic|emerg|alert|severe)"
    r"|(?P<warning>warn)|\w)",
    re.IGNORECASE,
)
_LETTER = re.compile(r"^(?:(?P<error>[EFC])|(?P<warning>W)|[IDNT])(?: \||\s|\d{4} )")
_BRACKET = re.compile(
    r"[\[<](?:(?P<error>err(?:or)?|fatal|crit(?:ical)?|panic)|(?P<warning>warn(?:ing)?)|info|debug)[\]>]",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"^(?:Traceback \(most recent call last\)|panic: |fatal error: |Fatal Python error"
    r"|Exception in thread |thread '.*' panicked|Segmentation fault|Killed\b|Aborted\b)"
)
_LEVEL_WITHIN = 120  # characters from the beginning
_JSON_SHOWN = {"msg", "message", "level", "lvl", "severity", "ts", "time", "timestamp", "caller"}


class LogLine(msgspec.Struct, frozen=True):
    """`time_ns`: in the time of the run. `level`: 'error', 'warning' or '' for all else."""

    time_ns: int
    node: str
    text: str
    level: str = ""


class _Raw(msgspec.Struct):
    """A stamped line as it stands, and in `rest` those without a stamp that follow it."""

    time_ns: int
    level: str
    head: str
    stamp: re.Match[str]
    rest: list[str]


class _Found(msgspec.Struct):
    """What one node's files hold. `early`: lines before the first stamp."""

    lines: list[_Raw]
    early: int = 0
    moved: int = 0  # were put back by the offset of a skewed clock
    notices: list[str] = []


def log_files(folder: Path) -> list[Path]:
    """The logs in the folder of one node: its output, and what else its system named."""
    kept = folder / "logs"
    others = sorted(kept.iterdir()) if kept.is_dir() and not kept.is_symlink() else []
    return [file for file in (folder / "log", *others[:FILES_MAX]) if file.exists()]


def read_logs(
    files: Mapping[str, Sequence[Path]],
    origin_utc_ns: int,
    notices: list[str],
    *,
    zone: Zone | None = None,
    clocks: Sequence[ClockSpan] = (),
    around_ns: int | None = None,
) -> list[LogLine]:
    """By time, of all nodes. `origin_utc_ns`: what the wall clock showed as the run began.
    `around_ns`: where in the run it is interesting. What is left out goes to `notices`; nothing
    raises."""
    lines: list[LogLine] = []
    told: dict[str, list[str]] = {}
    for node, paths in files.items():
        spans = [s for s in clocks if s.node == node and s.clock == "wall"]
        reading = _Reading(origin_utc_ns, zone or Zone(), spans, around_ns)
        found = _Found([])
        for path in paths:
            _read_file(path, reading, found)
        notices += [f"The log {sentence}" for sentence in found.notices]
        if found.early:
            told.setdefault("early", []).append(f"{node} ({found.early:,})")
        if found.moved:
            told.setdefault("moved", []).append(f"{node} ({found.moved:,})")
        if len(found.lines) > LINES_MAX:
            told.setdefault("many", []).append(f"{node} ({len(found.lines):,})")
        lines += [_line(node, raw) for raw in kept(found.lines, around_ns)]
    notices += _told(told)
    return sorted(lines, key=lambda line: line.time_ns)


def _told(told: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if "early" in told:
        yield f"Log lines before the first that bears a time are left out: {_and(told['early'])}."
    if "moved" in told:
        yield (
            "Log lines that were written while a fault had skewed their node's clock are put back "
            f"by its offset, which may be wrong near its beginning and end: {_and(told['moved'])}."
        )
    if "many" in told:
        yield (
            f"Of the log lines of a node {LINES_MAX:,} are shown, errors and warnings before "
            f"others: {_and(told['many'])}."
        )


def _and(words: Sequence[str]) -> str:
    return ", ".join(words)


class _Reading:
    """How the stamps of one node become times of the run."""

    def __init__(
        self, origin_ns: int, zone: Zone, spans: Sequence[ClockSpan], around_ns: int | None
    ) -> None:
        self.origin_ns, self.zone, self.around_ns = origin_ns, zone, around_ns
        self._spans = spans

    def true_ns(self, shown_ns: int, before_ns: int | None) -> int:
        """Rule 2. `shown_ns`: as the stamp says; `before_ns`: of the line above. Both in the run's
        time, as if the clock were right."""
        if not self._spans:
            return shown_ns
        candidates = [] if self._surely_off(shown_ns) else [shown_ns]
        for span in self._spans:
            rate = 1.0 + span.drift_ppm / 1e6
            if rate <= 0:
                continue
            begun_ns = span.start_ns + span.offset_at_ns(span.start_ns)
            at_ns = span.start_ns + round((shown_ns - begun_ns) / rate)
            if span.start_ns <= at_ns and (span.end_ns is None or at_ns <= span.end_ns):
                candidates.append(at_ns)
        if not candidates:
            return shown_ns
        if before_ns is None:
            return min(candidates)
        later = [at_ns for at_ns in candidates if at_ns >= before_ns - SLACK_NS]
        return min(later) if later else max(candidates)

    def _surely_off(self, time_ns: int) -> bool:
        """Is this a time at which the clock showed another? At the edges of a span it may not."""
        return any(
            span.start_ns + EDGE_NS < time_ns
            and (span.end_ns is None or time_ns < span.end_ns - EDGE_NS)
            for span in self._spans
        )


def _read_file(path: Path, reading: _Reading, found: _Found) -> None:
    if path.is_symlink() or not path.is_file():
        found.notices.append(f"{path} is not read: it is no file of the run.")
        return
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            first = [_text(line) for line in itertools.islice(_lines(file, 0, 2**18), FIRST_LINES)]
            form = recognised(first)
            if form is None:
                if any(first):
                    found.notices.append(
                        f"{path} is left out: none of its first lines bears a time."
                    )
                return
            near_ns = reading.origin_ns
            for start, end in _parts(file, size, form, reading):
                lines = _lines(file, start, end)
                near_ns, early = _read_part(lines, form, reading, near_ns, found)
                found.early += early if start == 0 else 0
    except OSError as wrong:
        found.notices.append(f"{path} cannot be read: {wrong.strerror}.")
        return
    if size > READ_BYTES_MAX:
        around = " and its lines around what was found" if reading.around_ns is not None else ""
        found.notices.append(
            f"{path} has {size:,} bytes: its beginning, its end{around} were read, "
            f"{READ_BYTES_MAX:,} bytes in all."
        )


def _read_part(
    lines: Iterable[bytes], form: Form, reading: _Reading, near_ns: int, found: _Found
) -> tuple[int, int]:
    """Of one part of a file: the last stamp, and how many lines came before the first. `near_ns`:
    the last stamp before. Lines without a stamp stand with one of the same part."""
    before_ns, early = None, 0
    raw: _Raw | None = None
    for data in lines:
        line = _text(data)
        stamped = form.stamp(line, reading.zone, near_ns)
        if stamped is not None:
            near_ns, match = stamped
            shown_ns = near_ns - reading.origin_ns
            before_ns = reading.true_ns(shown_ns, before_ns)
            found.moved += before_ns != shown_ns
            raw = _Raw(before_ns, level_of(line, match.end()), line, match, [])
            found.lines.append(raw)
        elif not line or line.isspace():
            continue
        elif raw is None:
            early += 1
        elif len(raw.rest) < FOLLOWING_MAX:
            raw.rest.append(line)
            raw.level = "error" if _BROKEN.match(line) else raw.level
    return near_ns, early


def _without(line: str, stamp: re.Match[str]) -> str:
    """A line without its stamp; JSON stays whole."""
    if line.startswith("{"):
        return line
    before = line[: stamp.start()] + (stamp.groupdict().get("p") or "")
    after = line[stamp.end() :].lstrip(" :-|,")
    return f"{before.strip()} {after}".strip() or line


def level_of(line: str, stamp_end: int = 0) -> str:
    """'error', 'warning' or ''. `stamp_end`: where the stamp of the line ends."""
    head = line[: stamp_end + _LEVEL_WITHIN]
    if _BROKEN.match(head[stamp_end:].lstrip()):
        return "error"
    found = (
        _LETTER.match(head)
        or _LETTER.match(head[stamp_end:].lstrip())
        or _KEYED_LEVEL.search(head)
        or _BRACKET.search(head)
        or _LEVEL.search(head)
    )
    return (found.lastgroup or "") if found is not None else ""


def kept(lines: Sequence[_Raw], around_ns: int | None) -> Sequence[_Raw]:
    """At most LINES_MAX: half of them those nearest to `around_ns`, then rule 3."""
    if len(lines) <= LINES_MAX:
        return lines
    chosen: list[_Raw] = []
    left = list(lines)
    if around_ns is not None:
        left.sort(key=lambda raw: abs(raw.time_ns - around_ns))
        chosen, left = left[: LINES_MAX // 2], left[LINES_MAX // 2 :]
        left.sort(key=lambda raw: raw.time_ns)
    for level in ("error", "warning", ""):
        room = LINES_MAX - len(chosen)
        chosen += _even([raw for raw in left if raw.level == level], room)
    return chosen


def _even(lines: Sequence[_Raw], count: int) -> Sequence[_Raw]:
    if len(lines) <= count:
        return lines
    return [lines[number * len(lines) // count] for number in range(count)]


def _line(node: str, raw: _Raw) -> LogLine:
    text = " | ".join([_told_json(_without(raw.head, raw.stamp)), *raw.rest])
    text = " ".join(text.split())
    if len(text) > TEXT_MAX:
        text = f"{text[: TEXT_MAX - 1]}…"
    return LogLine(raw.time_ns, node, text, raw.level)


def _told_json(text: str) -> str:
    """A line of JSON as a sentence: its message, and what else it says."""
    if not text.startswith("{"):
        return text
    try:
        said = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text
    message = said.get("msg", said.get("message"))
    if not isinstance(message, str):
        return text
    rest = (f"{k}={_plain(v)}" for k, v in said.items() if k not in _JSON_SHOWN)
    return " ".join([message.strip(), *rest]).translate(_CLEANED)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _text(line: bytes) -> str:
    """Rule 4."""
    text = line[:LINE_BYTES_MAX].decode(errors="replace").rstrip("\r\n")
    if "\x1b" in text:
        text = _NOISE.sub("", text)
    return text.translate(_CLEANED) if not text.isprintable() else text


def _parts(file: BinaryIO, size: int, form: Form, reading: _Reading) -> Sequence[tuple[int, int]]:
    """Which bytes are read, from and to (rule 3)."""
    if size <= READ_BYTES_MAX:
        return [(0, size)]
    half = READ_BYTES_MAX // 2
    if reading.around_ns is None:
        return [(0, half), (size - half, size)]
    quarter = half // 2
    middle = _place_of(file, size, form, reading, reading.around_ns)
    start = min(max(middle - quarter, quarter), size - quarter - half)
    return [(0, quarter), (start, start + half), (size - quarter, size)]


def _place_of(file: BinaryIO, size: int, form: Form, reading: _Reading, around_ns: int) -> int:
    """Where lines of that time stand, by bisection: a log is written in the order of time, nearly.
    Clocks that were skewed spoil that, and what is read then is another part of the log."""
    low, high = 0, size
    while high - low > READ_BYTES_MAX // 8:
        middle = (low + high) // 2
        time_ns = _first_time(file, middle, high, form, reading)
        if time_ns is None or time_ns >= around_ns:
            high = middle
        else:
            low = middle
    return low


def _first_time(file: BinaryIO, start: int, end: int, form: Form, reading: _Reading) -> int | None:
    near_ns = reading.origin_ns
    for line in itertools.islice(_lines(file, start, min(end, start + 2**18)), FIRST_LINES):
        stamped = form.stamp(_text(line), reading.zone, near_ns)
        if stamped is not None:
            return stamped[0] - reading.origin_ns
    return None


def _lines(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """The whole lines between two places: a torn stamp may read as another time. Of a line that is
    longer than that, if it is the first, what there is."""
    file.seek(start)
    pieces = file.read(end - start).split(b"\n")
    torn = len(pieces) > 1 and file.read(1) != b""
    yield from pieces[1 if start else 0 : -1 if torn else None]
