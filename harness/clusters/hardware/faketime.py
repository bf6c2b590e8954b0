"""libfaketime, put to use: a copy that fakes what a clock shows, and nothing else.

The library as installed also replaces sleeps, timed waits, file times and random numbers. Its
clock_nanosleep takes every absolute deadline for one of the wall clock (0.9.10): with the monotonic
clock left alone, as it has to be, a program that sleeps until a monotonic deadline gets EINVAL
(Python's time.sleep does), and after a live jump it sleeps for as long as the jump. So the copy
exports the functions that read clocks only; all others are libc's again.

Rules
1. The installed file is not touched; the copy lies in the run's folder.
2. Sleeps and timeouts last as long as they say. A wait for an absolute time of the wall clock
   (sem_timedwait, pthread_cond_timedwait without a monotonic clock) waits by the true one.
3. The copy makes no semaphore and no shared memory: their names are process ids, which hosts with
   their own process trees have in common, and a SIGKILL would leave them behind.
4. The offset is read from a file at each look at the clock, so it must never be missing or half
   written: it is replaced as a whole.

Sources: libfaketime's README and src/libfaketime.c; elf(5): a symbol whose section index is 0 is
undefined, and a dynamic linker looks on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.clusters.hardware.programs import Elf, Section

NAME = "libfaketimeMT.so.1"
MS_PER_S = 1000
_WITHHELD = frozenset(
    b"poll ppoll select pselect epoll_wait epoll_pwait nanosleep clock_nanosleep usleep sleep "
    b"alarm sem_timedwait sem_clockwait pthread_cond_init pthread_cond_destroy "
    b"pthread_cond_timedwait timer_settime timer_gettime timerfd_settime timerfd_gettime "
    b"stat lstat fstat fstatat __xstat __lxstat __fxstat __fxstatat __xstat64 __lxstat64 "
    b"__fxstat64 __fxstatat64 utime utimes utimensat futimens getpid getentropy getrandom".split()
)
# Who asks for a semaphore by its name is given the environment variable of that name. There is
# none, which reads as SEM_FAILED, and the library goes on without.
_SEMAPHORES, _INSTEAD = b"sem_open", b"getenv"
_SECTION_AT = 6  # where a symbol has its section, and after it its value
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNSYM, _VERSYM = 11, 0x6FFFFFFF


class _Symbol(NamedTuple):
    number: int
    at: int  # where it stands in the file
    name: bytes
    section: int  # 0: imported


def installed() -> Path | None:
    """Where Debian, Fedora, Arch and others have it."""
    for pattern in ("lib/*/faketime", "lib/faketime", "lib64/faketime"):
        for found in sorted(Path("/usr").glob(f"{pattern}/{NAME}")):
            return found
    return None


def adapted(source: Path, target: Path) -> None:
    """Write the copy. Raises ValueError where the file is not of the kind that is understood."""
    raw = bytearray(source.read_bytes())
    elf = Elf(bytes(raw))
    table, versions = elf.section(_DYNSYM), elf.section(_VERSYM)
    if table is None or versions is None:
        raise ValueError(f"{source} has no table of dynamic symbols")
    symbols = dict(_symbols(raw, elf, table))
    imported = {symbol.name: symbol for symbol in symbols.values() if not symbol.section}
    withheld = [s for s in symbols.values() if s.section and s.name in _WITHHELD]
    if not withheld:
        raise ValueError(f"{source} exports none of the functions that libfaketime is known for")
    for symbol in withheld:
        struct.pack_into("<HQ", raw, symbol.at + _SECTION_AT, 0, 0)
    if _SEMAPHORES in imported and _INSTEAD in imported:
        asked, given = imported[_SEMAPHORES], imported[_INSTEAD]
        raw[asked.at : asked.at + 4] = raw[
            given.at : given.at + 4
        ]  # the name, in the table of names
        to, of = (versions.offset + 2 * each.number for each in (asked, given))
        raw[to : to + 2] = raw[of : of + 2]
    target.write_bytes(raw)


def environment(library: Path, offset: Path) -> Mapping[str, str]:
    """What a program needs in its environment to see the offset of that file."""
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",  # its name in older releases
    }


def set_offset(file: Path, offset_ms: float) -> None:
    """Rule 4."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(f"{offset_ms / MS_PER_S:+.6f}\n")
    fresh.replace(file)


def _symbols(raw: bytearray, elf: Elf, table: Section) -> Iterator[tuple[int, _Symbol]]:
    names = elf.sections[table.link].offset
    for number in range(table.size // _SYMBOL.size):
        at = table.offset + number * _SYMBOL.size
        start, _, _, section, _, _ = _SYMBOL.unpack_from(raw, at)
        name = bytes(raw[names + start : raw.index(0, names + start)])
        yield number, _Symbol(number, at, name, section)
