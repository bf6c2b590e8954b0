"""What nodes did against the protocol: counted, and told with the first of each kind.

A node that writes a million bad lines costs one sentence: the first is what its author needs, and
the count says how much of the run it spoilt.
"""

from __future__ import annotations

SHOWN_BYTES = 160

# By kind: what the protocol expects.
EXPECTATIONS = {
    "no message": (
        "a line on standard output must be a JSON object with 'src' and 'dest' (texts) and 'body' "
        "(an object); logs belong on standard error"
    ),
    "too long": "a line may have at most {limit} bytes and must end with a newline",
    "wrong source": (
        "'src' must be the node's own name, told in 'node_id' of its init, or that of a client "
        "whose message it passes on"
    ),
    "nobody": "'dest' must be a node of 'node_ids', a client that sent something, or a service",
    "unasked": (
        "the harness (c0) sends init, and topology for broadcast; each is answered once, by "
        "'init_ok' or 'topology_ok', with 'in_reply_to' the 'msg_id' of the request"
    ),
    "deaf": (
        "a node must read its standard input while it runs; beyond {limit} bytes that wait for it, "
        "messages are dropped"
    ),
}


class Mistakes:
    """Of all nodes of one run."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, str]] = {}  # (node, kind) -> count, the first

    def note(self, node: str, kind: str, line: bytes, why: str = "", limit: int = 0) -> None:
        """`line`: what the node wrote, empty if it is not about a line."""
        count, first = self._found.get((node, kind), (0, ""))
        if not count:
            first = _told(node, kind, line, why, limit)
        self._found[node, kind] = (count + 1, first)

    def sentences(self) -> list[str]:
        return [
            first if count == 1 else f"{first} So it went {count} times."
            for _, (count, first) in sorted(self._found.items())
        ]


def _told(node: str, kind: str, line: bytes, why: str, limit: int) -> str:
    expected = EXPECTATIONS[kind].format(limit=limit)
    if kind == "deaf":
        return f"node {node} does not take what is sent to it: {expected}."
    shown = line[:SHOWN_BYTES].decode(errors="replace")
    cut = f" ... ({len(line)} bytes)" if len(line) > SHOWN_BYTES else ""
    reason = f" ({why})" if why else ""
    return f"node {node} wrote {shown!r}{cut}{reason}: {expected}. The line was dropped."
