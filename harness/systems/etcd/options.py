"""The options of the system etcd: what a trial may say, what it means, and mistakes in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from harness.systems.etcd.binaries import VERSIONS, default_version, lack
from harness.systems.etcd.membership import CLUSTER, STATE
from harness.systems.etcd.session import Settings
from harness.trial import nearest


class Number(NamedTuple):
    """A whole number with bounds."""

    low: int
    high: int
    what: str


_WORDS: Mapping[str, tuple[str, ...]] = {
    "version": tuple(VERSIONS),
    "reads": ("linearizable", "serializable"),
    "watch_until": ("time", "progress"),
    "unsafe_no_fsync": ("off", "on"),
    STATE: ("new", "existing"),
}
_NUMBERS: Mapping[str, Number] = {
    "guard": Number(0, 100_000, "keys that every change also compares, 0 for none"),
    "lease_ttl_s": Number(0, 3600, "seconds that a lock is held at most, 0 for no limit"),
    "quota_mib": Number(0, 8192, "MiB that the store may take, 0 for etcd's own default"),
    "snapshot_count": Number(1, 10_000_000, "entries between two snapshots of the log"),
}
_TEXTS = ("binary", CLUSTER)
_BY_HARNESS = (STATE, CLUSTER)  # known, for nodes that join; not to be offered to anybody

_FIXED = {
    "reads": "linearizable",
    "guard": "0",
    "lease_ttl_s": "0",
    "watch_until": "time",
    "snapshot_count": "100000",
}


def defaults() -> Mapping[str, str]:
    """With the version that is found here, so that a run tells which it was."""
    return {"version": default_version(), **_FIXED}


def mistakes(options: Mapping[str, str]) -> list[str]:
    """A sentence about each, naming the nearest valid or how to get what is lacking."""
    found = []
    for name, value in options.items():
        sentence = _mistake(name, value)
        if sentence is not None:
            found.append(sentence)
    if not found and "version" in options and "binary" in options:
        found.append("options version and binary both say which etcd is run. Give one of them.")
    return found


def _mistake(name: str, value: str) -> str | None:
    if name in _WORDS:
        if value not in _WORDS[name]:
            return f"option {name} is {value!r}. {nearest(value, _WORDS[name])}"
        return lack(value) if name == "version" else None
    if name in _NUMBERS:
        low, high, what = _NUMBERS[name]
        if not value.isdecimal() or not low <= int(value) <= high:
            return f"option {name} is {value!r}. Give {what}: {low} to {high}."
        return None
    if name == "binary" and not value.startswith("/"):
        return f"option binary is {value!r}. Give the whole path of an etcd, on the node's host."
    if name in _TEXTS:
        return None
    known = [known for known in (*_WORDS, *_NUMBERS, *_TEXTS) if known not in _BY_HARNESS]
    return f"system 'etcd' has no option {name!r}. {nearest(name, known)}"


def settings(options: Mapping[str, str]) -> Settings:
    """What clients heed, of options that are free of mistakes."""
    settled = {**_FIXED, **options}
    return Settings(
        serializable=settled["reads"] == "serializable",
        guard=int(settled["guard"]),
        watch_until=settled["watch_until"],
        lease_ttl_s=int(settled["lease_ttl_s"]),
    )


def flags(options: Mapping[str, str]) -> list[str]:
    """Arguments of the program that come of options alone."""
    given = [f"--snapshot-count={options.get('snapshot_count', _FIXED['snapshot_count'])}"]
    quota_mib = int(options.get("quota_mib", 0))
    if quota_mib:
        given.append(f"--quota-backend-bytes={quota_mib * 2**20}")
    if options.get("unsafe_no_fsync") == "on":  # 3.4 does not know the flag, and says so
        given.append("--unsafe-no-fsync")
    return given
