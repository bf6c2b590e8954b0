"""Log lines of nodes: their stamps, their place in the run, and logs that mean no good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import beside
from harness.report import logs
from harness.report.clocks import ClockSpan
from harness.report.logs import LogLine, level_of, read_logs
from harness.report.stamps import Zone, recognised
from harness.store.folder import RunFolder
from harness.store.wall import Wall, read_wall, wall_now
from harness.trial import Trial

S = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ORIGIN = datetime(2026, 11, 23, 22, 31, 10, tzinfo=UTC)


def ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def placed(folder: Path, content: str | bytes, **known: object) -> tuple[list[LogLine], list[str]]:
    """The lines of a log in a run that began at ORIGIN, and what is told."""
    path = folder / "log"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    notices: list[str] = []
    found = read_logs({"n1": [path]}, ns(ORIGIN), notices, **known)  # type: ignore[arg-type]
    return found, notices


# What a program wrote 4.25 s after the origin, and what is read.
EXCERPTS = [
    ("2026-11-23T22:31:14.25Z disk is slow", "disk is slow", ""),
    ("2026-11-24T00:01:14,250+01:30 WARN disk is slow", "WARN disk is slow", "warning"),
    ("[2026-11-23 17:31:14.250000000 -05] disk", "disk", ""),
    ("20261123T223114.25Z disk", "disk", ""),
    ("2026-11-23 22:31:14.250123 +0000 UTC disk", "disk", ""),
    (
        '{"level":"warn","ts":"2026-11-23T22:31:14.250Z","caller":"wal/x.go:1","msg":"slow fsync",'
        '"took":"1.5s","peers":["a","b"]}',
        'slow fsync took=1.5s peers=["a","b"]',
        "warning",
    ),
    ('{"level":"error","ts":1795473074.25,"msg":"no disk"}', "no disk", "error"),
    ('{"level":"info","ts":1.79547307425e+09,"msg":"a leader"}', "a leader", ""),
    ("2026-11-23 22:31:14.250000 I | raft: n1 leads", "I | raft: n1 leads", ""),
    ("2026-11-23 22:31:14.250000 C | etcdserver: no quorum", "C | etcdserver: no quorum", "error"),
    (
        "2026-11-23 22:31:14,250 [myid:1] - ERROR [main:Learner@7] - closed",
        "[myid:1] - ERROR [main:Learner@7] - closed",
        "error",
    ),
    ("2026/11/23 22:31:14.250000 listening", "listening", ""),
    ("[raft] 2026/11/23 22:31:14.250000 listening", "[raft] listening", ""),
    ("E1123 22:31:14.250000    7 main.go:3] no leader", "E 7 main.go:3] no leader", "error"),
    ("Nov 23 22:31:14.250 host node[7]: started", "host node[7]: started", ""),
    ("2026-11-23 22:31:14,250 WARNING term 3", "WARNING term 3", "warning"),
    ("INFO [2026-11-23 22:31:14,250] started", "INFO started", ""),
    ("22:31:14.250 n1 starts", "n1 starts", ""),
    ("1795473074.25 n1 starts", "n1 starts", ""),
    ("1795473074250 n1 starts", "n1 starts", ""),
    ("1795473074250000 n1 starts", "n1 starts", ""),
    ("1795473074250000000 n1 starts", "n1 starts", ""),
    (
        'time="2026-11-23T22:31:14.25Z" level=fatal msg=gone',
        "level=fatal msg=gone",
        "error",
    ),
]


@pytest.mark.parametrize(("line", "text", "level"), EXCERPTS)
def test_what_real_programs_write_is_placed(
    tmp_path: Path, line: str, text: str, level: str
) -> None:
    """To the microsecond at least, with its level, without its stamp."""
    found, notices = placed(tmp_path, line + "\n")
    assert [] == notices
    (only,) = found
    assert abs(only.time_ns - 4_250_000_000) < 1_000_000
    assert ("n1", level) == (only.node, only.level)
    assert text == only.text


def fraction(moment: datetime) -> str:
    return f"{moment.microsecond:06d}"


WRITERS: dict[str, Callable[[datetime], str]] = {
    "iso": lambda m: m.astimezone(timezone(timedelta(hours=-9, minutes=-30))).isoformat(),
    "log4j": lambda m: f"{m:%Y-%m-%d %H:%M:%S},{fraction(m)} INFO x",
    "zap": lambda m: f'{{"level":"info","ts":"{m:%Y-%m-%dT%H:%M:%S}.{fraction(m)}Z","msg":"x"}}',
    "logfmt": lambda m: f"level=info ts={m:%Y-%m-%dT%H:%M:%S}.{fraction(m)}Z msg=x",
    "go": lambda m: f"{m:%Y/%m/%d %H:%M:%S}.{fraction(m)} x",
    "klog": lambda m: f"I{m:%m%d %H:%M:%S}.{fraction(m)} 7 x.go:1] x",
    "syslog": lambda m: f"{m:%b} {m.day:2d} {m:%H:%M:%S}.{fraction(m)} host x",
    "time": lambda m: f"{m:%H:%M:%S}.{fraction(m)} x",
    "unix": lambda m: f"{ns(m) // S}.{fraction(m)} x",
    "unix us": lambda m: f"{ns(m) // 1000} x",
}


@given(
    st.datetimes(datetime(2002, 1, 1), datetime(2100, 1, 1)),
    st.integers(-40_000, 40_000),
    st.sampled_from(sorted(WRITERS)),
)
def test_a_stamp_that_was_printed_reads_back(moment: datetime, off_s: int, name: str) -> None:
    """In every form, within eleven hours of the origin: over midnight, new year and leap days."""
    written = moment.replace(tzinfo=UTC)
    line = WRITERS[name](written)
    form = recognised([line])
    assert form is not None
    stamped = form.stamp(line, Zone(), ns(written) + off_s * S)
    assert stamped is not None
    assert ns(written) == stamped[0], (line, form.name)


def test_the_new_year_comes_between_two_lines(tmp_path: Path) -> None:
    """Without a year and without a day, the line after midnight is a second later."""
    eve = ns(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    for lines in ("Dec 31 23:59:59 a x\nJan  1 00:00:00 a y\n", "23:59:59 x\n00:00:00 y\n"):
        (tmp_path / "log").write_text(lines)
        found = read_logs({"n1": [tmp_path / "log"]}, eve, [])
        assert [0, S] == [line.time_ns for line in found]


def test_the_hour_that_summer_time_repeats(tmp_path: Path) -> None:
    """Local stamps go back by an hour, and the run goes on: Berlin, the last Sunday of October."""
    begun = ns(datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC))
    (tmp_path / "log").write_text("2026-10-25 02:59:59 x\n2026-10-25 02:00:00 y\n")
    found = read_logs({"n1": [tmp_path / "log"]}, begun, [], zone=Zone("Europe/Berlin", 7200))
    assert [S, 2 * S] == [line.time_ns for line in found]
    (tmp_path / "log").write_text("2026-10-25 02:59:59 x\n")
    found = read_logs({"n1": [tmp_path / "log"]}, begun, [], zone=Zone("No/Where", 7200))
    assert [S] == [line.time_ns for line in found]


def test_a_leap_second_is_the_first_of_the_next_minute(tmp_path: Path) -> None:
    """And what is no time at all is no stamp."""
    text = "2026-11-23T22:31:60.5Z x\n2026-13-23T22:31:11Z is no month\n2026-11-23T25:31:11Z\n"
    found, _ = placed(tmp_path, text)
    assert [50 * S] == [line.time_ns for line in found]
    assert "x | 2026-13-23T22:31:11Z is no month | 2026-11-23T25:31:11Z" == found[0].text


def test_a_stack_trace_stands_with_its_line(tmp_path: Path) -> None:
    """It is one text, an error, and bounded; lines before the first stamp are counted."""
    trace = "Traceback (most recent call last):\n" + "  File x, on 2026-01-01 00:00:00\n" * 200
    found, notices = placed(tmp_path, f"a banner\n\n22:31:11 it fails\n{trace}22:31:12 on\n")
    assert [(S, "error"), (2 * S, "")] == [(line.time_ns, line.level) for line in found]
    assert found[0].text.startswith("it fails | Traceback (most recent call last): | File x")
    assert logs.TEXT_MAX == len(found[0].text)
    assert ["Log lines before the first that bears a time are left out: n1 (1)."] == notices


def test_stamps_of_a_skewed_clock_are_put_right(tmp_path: Path) -> None:
    """Ahead by 10 s from 2 s to 8 s; and behind, where two stamps come twice."""
    for offset_s in (10, -10):
        true_s = [0, 1, 3, 4, 7, 9, 12]
        shown = [t + offset_s if 2 < t < 8 else t for t in true_s]
        text = "".join(f"{ORIGIN + timedelta(seconds=s):%H:%M:%S}.000 x\n" for s in shown)
        span = ClockSpan("n1", 2 * S, 8 * S, offset_s * 1000.0)
        found, notices = placed(tmp_path, text, clocks=[span])
        assert [t * S for t in true_s] == [line.time_ns for line in found]
        assert any("skewed" in notice and "n1 (3)" in notice for notice in notices)
        others = [ClockSpan("n2", 0, None, 5.0), ClockSpan("n1", 0, None, 5.0, clock="monotonic")]
        found, notices = placed(tmp_path, text, clocks=others)
        assert sorted(s * S for s in shown) == [line.time_ns for line in found]


def test_the_level_is_read_as_it_is_written() -> None:
    """And not where a message only speaks of errors."""
    for line, level in (
        ("[error] x", "error"),
        ("<warn> x", "warning"),
        ("lvl=eror x", "error"),
        ("severity: WARNING", "warning"),
        ("panic: runtime error", "error"),
        ("W | x", "warning"),
        ("INFO no error, no WARNING", ""),
        ("we had an error and a warning", ""),
    ):
        assert level == level_of(line), line


def many(count: int) -> str:
    lines = (
        f"{ns(ORIGIN) + i * S // 100} {'ERROR' if i % 1000 == 7 else 'INFO'} {i}\n"
        for i in range(count)
    )
    return "".join(lines)


def test_the_most_interesting_lines_are_kept(tmp_path: Path) -> None:
    """Of 10,000: those around the moment, all ten errors, a sample of the rest; and it is told."""
    found, notices = placed(tmp_path, many(10_000), around_ns=50 * S)
    assert logs.LINES_MAX == len(found)
    assert set(range(4_760, 5_240)) <= {int(line.text.split()[1]) for line in found}
    assert 10 == sum(line.level == "error" for line in found)
    assert found == sorted(found, key=lambda line: line.time_ns)
    assert found[-1].time_ns > 90 * S
    assert any("1,000 are shown" in notice and "n1 (10,000)" in notice for notice in notices)


def test_of_a_large_file_parts_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning, its end, and what was written around the moment, found by bisection."""
    monkeypatch.setattr(logs, "READ_BYTES_MAX", 100_000)
    content = many(50_000)
    found, notices = placed(tmp_path, content, around_ns=300 * S)
    numbers = {int(line.text.split()[1]) for line in found}
    assert min(numbers) < 100
    assert max(numbers) > 49_900
    assert set(range(29_800, 30_200)) <= numbers
    assert any(f"{len(content):,} bytes" in notice for notice in notices)
    found, _ = placed(tmp_path, content)
    assert logs.LINES_MAX == len(found)


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "binary": bytes(range(256)) * 400,
    "zeros": bytes(100_000),
    "one long line": b"x" * 3_000_000,
    "a long line with a stamp": b"22:31:11 " + b"x" * 3_000_000 + b"\n",
    "no UTF-8": b"22:31:11 \xff\xfe\xc3( \xed\xa0\x80\n",
    "escapes": b"22:31:11 \x1b[31mred\x1b[0m \x1b]0;title\x07 \x00\x08\x9b \xe2\x80\xae back\n",
    "deep JSON": b'{"ts":"2026-11-23T22:31:11Z","msg":' + b"[" * 3_000 + b"\n",
    "JSON that is no object's": b'{"ts":"2026-11-23T22:31:11Z","msg":{"msg":1}}\n',
    "back in time": b"22:31:19 x\n22:31:11 y\n",
    "far years": b"0000-00-00 00:00:00 x\n9999-12-31 23:59:59 y\n0001-01-01 00:00:00 z\n",
    "the keeper's own": b"[70000000 bytes were too many and are dropped]\n22:31:11 x\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_log_that_means_no_good_is_bounded_and_clean(tmp_path: Path, name: str) -> None:
    """Nothing raises; what is shown is short, printable and in the order of time."""
    found, _ = placed(tmp_path, HOSTILE[name], zone=Zone("Europe/Berlin", 0))
    for line in found:
        assert len(line.text) <= logs.TEXT_MAX
        assert line.text.isprintable() or "�" in line.text
    assert found == sorted(found, key=lambda line: line.time_ns)
    assert bool(found) == (name not in {"nothing", "binary", "zeros", "one long line"})


def test_a_huge_sparse_file_and_a_link_cost_nothing(tmp_path: Path) -> None:
    """A gigabyte of nothing is looked into, a link is not followed, a pipe is not waited for."""
    home = tmp_path / "n1"
    (home / "logs").mkdir(parents=True)
    with (home / "log").open("wb") as file:
        file.write(b"22:31:11 x\n")
        file.truncate(2**30)
    (home / "logs" / "link").symlink_to(__file__)
    notices: list[str] = []
    found = read_logs({"n1": logs.log_files(home)}, ns(ORIGIN), notices)
    assert [S] == [line.time_ns for line in found]
    assert any("is not read" in notice for notice in notices)
    assert any("1,073,741,824 bytes" in notice for notice in notices)


def test_the_wall_clock_of_a_run_reads_back(tmp_path: Path) -> None:
    """Of this machine, with its zone; what somebody changed is none."""
    wall = wall_now()
    (tmp_path / "wall").write_bytes(msgspec.json.encode(wall))
    assert wall == read_wall(tmp_path / "wall")
    (tmp_path / "wall").write_bytes(b'{"utc_ns":"\xff"}')
    assert None is read_wall(tmp_path / "wall")
    assert None is read_wall(tmp_path / "none")


def test_a_run_shows_its_lines_where_it_knows_the_wall_clock(tmp_path: Path) -> None:
    """A foreign history has none, a run of old says why it shows none."""
    assert () == beside.logs_of(tmp_path / "history.edn", [])
    folder = RunFolder.create(tmp_path, Trial(seed=1), "20261123T223109Z")
    folder.write_trial(Trial(seed=1), {})
    notices: list[str] = []
    assert () == beside.logs_of(folder.path, notices)
    assert [] == notices
    (folder.nodes / "n2").mkdir()
    (folder.nodes / "n2" / "log").write_text("23:31:12 serves\n")
    assert () == beside.logs_of(folder.path, notices)
    assert "No log lines are shown" in notices.pop()
    folder.write(folder.wall, msgspec.json.encode(Wall(ns(ORIGIN), zone_offset_s=3600)))
    assert [LogLine(2 * S, "n2", "serves")] == beside.logs_of(folder.path, notices)
    assert [] == notices
    folder.write_trial(Trial(seed=1, cluster="ssh"), {})
    beside.logs_of(folder.path, notices)
    assert "the clocks of their hosts" in notices.pop()


def test_of_machines_the_world_tells(tmp_path: Path) -> None:
    """They log nothing: what is shown is when each began and ended, an error where by itself."""
    folder = RunFolder.create(tmp_path, Trial(seed=1, cluster="simulated"), "20261123T223109Z")
    folder.write_trial(Trial(seed=1, cluster="simulated"), {})
    folder.write(
        folder.world,
        b'{"time":1,"node":"n1","what":"start","records":3}\n'
        b'{"time":2,"node":"n1","what":"persist","text":"x"}\n'
        b'{"time":3,"node":"n1","what":"crash","text":"killed"}\n'
        b'{"time":4,"node":"n1","what":"crash","text":"its machine raised"}\n',
    )
    expected = [
        LogLine(1, "n1", "starts, 3 records recovered"),
        LogLine(3, "n1", "ends: killed"),
        LogLine(4, "n1", "ends: its machine raised", "error"),
    ]
    assert expected == beside.logs_of(folder.path, [])
