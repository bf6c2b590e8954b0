"""What the wall clock showed at the origin of a run: by it, log lines of nodes are put on its time.

Rules
1. Read once, right beside the monotonic origin. If the wall clock is set while a run goes on, the
   lines that follow stand as far off as it was set.
2. Stamps without an offset from UTC are in the zone of the machine that wrote them. Its name is
   kept where it is known, since an offset alone is wrong after a change to or from summer time.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from harness.clock import utc_now

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINK = Path("/etc/localtime")
_ZONES = "/zoneinfo/"


class Wall(msgspec.Struct, frozen=True):
    """`utc_ns`: since the epoch, at the origin of the run. `zone`: the machine's, by its IANA name,
    empty if unknown; `zone_offset_s`: how far local time was ahead of UTC then."""

    utc_ns: int
    zone: str = ""
    zone_offset_s: int = 0


def wall_now() -> Wall:
    """Of this machine, now. Good to a microsecond."""
    now = utc_now()
    return Wall(
        utc_ns=(now - _EPOCH) // timedelta(microseconds=1) * 1000,
        zone=_zone_name(),
        zone_offset_s=_offset_s(now),
    )


def read_wall(file: Path) -> Wall | None:
    """None where there is none, or somebody changed it: then no log line can be placed."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Wall)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _offset_s(now: datetime) -> int:
    offset = now.astimezone().utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _zone_name() -> str:
    """As programs of this machine find it: TZ, else the link that is the machine's zone."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        with contextlib.suppress(OSError):
            name = str(_LINK.readlink()).rpartition(_ZONES)[2]
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # TZ may be a rule of POSIX, or a path
        return ""
    return name
