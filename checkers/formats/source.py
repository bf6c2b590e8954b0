"""The bytes of a recording and the errors that point into them.

Rules
1. Whoever gave the file is at fault: each error names the file, the line where there is one, what
   was got, what was expected and what to do.
2. Lines are counted from 1 and end in a line feed, nothing else: a value may contain any other
   separator that Unicode knows.
3. A recorder that died leaves a last line without its line feed, perhaps without its end. Whether
   such a line is whole is for the format to say; dropping it is sound, because nothing recorded
   comes after it, and is always told in a notice.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import msgspec

from checkers.history import Operation

_GOT_MAX = 400  # characters of what was got, in an error
QUOTED_CHARACTERS = 90  # of a file in an error or a notice


class FormatError(ValueError):
    """A file that cannot be read as a history. Who gave the file, or its format, is at fault.

    `line` counts from 1; None where no line is to blame.
    """

    def __init__(self, path: str, line: int | None, got: str, expected: str, remedy: str) -> None:
        where = path if line is None else f"{path}, line {line}"
        got = got if len(got) <= _GOT_MAX else f"{got[: _GOT_MAX // 2]} ... {got[-_GOT_MAX // 2 :]}"
        super().__init__(f"{where}: got {got}; expected {expected}. {remedy}")
        self.path = path
        self.line = line


class Decoded(msgspec.Struct, frozen=True):
    """What a format found in a file. `notices` are sentences for the user."""

    operations: list[Operation]
    notices: list[str] = []


class Source(msgspec.Struct, frozen=True):
    """A file that was read: `name` as the user gave it, `data` without a byte order mark."""

    name: str
    data: bytes

    @classmethod
    def of(cls, name: str, data: bytes) -> Source:
        return cls(name, data.removeprefix(codecs.BOM_UTF8))

    @property
    def ends_whole(self) -> bool:
        """Whether the last line has its line feed."""
        return self.data.endswith(b"\n")

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, with their numbers."""
        for number, line in enumerate(self.data.split(b"\n"), 1):
            if line and not line.isspace():
                yield number, line

    def text(self) -> str:
        """The whole file; raises FormatError at the first line that is not UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise self.not_text(error.start) from None

    def line_at(self, byte: int) -> int:
        return self.data.count(b"\n", 0, byte) + 1

    def not_text(self, byte: int) -> FormatError:
        return self.error(
            self.line_at(byte),
            f"the byte 0x{self.data[byte]:02x} that no UTF-8 text has there",
            "a history as UTF-8 text",
            "If the file is compressed or a tool's own store, unpack or export it first.",
        )

    def error(self, line: int | None, got: str, expected: str, remedy: str) -> FormatError:
        return FormatError(self.name, line, got, expected, remedy)


def quote(text: str | bytes) -> str:
    """A piece of a file for people: on one line, and not too long for one."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.strip())
    if len(text) > QUOTED_CHARACTERS:
        text = text[:QUOTED_CHARACTERS] + f"... ({len(text)} characters)"
    return f"`{text}`"


def torn(line: int, text: str | bytes) -> str:
    """The notice of a last line that was dropped."""
    return (
        f"The last line ({line}) is torn, as a recorder leaves it that is killed while it writes, "
        f"and was dropped: {quote(text)}. Everything before it was read."
    )
