"""An SVG of ours as PNG, with the font that it names, so that it looks alike on every machine.

Rule: a machine without any font draws all text that its font has; what the font lacks (other
scripts) is taken from the machine's fonts, where it has some.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from harness.report.picture import MARK

ZOOM = 2.0
_INSTALL = "pip install 'antipaxos[png]'"


class NoRaster(Exception):
    """What draws PNGs is not installed; says what to do."""


def installed() -> tuple[Any, Any]:
    """What draws, and its font. Raises NoRaster where one is missing."""
    try:
        import font_source_sans_pro as font
        import resvg_py
    except ImportError as wrong:
        raise NoRaster(
            f"--format png draws with {wrong.name}, which is not installed: {_INSTALL}. The same "
            "picture is to be had as --format svg."
        ) from wrong
    return resvg_py, font


def png(svg: str, *, system_fonts: bool = True) -> bytes:
    """Twice the size of the picture. Raises NoRaster."""
    resvg_py, font = installed()
    family = "Source Sans Pro"
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=ZOOM,
        skip_system_fonts=not system_fonts,
        font_files=[font.SourceSansPro, font.SourceSansProSemibold],
        font_family=family,
        sans_serif_family=family,
    )
    return _marked(bytes(drawn))


def _marked(data: bytes) -> bytes:
    """With a chunk that says who drew it, behind the header: 8 bytes of signature, 25 of IHDR."""
    text = b"tEXtSoftware\0" + MARK.encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return data[:33] + chunk + data[33:]
