"""What kind of program a file is: can a library that is loaded before libc stand between it and the
clock?

Sources: elf(5). Go's programs read the clock from the kernel's vDSO without libc, whether they are
linked dynamically or not (runtime, vdso_linux.go); their linker writes the section .go.buildinfo.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ELF_64_LITTLE = b"\x7fELF\x02\x01"
PT_INTERP = 3
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SHEBANG_MAX = 256


@dataclass(frozen=True, slots=True)
class Section:
    name: bytes
    kind: int
    offset: int
    size: int
    link: int


class Elf:
    """The tables of a 64-bit little-endian ELF file. Raises ValueError for anything else."""

    def __init__(self, raw: bytes) -> None:
        if not raw.startswith(ELF_64_LITTLE):
            raise ValueError("not a 64-bit little-endian ELF file")
        self._raw = raw
        try:
            header = _HEADER.unpack_from(raw)
            self._segments_at, sections_at = header[5], header[6]
            self._segment_size, self._segment_count = header[9], header[10]
            size, count, names = header[11:14]
            found = [_SECTION.unpack_from(raw, sections_at + i * size) for i in range(count)]
            texts = found[names][4] if count else 0
            self.sections = [
                Section(_text(raw, texts + s[0]), s[1], s[4], s[5], s[6]) for s in found
            ]
        except (struct.error, IndexError, ValueError) as wrong:
            raise ValueError(f"a damaged ELF file: {wrong}") from None

    def section(self, kind: int) -> Section | None:
        return next((section for section in self.sections if section.kind == kind), None)

    @property
    def interpreter(self) -> bytes:
        """The dynamic linker; empty for a static program."""
        for number in range(self._segment_count):
            at = self._segments_at + number * self._segment_size
            segment = _SEGMENT.unpack_from(self._raw, at)
            if segment[0] == PT_INTERP:
                return self._raw[segment[2] : segment[2] + segment[5]].rstrip(b"\0")
        return b""


def past_libc(program: str, env: Mapping[str, str] | None = None) -> str | None:
    """Why a library between program and libc changes nothing for it, as the end of a sentence that
    begins with its name; None if it does, or nobody can tell (what a script starts, say)."""
    found = shutil.which(program, path=(env or {}).get("PATH"))
    if found is None:
        return None  # its start says so better
    with Path(found).open("rb") as file:
        raw = file.read(_SHEBANG_MAX)
        if raw.startswith(b"#!"):
            words = raw[2:].split(b"\n")[0].split()
            return past_libc(words[0].decode(errors="replace"), env) if words else None
        if not raw.startswith(b"\x7fELF"):
            return None
        raw += file.read()
    try:
        elf = Elf(raw)
    except ValueError as wrong:
        return f"is {wrong}"
    if any(section.name == b".go.buildinfo" for section in elf.sections):
        return "is written in Go, whose programs read the clock from the kernel, past libc"
    if not elf.interpreter:
        return "is linked statically, so no library can stand between it and the clock"
    if b"musl" in elf.interpreter:
        return "is linked with musl, for which libfaketime is not built here"
    return None


def _text(raw: bytes, at: int) -> bytes:
    return raw[at : raw.index(0, at)]
