"""One SSH connection to one host, kept and renewed.

Rules
1. Whoever needs the connection and finds it cut makes it anew, with growing pauses, for at most
   RENEW_LIMIT_S. What will not get better by waiting (a refused key, a changed host key) is told at
   once.
2. An order that was on its way when the connection broke may or may not have been carried out. Only
   one that is as good twice as once is repeated; of others that is said.
3. A command is a list of arguments, and quoted here: nothing that a name or an option holds is ever
   read by a shell as more than a word.
4. A host that does not answer in time counts as cut off: its connection is dropped, so that the
   next order does not wait behind it.

Everything here blocks, and may be called from several threads.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import TypeVar

import msgspec
import paramiko

from harness.clock import NS_PER_S, monotonic_ns
from harness.clusters.ssh.hostkeys import KnownHosts
from harness.clusters.ssh.options import Settings, Target
from harness.contracts import EnvironmentTrouble

CONNECT_LIMIT_S = 5.0
RENEW_LIMIT_S = 5.0
FIRST_PAUSE_S = 0.05
ORDER_LIMIT_S = 6.0
UPLOAD_LIMIT_S = 120.0
SILENCE_LIMIT_MS = 5000
KEEPALIVE_S = 2
READ_BYTES = 32 * 1024

T = TypeVar("T")


# What breaks here is told by what we raise; without a handler it would be printed besides.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Cut(Exception):
    """The connection broke, or nothing came in time."""


class Unsent(Cut):
    """It had broken before anything was asked."""


class Ended(msgspec.Struct, frozen=True):
    """How a command ended."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """What it said, for a sentence: its last lines on standard error, else on output."""
        said = (self.err.strip() or self.out.strip()).decode(errors="replace")
        return " / ".join(said.splitlines()[-3:]) or "without a word"


class Connection:
    """To one host. `name`: the node that lives there, as troubles name it."""

    def __init__(self, name: str, target: Target, settings: Settings) -> None:
        self.name = name
        self.target = target
        self.reached_at = target.host  # its IP address, once it was reached
        self.renewals = -1  # how often it was made anew; the first time does not count
        self._settings = settings
        self._known = KnownHosts(
            Path(settings.known_hosts).expanduser(),
            accept_new=settings.accept_new_host_keys == "yes",
        )
        self._client: paramiko.SSHClient | None = None
        self._turn = Lock()
        self._closed = Event()

    def run(
        self,
        argv: Sequence[str],
        *,
        given: bytes = b"",
        limit_s: float = ORDER_LIMIT_S,
        idempotent: bool = True,
    ) -> Ended:
        """Run a command to its end, with `given` on its standard input. Raises EnvironmentTrouble
        where there is no connection; a status other than 0 is the caller's to judge."""
        command = shlex.join(argv)

        def order(client: paramiko.SSHClient) -> Ended:
            return _run(client, command, given, limit_s)

        return self._kept(order, f"'{argv[0]} ...'" if len(argv) > 1 else argv[0], idempotent)

    def upload(self, local: Path, remote: str) -> None:
        """Copy a file, or a folder with all that is in it, keeping permissions."""

        def order(client: paramiko.SSHClient) -> None:
            with _sftp(client) as sftp:
                _put(sftp, local, remote)

        self._kept(order, f"the upload of {local}", True)

    def download(self, remote: str, local: Path) -> bool:
        """Copy a file; False if there is none."""

        def order(client: paramiko.SSHClient) -> bool:
            with _sftp(client) as sftp:
                try:
                    sftp.get(remote, str(local))
                except FileNotFoundError:
                    local.unlink(missing_ok=True)  # sftp.get opens before it asks
                    return False
            return True

        return self._kept(order, f"the download of {remote}", True)

    @contextlib.contextmanager
    def conversation(self, argv: Sequence[str]) -> Iterator[Callable[[bytes], bytes]]:
        """A command that answers a line with a line: call with the one to get the other. Raises
        EnvironmentTrouble, as `run` does, and Cut if it breaks off."""
        client = self._kept(lambda client: client, argv[0], True)
        with _breaking(), contextlib.closing(_channel(client, ORDER_LIMIT_S)) as channel:
            channel.settimeout(ORDER_LIMIT_S)
            channel.exec_command(shlex.join(argv))

            def say(line: bytes) -> bytes:
                channel.sendall(line + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    read = channel.recv(READ_BYTES)
                    if not read:
                        raise Cut(f"{argv[0]} ended")
                    answer += read
                return answer[:-1]

            yield say

    def cut(self) -> None:
        """Drop the connection; the next order makes another."""
        with self._turn:
            self._drop(self._client)

    def close(self) -> None:
        """For good; idempotent. Who waits for a connection gives up."""
        self._closed.set()
        self.cut()

    def _kept(self, order: Callable[[paramiko.SSHClient], T], what: str, idempotent: bool) -> T:
        """Carry out an order, a second time if the connection broke and that does no harm."""
        for last in (False, True):
            client = self._connected()
            try:
                with _breaking():
                    return order(client)
            except Cut as cut:
                with self._turn:
                    self._drop(client)
                if last or not (idempotent or isinstance(cut, Unsent)):
                    raise EnvironmentTrouble(
                        f"the connection to {self._us} broke while {what} ran ({cut}); whether it "
                        "came to its end is not known. Is the host overloaded, or the network bad?"
                    ) from cut
        raise AssertionError("the second try returns or raises")

    @property
    def _us(self) -> str:
        return f"node {self.name}'s host {self.target}"

    def _connected(self) -> paramiko.SSHClient:
        with self._turn:
            if self._client is not None and not _alive(self._client):
                self._drop(self._client)
            if self._client is None:
                self._client = self._renewed()
                self.renewals += 1
            return self._client

    def _renewed(self) -> paramiko.SSHClient:
        end_ns = monotonic_ns() + round(RENEW_LIMIT_S * NS_PER_S)
        pause_s = FIRST_PAUSE_S
        while not self._closed.is_set():
            try:
                return self._connect()
            except (OSError, EOFError, paramiko.SSHException) as wrong:
                if monotonic_ns() >= end_ns:
                    raise EnvironmentTrouble(
                        f"{self._us} cannot be reached: {_told(wrong).rstrip('.')} (tried for "
                        f"{RENEW_LIMIT_S:g} s). Is it up, is sshd running there, does a firewall "
                        "let port "
                        f"{self.target.port} through?"
                    ) from wrong
            self._closed.wait(pause_s)
            pause_s = min(pause_s * 2, 1.0)
        raise EnvironmentTrouble(f"the connection to {self._us} was closed: the cluster is stopped")

    def _connect(self) -> paramiko.SSHClient:
        target, settings = self.target, self._settings
        sock = socket.create_connection((target.host, target.port), CONNECT_LIMIT_S)
        self.reached_at = sock.getpeername()[0]
        # paramiko leaves Nagle's algorithm on, which makes each short order wait for an ack: 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_LIMIT_MS)
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(_Verify(self._known, target))
        kinds = self._known.kinds(target)
        try:
            client.connect(
                target.host,
                target.port,
                target.user,
                sock=sock,
                password=settings.password,
                key_filename=str(Path(settings.key).expanduser()) if settings.key else None,
                timeout=CONNECT_LIMIT_S,
                banner_timeout=CONNECT_LIMIT_S,
                auth_timeout=CONNECT_LIMIT_S,
                channel_timeout=CONNECT_LIMIT_S,
                transport_factory=lambda *args, **kwargs: _preferring(kinds, *args, **kwargs),
            )
        except BaseException as wrong:
            client.close()
            sock.close()
            if isinstance(wrong, paramiko.AuthenticationException) or _no_method(wrong):
                raise EnvironmentTrouble(self._refused(wrong)) from wrong
            raise
        transport = client.get_transport()
        assert transport is not None, "it has just connected"
        transport.set_keepalive(KEEPALIVE_S)
        return client

    def _refused(self, wrong: BaseException) -> str:
        tried = [f"the key {self._settings.key}"] if self._settings.key else []
        tried += ["the keys of the agent and of ~/.ssh"]
        if self._settings.password_env:
            tried += [f"the password in ${self._settings.password_env}"]
        return (
            f"{self._us} lets nobody in as {self.target.user}: {_told(wrong)} Tried: "
            f"{', '.join(tried)}. Does 'ssh -p {self.target.port} {self.target.user}@"
            f"{self.target.host}' get in? Set the cluster option user, key or password_env."
        )

    def _drop(self, client: paramiko.SSHClient | None) -> None:
        """Close it, if it is still the one in use: another thread may have made a new one."""
        if client is not None and client is self._client:
            self._client = None
            client.close()


class _Verify(paramiko.MissingHostKeyPolicy):
    """No keys are loaded into the client, so every host is missing there, and comes here."""

    def __init__(self, known: KnownHosts, target: Target) -> None:
        self._known, self._target = known, target

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        del client, hostname
        self._known.verify(self._target, key)


def _preferring(kinds: Sequence[str], *args: object, **kwargs: object) -> paramiko.Transport:
    """A transport that asks the host first for a key of the kinds that it is known by."""
    transport = paramiko.Transport(*args, **kwargs)  # type: ignore[arg-type] # paramiko's own words
    offer = transport.get_security_options()
    families = tuple("rsa" if kind == "ssh-rsa" else kind for kind in kinds)
    known = [kind for kind in offer.key_types if any(family in kind for family in families)]
    offer.key_types = [*known, *(kind for kind in offer.key_types if kind not in known)]
    return transport


def _alive(client: paramiko.SSHClient) -> bool:
    transport = client.get_transport()
    return transport is not None and transport.is_active()


@contextlib.contextmanager
def _breaking() -> Iterator[None]:
    """Whatever a broken connection raises, as one thing. A remote file system's complaints (no
    space, no permission) are OSErrors too, and no cut: those say which file, or are of its kind."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except (paramiko.SSHException, EOFError, TimeoutError) as wrong:
        raise Cut(_told(wrong)) from wrong
    except OSError as wrong:
        if wrong.errno is None:  # as paramiko raises what sftp-server says in words
            raise
        raise Cut(_told(wrong)) from wrong


def _run(client: paramiko.SSHClient, command: str, given: bytes, limit_s: float) -> Ended:
    end_ns = monotonic_ns() + round(limit_s * NS_PER_S)
    with contextlib.closing(_channel(client, limit_s)) as channel:
        channel.settimeout(limit_s)
        channel.exec_command(command)
        if given:
            with contextlib.suppress(OSError):  # it ended without reading; its status tells
                channel.sendall(given)
        channel.shutdown_write()
        out = _all(channel, channel.recv, end_ns)
        err = _all(channel, channel.recv_stderr, end_ns)
        _remaining(channel, end_ns)
        if not channel.status_event.wait(max(0.0, (end_ns - monotonic_ns()) / NS_PER_S)):
            raise TimeoutError("no exit status came")
        if channel.exit_status == -1 and not _alive(client):
            raise Cut("the connection was closed")
        return Ended(channel.exit_status, out, err)


def _channel(client: paramiko.SSHClient, limit_s: float) -> paramiko.Channel:
    transport = client.get_transport()
    if transport is None:
        raise Unsent("the connection was closed")
    try:
        return transport.open_session(timeout=limit_s)
    except (OSError, EOFError, paramiko.SSHException) as wrong:
        raise Unsent(_told(wrong)) from wrong


def _all(channel: paramiko.Channel, read: Callable[[int], bytes], end_ns: int) -> bytes:
    found = bytearray()
    while True:
        _remaining(channel, end_ns)
        part = read(READ_BYTES)
        if not part:
            return bytes(found)
        found += part


def _remaining(channel: paramiko.Channel, end_ns: int) -> None:
    left_s = (end_ns - monotonic_ns()) / NS_PER_S
    if left_s <= 0:
        raise TimeoutError("no answer in time")
    channel.settimeout(left_s)


@contextlib.contextmanager
def _sftp(client: paramiko.SSHClient) -> Iterator[paramiko.SFTPClient]:
    sftp = client.open_sftp()
    try:
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(UPLOAD_LIMIT_S)
        yield sftp
    finally:
        sftp.close()


def _put(sftp: paramiko.SFTPClient, local: Path, remote: str) -> None:
    if local.is_dir():
        with contextlib.suppress(OSError):  # it is there already
            sftp.mkdir(remote)
        for child in sorted(local.iterdir()):
            _put(sftp, child, f"{remote}/{child.name}")
        return
    sftp.put(str(local), remote)
    sftp.chmod(remote, local.stat().st_mode & 0o777)


def _no_method(wrong: BaseException) -> bool:
    return isinstance(wrong, paramiko.SSHException) and "No authentication methods" in str(wrong)


def _told(wrong: BaseException) -> str:
    text = str(wrong).rstrip(".") or type(wrong).__name__
    return f"{text}."
