"""TCP ports on loopback that stay ours from the first look to the last use.

Rules
1. A port is taken by binding it without SO_REUSEADDR: that fails while anybody holds it in any
   way, another harness included. Looking and binding later would race.
2. Ports lie below the ephemeral range of Linux and macOS. In that range an outgoing connection
   could take a node's port while the node is down, or, dialling that very port, meet itself.
3. While its user is down a port is held again, bound and not listening: a connection to it is
   refused, as by a host without the service, and nobody else gets it.
"""

from __future__ import annotations

import socket
from random import Random

from harness.contracts import Address, EnvironmentTrouble

LOOPBACK = "127.0.0.1"
FIRST, LAST = 15_000, 32_000
ATTEMPTS = 500
BACKLOG = 128


class Port:
    """One port: held (refusing), listening, or released for its user to bind."""

    def __init__(self, number: int, held: socket.socket) -> None:
        self.number = number
        self._socket: socket.socket | None = held

    @property
    def address(self) -> Address:
        return (LOOPBACK, self.number)

    def hold(self) -> bool:
        """Keep the port bound and silent. False if somebody else has it."""
        self.release()
        self._socket = _bound(self.number, reuse=True)
        return self._socket is not None

    def listen(self) -> socket.socket | None:
        """Listen on the port, non-blocking; None if somebody else has it."""
        if not self.hold():
            return None
        assert self._socket is not None, "hold() has just bound it"
        self._socket.settimeout(0)
        self._socket.listen(BACKLOG)
        return self._socket

    def release(self) -> None:
        """Let go. Connections that were not accepted yet are reset."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def take(random: Random) -> Port:
    """A port that nobody uses, held. Raises EnvironmentTrouble if none is found."""
    for _ in range(ATTEMPTS):
        number = random.randrange(FIRST, LAST)
        held = _bound(number, reuse=False)
        if held is not None:
            return Port(number, held)
    raise EnvironmentTrouble(
        f"no free TCP port found on {LOOPBACK} in {ATTEMPTS} attempts between {FIRST} and {LAST}: "
        "end what uses them (ss -ltn lists listeners)"
    )


def _bound(number: int, *, reuse: bool) -> socket.socket | None:
    """`reuse` goes past the connections that the last user left, not past another holder."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if reuse:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, number))
    except OSError:
        bound.close()
        return None
    return bound
