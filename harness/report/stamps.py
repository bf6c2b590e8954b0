"""Time stamps of log lines, as real programs write them, read as nanoseconds of UTC.

Rules
1. One form a file: the one that most of its first lines have. So a date in the middle of a message
   is no stamp, and a line costs one match of one pattern.
2. What a stamp leaves out (its day, its year) is what puts it nearest to the stamp before it, the
   first to the origin of the run: midnight and the new year come out right.
3. Without an offset from UTC it is local time. Of the two readings of the hour that summer time
   repeats the one nearest to the stamp before it is taken.
4. A leap second (23:59:60) is the first of the next minute, as UTC in Unix time has it. A stamp
   that is no time (month 13) is none.

Sources: ISO 8601 and RFC 3339; RFC 3164 (syslog); the headers of glog and klog; Go's package log;
etcd's zap and capnslog; log4j, logback and Python's logging with their usual patterns; logfmt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec

NS_PER_S = 1_000_000_000
DAY_S = 86_400
_UNIX_DAY = date(1970, 1, 1).toordinal()
_ZONE_STEP_S = 900  # no zone changes its offset more often
_AHEAD_S = 4_300_000_000_000  # beyond what datetime can say: no stamp

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIGITS = {10: NS_PER_S, 13: 1_000_000, 16: 1000, 19: 1}  # of a number, and what one of it is

_CLOCK = r"(?P<h>\d\d):(?P<mi>\d\d):(?P<s>\d\d)(?:[.,](?P<f>\d{1,9})\d*)?"
_ISO = (
    r"(?P<y>\d{4})-?(?P<mo>\d\d)-?(?P<d>\d\d)(?:T| {1,2})"
    r"(?P<h>\d\d):?(?P<mi>\d\d):?(?P<s>\d\d)(?:[.,](?P<f>\d{1,9})\d*)?"
    r" ?(?P<z>Z\b|UTC\b|GMT\b|[+-]\d\d(?::?\d\d)?(?!\d))?(?: UTC\b)?"
)
_NUMBER = r"(?P<n>\d{9,19})(?:\.(?P<f>\d{1,9})\d*)?(?:[eE]\+?(?P<e>\d{1,2}))?(?![\d.:-])"
_KEY = r"(?:^|[\s{,])\"?(?:ts|time|timestamp|@timestamp|t|date)\"?\s{0,2}[=:]\s{0,2}\"?"
_OPEN = r"^[\[(<\"']?"
_CLOSE = r"[\])>\"']?"


class Zone:
    """Local time of the machine that wrote a log. `name`: as IANA has it, empty where unknown."""

    def __init__(self, name: str = "", offset_s: int = 0) -> None:
        self._info: ZoneInfo | None = None
        if name:
            try:
                self._info = ZoneInfo(name)
            except (ValueError, OSError, KeyError):
                self._info = None  # not known here: the offset at the origin serves
        self._offset_s = offset_s
        self._known: dict[int, tuple[int, ...]] = {}

    def utc_ns(self, local_ns: int, near_ns: int) -> int:
        """Rule 3."""
        step = local_ns // (_ZONE_STEP_S * NS_PER_S)
        offsets = self._known.get(step)
        if offsets is None:
            offsets = self._known[step] = self._offsets_s(step * _ZONE_STEP_S)
        if len(offsets) == 1:
            return local_ns - offsets[0] * NS_PER_S
        readings = [local_ns - offset_s * NS_PER_S for offset_s in offsets]
        return min(readings, key=lambda utc_ns: abs(utc_ns - near_ns))

    def _offsets_s(self, local_s: int) -> tuple[int, ...]:
        if self._info is None:
            return (self._offset_s,)
        try:
            local = datetime.fromtimestamp(local_s, UTC).replace(tzinfo=self._info)
        except (ValueError, OverflowError, OSError):
            return (self._offset_s,)
        ways = [local.replace(fold=fold).utcoffset() for fold in (0, 1)]
        return tuple(sorted({round(way.total_seconds()) for way in ways if way is not None}))


class Form(msgspec.Struct, frozen=True):
    """One way to write a stamp. `nanoseconds(match, zone, near_ns)`: None where it is no time. A
    group `p` of the pattern is what stands before the stamp and belongs to the message."""

    name: str
    pattern: re.Pattern[str]
    nanoseconds: Callable[[re.Match[str], Zone, int], int | None]

    def stamp(self, line: str, zone: Zone, near_ns: int) -> tuple[int, re.Match[str]] | None:
        """When the line was written, and where that stands; None where it has no stamp."""
        found = self.pattern.search(line)
        if found is None:
            return None
        time_ns = self.nanoseconds(found, zone, near_ns)
        return None if time_ns is None else (time_ns, found)


def recognised(lines: Iterable[str]) -> Form | None:
    """The form that most of these lines have, the first of FORMS among equals; None for none."""
    counts = dict.fromkeys(range(len(FORMS)), 0)
    zone = Zone()
    for line in lines:
        for number, form in enumerate(FORMS):
            if form.stamp(line, zone, 0) is not None:
                counts[number] += 1
    best = max(counts, key=lambda number: (counts[number], -number))
    return FORMS[best] if counts[best] else None


def _ns(day: int, match: re.Match[str]) -> int | None:
    """Of a day since 1970 and the time of day that matched."""
    h, mi, s, f = match.group("h", "mi", "s", "f")
    hour, minute, second = int(h), int(mi), int(s)
    if hour > 23 or minute > 59 or second > 60:
        return None
    part_ns = int(f.ljust(9, "0")) if f else 0
    if second == 60:
        part_ns = 0  # :60.7 would otherwise come after what follows it
    return (day * DAY_S + hour * 3600 + minute * 60 + second) * NS_PER_S + part_ns


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _UNIX_DAY
    except ValueError:
        return None


def _whole(match: re.Match[str], zone: Zone, near_ns: int) -> int | None:
    """Year to second; with an offset, or local."""
    y, mo, d = match.group("y", "mo", "d")
    day = _day(int(y), int(mo), int(d))
    local_ns = None if day is None else _ns(day, match)
    if local_ns is None:
        return None
    offset = match.groupdict().get("z")
    if not offset:
        return zone.utc_ns(local_ns, near_ns)
    return local_ns - _offset_ns(offset)


def _offset_ns(offset: str) -> int:
    if offset[0] not in "+-":
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    ahead_ns = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * NS_PER_S
    return -ahead_ns if offset[0] == "-" else ahead_ns


def _yearless(match: re.Match[str], zone: Zone, near_ns: int) -> int | None:
    month, day = match.group("mo", "d")
    number = int(month) if month.isdigit() else _MONTHS.index(month) + 1
    near = 1970 + near_ns // (NS_PER_S * DAY_S * 365)  # good to a year for some centuries
    return _nearest(
        (_day(year, number, int(day)) for year in range(near - 2, near + 2)), match, zone, near_ns
    )


def _dayless(match: re.Match[str], zone: Zone, near_ns: int) -> int | None:
    near = near_ns // (NS_PER_S * DAY_S)
    return _nearest(range(near - 2, near + 3), match, zone, near_ns)


def _nearest(
    days: Iterable[int | None], match: re.Match[str], zone: Zone, near_ns: int
) -> int | None:
    """Rule 2."""
    times = [_ns(day, match) for day in days if day is not None and day >= 0]
    found = [zone.utc_ns(time_ns, near_ns) for time_ns in times if time_ns is not None]
    return min(found, key=lambda utc_ns: abs(utc_ns - near_ns), default=None)


def _number(match: re.Match[str], zone: Zone, near_ns: int) -> int | None:  # noqa: ARG001
    """Seconds, milli-, micro- or nanoseconds since 1970: as many digits say which, until 2286."""
    whole, fraction, exponent = match.group("n", "f", "e")
    unit = _DIGITS.get(len(whole))
    if unit is None or exponent:
        return None
    return int(whole) * unit + int((fraction or "").ljust(9, "0")) * unit // NS_PER_S


def _scientific(match: re.Match[str], zone: Zone, near_ns: int) -> int | None:  # noqa: ARG001
    """1.7955999e+09, as zap's production encoder writes seconds."""
    return round(float(match["n"]) * 1000) * 1_000_000 if float(match["n"]) < _AHEAD_S else None


def _form(name: str, pattern: str, how: Callable[[re.Match[str], Zone, int], int | None]) -> Form:
    return Form(name, re.compile(pattern), how)


# Those that say most come first: among equals the first one counts.
FORMS = (
    _form("iso", _OPEN + _ISO + _CLOSE, _whole),
    _form("keyed", _KEY + _ISO + r"\"?", _whole),
    _form(
        "levelled", r"^(?P<p>[\[(<]?[A-Za-z]{1,10}[\])>]?:?\s{1,4})[\[(<]?" + _ISO + _CLOSE, _whole
    ),
    _form(
        "go",
        rf"^(?P<p>[^\s\d]\S{{0,30}}\s)?(?P<y>\d{{4}})/(?P<mo>\d\d)/(?P<d>\d\d) {_CLOCK}(?P<z>Z)?",
        _whole,
    ),
    _form("klog", rf"^(?P<p>[IWEF])(?P<mo>\d\d)(?P<d>\d\d) {_CLOCK}", _yearless),
    _form(
        "syslog",
        rf"^(?:<\d{{1,3}}>)?(?P<mo>{'|'.join(_MONTHS)}) {{1,2}}(?P<d>\d{{1,2}}) {_CLOCK}",
        _yearless,
    ),
    _form("keyed number", _KEY + _NUMBER + r"\"?", _number),
    _form(
        "keyed float",
        _KEY + r"(?P<n>\d\.\d{1,17}[eE]\+?(?:9|09|12|15|18))(?![\d.])",
        _scientific,
    ),
    _form("time", _OPEN + _CLOCK + r"(?![\d:])" + _CLOSE, _dayless),
    _form("number", _OPEN + _NUMBER + _CLOSE, _number),
)
