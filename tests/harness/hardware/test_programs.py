"""Which programs a library between them and libc reaches; and what is made of libfaketime."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clusters.hardware import faketime
from harness.clusters.hardware.programs import Elf, past_libc


def elf(*, interpreter: bytes = b"", sections: tuple[bytes, ...] = ()) -> bytes:
    """The smallest file with these tables."""
    names = b"\0" + b"".join(name + b"\0" for name in (*sections, b".names"))
    segments = struct.pack("<IIQQQQQQ", 3, 0, 64 + 56, 0, 0, len(interpreter), 0, 0)
    segments = segments if interpreter else b"\0" * 56
    body = segments + interpreter + names
    texts_at = 64 + 56 + len(interpreter)
    rows, at = [bytes(64)], 1
    for name in sections:
        rows.append(struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, 0, 0, 0, 0, 0, 0))
        at += len(name) + 1
    rows.append(struct.pack("<IIQQQQIIQQ", at, 3, 0, 0, texts_at, len(names), 0, 0, 0, 0))
    head = (b"\x7fELF\x02\x01\x01" + bytes(9), 3, 62, 1, 0, 64, 64 + len(body), 0, 64, 56, 1)
    return (
        struct.pack("<16sHHIQQQIHHHHHH", *head, 64, len(rows), len(rows) - 1)
        + body
        + b"".join(rows)
    )


LOADER = b"/lib64/ld-linux-x86-64.so.2\0"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (elf(interpreter=LOADER), None),
        (elf(), "is linked statically"),
        (elf(interpreter=LOADER, sections=(b".text", b".go.buildinfo")), "is written in Go"),
        (elf(interpreter=b"/lib/ld-musl-x86_64.so.1\0"), "is linked with musl"),
        (b"\x7fELF\x01\x01" + bytes(90), "is not a 64-bit little-endian ELF file"),
        (elf(interpreter=LOADER)[:-70], "is a damaged ELF file"),
        (b"#!/bin/sh\nexec true\n", None),
        (b"whatever", None),
    ],
)
def test_a_program_is_judged_by_its_tables(tmp_path: Path, content: bytes, why: str | None) -> None:
    """Go's and static programs read the clock past libc; of scripts the interpreter counts."""
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)
    said = past_libc(str(program))
    assert (said is None) if why is None else (said is not None and said.startswith(why))


def test_known_programs() -> None:
    """Python is reached; etcd, where it is installed, is not; what is not there is no news."""
    assert past_libc(sys.executable) is None
    assert past_libc("no-such-program") is None
    etcd = shutil.which("etcd", path="/usr/bin:/usr/local/bin")
    if etcd is not None:
        assert "written in Go" in str(past_libc(etcd))


def installed() -> Path:
    found = faketime.installed()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("in CI libfaketime is installed")
        pytest.skip("libfaketime is not installed: apt-get install faketime")
    return found


def test_the_copy_leaves_sleeps_and_files_alone(tmp_path: Path) -> None:
    """A day ahead by the wall clock: sleeps last as they should, to an absolute deadline too, file
    times are true, and no shared memory is left, nor made."""
    library, offset = tmp_path / "copy.so", tmp_path / "offset"
    faketime.adapted(installed(), library)
    faketime.set_offset(offset, 86_400_000.0)
    program = (
        "import os, time\n"
        "began, showed = time.monotonic(), time.time()\n"
        "time.sleep(0.05)\n"  # until a monotonic deadline, in Python 3.11
        f"print(time.monotonic() - began, showed - os.stat({str(offset)!r}).st_mtime)\n"
        "print(sorted(n for n in os.listdir('/dev/shm') if str(os.getpid()) in n))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **faketime.environment(library, offset)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    times, shared = ran.stdout.splitlines()
    slept_s, ahead_s = map(float, times.split())
    assert 0.05 <= slept_s < 5
    assert 86_399 < ahead_s < 86_500
    assert shared == "[]"


def test_the_installed_library_is_not_touched(tmp_path: Path) -> None:
    """And the copy has lost exports, not size."""
    before = installed().read_bytes()
    faketime.adapted(installed(), tmp_path / "copy.so")
    copy = (tmp_path / "copy.so").read_bytes()
    assert installed().read_bytes() == before
    assert len(copy) == len(before)
    assert copy != before


@pytest.mark.parametrize("content", [b"no library", elf(interpreter=LOADER)])
def test_another_library_is_refused(tmp_path: Path, content: bytes) -> None:
    """Rather than preloaded as it is."""
    (tmp_path / "other.so").write_bytes(content)
    with pytest.raises(ValueError, match=r"ELF|no table"):
        faketime.adapted(tmp_path / "other.so", tmp_path / "copy.so")


def test_damaged_tables_are_no_crash() -> None:
    """Whatever is cut off."""
    whole = installed().read_bytes()
    for size in (6, 60, 64, 1000):
        with pytest.raises(ValueError, match="ELF"):
            Elf(whole[:size])
