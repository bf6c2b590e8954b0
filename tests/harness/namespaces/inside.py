"""Running a function of a test module inside a world of its own.

The function lives at the head of its module, takes arguments that JSON can carry, and asserts; what
it raises comes back as a failure with its traceback. `unprivileged`: by a user who has no rights
but those that everybody has; skipped, with the reason, where that cannot be.
"""

from __future__ import annotations

import importlib.util
import json
import os
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.clusters.namespaces import world

ROOT = Path(__file__).parents[3]
LIMIT_S = 120.0
NOBODY = 65534


def run_inside(function: Callable[..., None], *arguments: Any, unprivileged: bool = False) -> None:
    reason = world.obstacle()
    if reason is not None:
        _cannot(reason)
    prefix, python = _as_nobody() if unprivileged and os.geteuid() == 0 else ([], sys.executable)
    user = ["--user", "--map-root-user"] if prefix else []
    file, name = function.__code__.co_filename, function.__name__
    command = world.command([python, __file__, file, name, json.dumps(arguments)])
    ran = subprocess.run(
        [*prefix, command[0], *user, *command[1:]],
        env={
            **os.environ,
            world.OWNER: "1 0.0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join((str(ROOT), *site.getsitepackages())),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if ran.returncode == SKIPPED:
        _cannot(ran.stderr.strip().splitlines()[-1])
    assert ran.returncode == 0, f"inside the world:\n{ran.stdout}{ran.stderr}"


SKIPPED = 77


def _cannot(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI this must run: {reason}")
    pytest.skip(reason)


def _as_nobody() -> tuple[list[str], str]:
    """What makes a program run as nobody, and a Python of our version that nobody may run."""
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    drop += ["--inh-caps=-all", "--bounding-set=-all"]
    version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    for python in (sys.executable, "/usr/bin/python3"):
        tried = [*drop, "unshare", "--user", "--map-root-user", python, "-c", version]
        if subprocess.run(tried, check=False, capture_output=True).returncode == 0:
            return drop, python
    return _cannot("nobody may run no Python of this version: install it outside /root")


def _main() -> None:
    file, name, arguments = sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    specification = importlib.util.spec_from_file_location("inside_a_world", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["inside_a_world"] = module
    world.prepare()
    specification.loader.exec_module(module)
    try:
        getattr(module, name)(*json.loads(arguments))
    except pytest.skip.Exception as skipped:
        print(skipped, file=sys.stderr)
        sys.exit(SKIPPED)


if __name__ == "__main__":
    _main()
