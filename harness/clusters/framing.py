"""Where messages end in a byte stream, so that a link can lose, repeat and reorder whole ones.

Rules
1. What comes out, put together, is what went in: a splitter moves boundaries, never bytes.
2. Only complete frames leave. A frame that is half here when a fault begins is cut or carried
   whole, later.
3. A stream that does not keep to its framing (a frame beyond FRAME_MAX_BYTES) is passed on as it
   is from there on: `framed` turns False for good. A link must not break what it does not grasp,
   nor buffer without a bound.
"""

from __future__ import annotations

from harness.contracts import Framing

FRAME_MAX_BYTES = 8 * 1024 * 1024


class Splitter:
    """Cuts one direction of one connection into frames."""

    def __init__(self, framing: Framing) -> None:
        self.framed = framing.kind != "stream"
        self._line = framing.kind == "line"
        self._prefix_bytes = framing.prefix_bytes
        self._tail = b""

    def feed(self, data: bytes) -> tuple[bytes, list[int]]:
        """All frames that are complete now, in one piece, and where each of them ends in it."""
        buffer = self._tail + data if self._tail else data
        ends = self._line_ends(buffer) if self._line else self._length_ends(buffer)
        cut = ends[-1] if ends else 0
        if cut == len(buffer):
            self._tail = b""
            return buffer, ends
        self._tail = buffer[cut:]
        if len(self._tail) > FRAME_MAX_BYTES:
            self.framed = False
        return buffer[:cut], ends

    def rest(self) -> bytes:
        """Takes out what is left and is no frame: a torn last frame, or a stream gone unframed."""
        rest, self._tail = self._tail, b""
        return rest

    def _length_ends(self, buffer: bytes) -> list[int]:
        ends = []
        prefix, size, start = self._prefix_bytes, len(buffer), 0
        while (body := start + prefix) <= size:
            length = int.from_bytes(buffer[start:body], "big")
            if length > FRAME_MAX_BYTES:
                self.framed = False
                break
            start = body + length
            if start > size:
                break
            ends.append(start)
        return ends

    @staticmethod
    def _line_ends(buffer: bytes) -> list[int]:
        ends = []
        end = buffer.find(b"\n") + 1
        while end:
            ends.append(end)
            end = buffer.find(b"\n", end) + 1
        return ends
