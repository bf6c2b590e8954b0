"""Splitters move boundaries, never bytes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.clusters import framing
from harness.clusters.framing import Splitter
from harness.contracts import Framing

LINE = Framing("line")


def encode(framing_: Framing, payload: bytes) -> bytes:
    if framing_.kind == "line":
        return payload.replace(b"\n", b" ") + b"\n"
    return len(payload).to_bytes(framing_.prefix_bytes, "big") + payload


def chunks_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at the given places, taken modulo its length."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


def frames_of(splitter: Splitter, chunks: list[bytes]) -> list[bytes]:
    frames = []
    for chunk in chunks:
        piece, ends = splitter.feed(chunk)
        frames += [piece[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    return frames


framings = st.sampled_from([LINE, Framing("length", 1), Framing("length", 2), Framing("length")])


@given(framings, st.lists(st.binary(max_size=80)), st.lists(st.integers(min_value=0)))
def test_any_chunking_gives_the_same_frames(
    framing_: Framing, payloads: list[bytes], cuts: list[int]
) -> None:
    """Where TCP cuts a stream does not change its frames, and nothing is left over."""
    sent = [encode(framing_, payload) for payload in payloads]
    splitter = Splitter(framing_)
    assert frames_of(splitter, chunks_of(b"".join(sent), cuts)) == sent
    assert splitter.rest() == b""
    assert splitter.framed


@given(framings, st.binary(max_size=300), st.lists(st.integers(min_value=0)))
def test_no_byte_is_lost_of_a_torn_stream(framing_: Framing, data: bytes, cuts: list[int]) -> None:
    """Frames and rest together are the bytes that came, whatever they mean."""
    splitter = Splitter(framing_)
    got, chunks = b"", chunks_of(data, cuts)
    for chunk in chunks:
        if not splitter.framed:
            got += chunk
            continue
        got += splitter.feed(chunk)[0]
        if not splitter.framed:
            got += splitter.rest()
    assert got + splitter.rest() == data


def test_an_oversized_frame_ends_the_framing_at_once() -> None:
    """A length beyond the limit is not waited for: it may be no length at all."""
    splitter = Splitter(Framing("length"))
    whole = encode(Framing("length"), b"before")
    piece, ends = splitter.feed(whole + b"\xff\xff\xff\xff and on")
    assert (piece, ends) == (whole, [len(whole)])
    assert not splitter.framed
    assert splitter.rest() == b"\xff\xff\xff\xff and on"


def test_an_endless_line_ends_the_framing() -> None:
    """What waits for its newline is bounded."""
    splitter = Splitter(LINE)
    assert splitter.feed(b"x" * framing.FRAME_MAX_BYTES) == (b"", [])
    assert splitter.framed
    assert splitter.feed(b"y") == (b"", [])
    assert not splitter.framed
    assert len(splitter.rest()) == framing.FRAME_MAX_BYTES + 1
