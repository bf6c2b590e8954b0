"""The log of a world: what is written is read, and damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import worldlog
from harness.worldlog import WorldEvent, WorldLogError
from tests.harness.worlds import busy


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """One event a line, and the same events back, values of any JSON shape included."""
    events = [*busy(200), WorldEvent(9, "n1", "request", id=1, f="cas", key=["a", 1], value=[1, 2])]
    file = tmp_path / "world.jsonl"
    file.write_bytes(worldlog.encode(events))
    assert len(events) == file.read_bytes().count(b"\n")
    assert events == worldlog.read(file)


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    """The harness may be killed within a line: all others count."""
    file = tmp_path / "world.jsonl"
    whole = worldlog.encode(busy(50))
    file.write_bytes(whole[:-9])
    assert busy(50)[:-1] == worldlog.read(file)


@pytest.mark.parametrize(
    "line", [b"no json", b'{"time": "soon", "node": "n1", "what": "send"}', b"7"]
)
def test_another_line_that_is_no_event_is_named(tmp_path: Path, line: bytes) -> None:
    """The file and the line are in the message, and what to do."""
    file = tmp_path / "world.jsonl"
    lines = worldlog.encode(busy(50)).splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], line + b"\n", *lines[3:]]))
    with pytest.raises(WorldLogError, match=r"world\.jsonl:4: .*run the trial again"):
        worldlog.read(file)


def test_events_of_a_later_version_are_kept(tmp_path: Path) -> None:
    """What nobody here knows is passed on; fields that nobody knows are ignored."""
    file = tmp_path / "world.jsonl"
    file.write_bytes(b'{"time": 1, "node": "n1", "what": "dream", "text": "sheep", "depth": 3}\n')
    assert [WorldEvent(1, "n1", "dream", text="sheep")] == worldlog.read(file)


def test_a_value_that_json_does_not_know_is_told() -> None:
    """It must not cost the log."""
    written = worldlog.encode([WorldEvent(1, "n1", "request", value=object)])
    assert b"<class 'object'>" in written
