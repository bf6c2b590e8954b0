"""Options of the ssh cluster: which hosts, how to log in there, and what may be done to them.

Rules
1. All mistakes are told at once, each with the nearest valid name.
2. No secret is an option: options are kept with the run. A password is named by the environment
   variable that holds it.
3. What touches more of a host than our own files, firewall table and processes (its clock) is done
   only where an option says so.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from harness.trial import nearest

SSH_PORT = 22
_USER = r"[A-Za-z_][\w.-]*\$?"
_HOST = re.compile(rf"(?:(?P<user>{_USER})@)?(?P<host>[A-Za-z0-9][\w.-]*)(?::(?P<port>\d{{1,5}}))?")

YesNo = Literal["yes", "no"]


class Target(msgspec.Struct, frozen=True):
    """Whom to log in as, and where."""

    user: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + ("" if self.port == SSH_PORT else f":{self.port}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hosts`: address, user@address or user@address:port of each, separated by commas; the first
    is node n1's. `user`: who logs in where `hosts` does not say. `key`: a private key beside those
    of the agent. `known_hosts`: the file of the keys that hosts must show. `accept_new_host_keys`:
    take the key of a host that is not in it. `password_env`: the variable of the environment that
    holds a password. `sudo`: do orders that need root go through it? `directory`: where everything
    of ours is kept on a host. `python`: what the commands' {python} means there. `upload`: local
    files and folders, separated by commas, that the commands need there. `clock`: 'machine' lets
    faults set the clocks of the hosts. `lease_s`: after how many seconds without a word from here a
    host heals itself.
    """

    hosts: str = ""
    user: str = ""
    key: str = ""
    known_hosts: str = "~/.ssh/known_hosts"
    accept_new_host_keys: YesNo = "no"
    password_env: str = ""
    sudo: YesNo = "no"
    directory: str = ""
    python: str = "python3"
    upload: str = ""
    clock: Literal["untouched", "machine"] = "untouched"
    lease_s: Annotated[int, msgspec.Meta(ge=3, le=3600)] = 10

    @property
    def targets(self) -> tuple[Target, ...]:
        """Of the hosts, in order. The settings must be free of mistakes."""
        return tuple(_target(word, self.user or getpass.getuser()) for word in _words(self.hosts))

    @property
    def uploads(self) -> tuple[Path, ...]:
        return tuple(Path(word).expanduser().absolute() for word in _words(self.upload))

    @property
    def password(self) -> str | None:
        return os.environ.get(self.password_env) if self.password_env else None

    def home_on(self, target: Target) -> str:
        """The directory of ours on a host, without an end slash."""
        return (self.directory or f"/var/tmp/antipaxos-{target.user}").rstrip("/")


def settings(given: Mapping[str, str]) -> Settings:
    """From the cluster options of a trial. Raises ValueError with sentences, one a line."""
    mistakes = mistakes_of(given)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return msgspec.convert(dict(given), Settings, strict=False)


def mistakes_of(given: Mapping[str, str], nodes: int | None = None) -> list[str]:
    """What is wrong with cluster options, as sentences; empty if nothing is. `nodes`: how many are
    wanted, where that is known."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    found = []
    for name, value in given.items():
        if name not in fields:
            found.append(f"the ssh cluster has no option {name!r}. {nearest(name, fields)}")
            continue
        try:
            msgspec.convert(value, fields[name].type, strict=False)
        except msgspec.ValidationError as wrong:
            words = get_args(fields[name].type)
            valid = nearest(value, words) if isinstance(words[0], str) else f"{wrong}."
            found.append(
                f"cluster option {name} is {value!r}. {valid} The default is "
                f"{fields[name].default!r}."
            )
    return [*found, *_of_hosts(given.get("hosts", ""), nodes), *_of_values(given)]


def _of_hosts(given: str, nodes: int | None) -> list[str]:
    words = _words(given)
    if not words:
        return [
            "the ssh cluster needs the option hosts: the addresses of the hosts, separated by "
            "commas (hosts=10.0.0.1,10.0.0.2,10.0.0.3 or user@address:port each)."
        ]
    found = [
        f"cluster option hosts names {word!r}, which is no address. Give a name or an IPv4 "
        "address, with user@ before it and :port behind it where they are not the default."
        for word in words
        if not _is_target(word)
    ]
    named = [match["host"] for word in words if (match := _HOST.fullmatch(word))]
    twice = sorted({host for host in named if named.count(host) > 1})
    if twice:
        found.append(
            f"cluster option hosts names {', '.join(twice)} more than once. Each node needs a host "
            "of its own: links between nodes of one host could not be cut."
        )
    if nodes is not None and len(words) < nodes:
        found.append(
            f"cluster option hosts names {len(words)} of the {nodes} hosts that {nodes} nodes "
            f"need. Add {nodes - len(words)}, or give fewer --nodes."
        )
    return found


def _of_values(given: Mapping[str, str]) -> list[str]:
    found = []
    directory, variable = given.get("directory", ""), given.get("password_env", "")
    if directory and (not directory.startswith("/") or ".." in directory.split("/")):
        found.append(
            f"cluster option directory is {directory!r}. Give an absolute path without '..'."
        )
    if directory and directory.strip("/").count("/") == 0:
        found.append(
            f"cluster option directory is {directory!r}, which others use too. "
            "Give a directory of its own, as in /var/tmp/antipaxos."
        )
    if variable and not os.environ.get(variable):
        found.append(
            f"cluster option password_env names the variable {variable!r}, which is not set or "
            f"empty. Set it (read -rs {variable}; export {variable}), or use a key."
        )
    paths = [given["key"]] if given.get("key") else []
    found += [
        f"cluster option {name} names {path!r}, which is not there. Give the path of a file here."
        for name, several in (("key", paths), ("upload", _words(given.get("upload", ""))))
        for path in several
        if not Path(path).expanduser().exists()
    ]
    names = [Path(word).expanduser().absolute().name for word in _words(given.get("upload", ""))]
    if len(set(names)) < len(names):
        found.append(
            "cluster option upload names two things of one name, and one would hide the other: "
            "put them into one folder, and name that."
        )
    return found


def _words(given: str) -> Sequence[str]:
    return [word.strip() for word in given.split(",") if word.strip()]


def _is_target(word: str) -> bool:
    match = _HOST.fullmatch(word)
    return match is not None and (match["port"] is None or 0 < int(match["port"]) < 65536)


def _target(word: str, user: str) -> Target:
    match = _HOST.fullmatch(word)
    assert match is not None, "the settings are free of mistakes"
    return Target(match["user"] or user, match["host"], int(match["port"] or SSH_PORT))
