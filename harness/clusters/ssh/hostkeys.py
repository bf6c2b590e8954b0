"""Host keys: is the host the one that it was?

Rules
1. A key that is not the known one is refused, whatever the options say; so is a key of another kind
   than those known, since whoever sits between could offer nothing but a new kind.
2. An unknown host is refused, unless the user chose to accept new ones. Then its key is appended to
   the known hosts before anything is sent to it, and is known from then on.

Sources: the file is OpenSSH's known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT); accepting new
keys and no changed ones is its StrictHostKeyChecking=accept-new.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

import paramiko
from paramiko.hostkeys import HostKeys

from harness.clusters.ssh.options import SSH_PORT, Target
from harness.contracts import EnvironmentTrouble

_writing = Lock()  # hosts are reached at once, and share the file


class KnownHosts:
    """The keys of hosts, kept in OpenSSH's file."""

    def __init__(self, path: Path, *, accept_new: bool) -> None:
        self._path = path
        self._accept_new = accept_new

    def verify(self, target: Target, offered: paramiko.PKey) -> None:
        """Raises EnvironmentTrouble if the host must not be trusted."""
        name = _name(target)
        with _writing:
            known = self._read().lookup(name)
            if known is not None and known.get(offered.get_name()) == offered:
                return
            if known is not None:
                raise EnvironmentTrouble(self._changed(target, offered, sorted(known)))
            if not self._accept_new:
                raise EnvironmentTrouble(self._unknown(target, offered))
            self._append(name, offered)

    def kinds(self, target: Target) -> list[str]:
        """The kinds of keys by which the host is known: it is asked for these first."""
        with _writing:
            known = self._read().lookup(_name(target))
        return [] if known is None else list(known)

    def _read(self) -> HostKeys:
        keys = HostKeys()
        try:
            keys.load(str(self._path))
        except FileNotFoundError:
            pass
        except OSError as wrong:
            raise EnvironmentTrouble(
                f"the known hosts {self._path} cannot be read: {wrong.strerror}. Fix the file, or "
                "name another with the cluster option known_hosts."
            ) from wrong
        return keys

    def _append(self, name: str, key: paramiko.PKey) -> None:
        line = f"{name} {key.get_name()} {key.get_base64()}\n".encode()
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # One write to the end: other programs append to this file too.
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except OSError as wrong:
            raise EnvironmentTrouble(
                f"the key of {name} cannot be added to {self._path}: {wrong.strerror}. Name "
                "another file with the cluster option known_hosts."
            ) from wrong

    def _changed(self, target: Target, offered: paramiko.PKey, known: list[str]) -> str:
        return (
            f"{target} shows a host key that is not the known one: {_shown(offered)}; "
            f"{self._path} knows {', '.join(known)}. Somebody may sit between, or the host was "
            "installed anew: ask its owner, and only then remove the old key "
            f"(ssh-keygen -f {self._path} -R '{_name(target)}')."
        )

    def _unknown(self, target: Target, offered: paramiko.PKey) -> str:
        return (
            f"{target} is not among the known hosts in {self._path}; it shows {_shown(offered)}. "
            "Compare that with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then "
            "log in once with ssh, or set the cluster option accept_new_host_keys=yes."
        )


def _name(target: Target) -> str:
    return target.host if target.port == SSH_PORT else f"[{target.host}]:{target.port}"


def _shown(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
