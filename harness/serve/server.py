"""The server process: its socket, its signals, its end.

Rules
1. Everything that can be wrong with where to listen is known before the first line is printed.
2. Ctrl-C and SIGTERM end it at once and in order, with exit code 0: streams end, children are
   interrupted and awaited. A second signal waits for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import uvicorn

from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.serve.application import application
from harness.serve.desk import Desk
from harness.serve.guard import LOOPBACK, guarded

TOKEN_CHARS = 16
CONNECTIONS_MAX = 200
_GRACE_S = 3


def serve(store: Path, host: str, port: int, token: str | None, archive: str | None = None) -> None:
    """Serve until a signal comes. Raises click.UsageError and EnvironmentTrouble."""
    _check_store(store)
    token = _token(host, token)
    with _listening(host, port) as listener:
        port = listener.getsockname()[1]
        desk = Desk(store, guarded(host, port, token), archive)
        named = f"[{host}]" if ":" in host else host
        tell([f"{store} is at http://{named}:{port}/" + (f"?token={token}" if token else "")])
        tell(["Ctrl-C ends it."], aside=True)
        asyncio.run(_serve(desk, listener))


async def _serve(desk: Desk, listener: socket.socket) -> None:
    config = uvicorn.Config(
        application(desk),
        access_log=False,  # a token may be in an address
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
    )
    server = _Server(config)

    def end() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True
        desk.closing.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    await server.serve([listener])


class _Server(uvicorn.Server):
    """Its own handlers would raise the signal once more when all is over, against rule 2."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _check_store(store: Path) -> None:
    try:
        if store.exists() and not store.is_dir():
            raise click.UsageError(f"--store {store}: it is a file; give the folder of the runs")
        if store.exists():
            next(store.iterdir(), None)
    except PermissionError as wrong:
        raise EnvironmentTrouble(
            f"The store {store} cannot be read: {wrong.strerror}. Give yourself the permission, or "
            "another place with --store."
        ) from wrong


def _token(host: str, token: str | None) -> str | None:
    """What is asked for: on loopback nothing unless it is given; elsewhere always something."""
    if token is None:
        return None if _loopback(host) else secrets.token_urlsafe(24)
    if len(token) < TOKEN_CHARS or not token.isprintable() or not token.isascii() or " " in token:
        raise click.UsageError(
            f"--token: give at least {TOKEN_CHARS} letters and digits, such as the output of "
            "'openssl rand -hex 16', or none to have one made"
        )
    return token


def _loopback(host: str) -> bool:
    try:
        return host.lower() in LOOPBACK or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name that leads here today may lead elsewhere tomorrow


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as wrong:
        raise click.UsageError(f"--host {host}: it is no address of this machine") from wrong
    family, _, _, _, address = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as wrong:
        listener.close()
        raise _trouble(host, port, wrong) from wrong
    return listener


def _trouble(host: str, port: int, wrong: OSError) -> Exception:
    if wrong.errno == errno.EADDRINUSE:
        return EnvironmentTrouble(
            f"Port {port} of {host} is in use. Give another with --port, or --port 0 for any."
        )
    if wrong.errno in (errno.EACCES, errno.EPERM):
        return EnvironmentTrouble(
            f"Port {port} of {host} is not for this user. Give one above 1023 with --port."
        )
    if wrong.errno == errno.EADDRNOTAVAIL:
        return click.UsageError(f"--host {host}: it is no address of this machine")
    return EnvironmentTrouble(f"{host}:{port} cannot be listened on: {wrong.strerror}.")
