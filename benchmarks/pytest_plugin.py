"""What the pytest plugin costs: a suite that does not use it, and a trial as a test.

    python -m benchmarks.pytest_plugin [--turns 15]

Claims: under 20 ms at the start of a suite that does not use it (collected with the plugin and with
`-p no:antipaxos`, turn about, by medians); a simulated trial as a test under 1 s all told, beyond
what pytest takes for an empty test.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from harness.clock import NS_PER_S, monotonic_ns

START_CLAIM_S, TRIAL_CLAIM_S = 0.020, 1.0
EMPTY = "def test_empty(): ...\n"
TRIAL = 'def test_trial(antipaxos):\n    assert antipaxos("paxos")\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=15)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory(prefix="antipaxos-") as place:
        suites = {"empty": EMPTY, "trial": TRIAL}
        for name, text in suites.items():
            Path(place, f"test_{name}.py").write_text(text)
        kinds = {
            "without": ("--collect-only", "-p", "no:antipaxos", "test_empty.py"),
            "with": ("--collect-only", "test_empty.py"),
            "empty": ("test_empty.py",),
            "trial": ("test_trial.py",),
        }
        took: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(turns):
            for name, words in kinds.items():
                took[name].append(_seconds(place, words))
    told = {name: median(times) for name, times in took.items()}
    start_s, trial_s = told["with"] - told["without"], told["trial"] - told["empty"]
    print(f"{'collecting, without the plugin':<34} {1000 * told['without']:7.0f} ms")
    print(f"{'collecting, with it':<34} {1000 * told['with']:7.0f} ms")
    print(f"{'an empty test':<34} {1000 * told['empty']:7.0f} ms")
    print(f"{'a simulated trial':<34} {1000 * told['trial']:7.0f} ms")
    print(
        f"\nat the start {1000 * start_s:.1f} ms more: {start_s / START_CLAIM_S:.2f}x of the claim"
    )
    print(f"a trial {trial_s:.2f} s more: {trial_s / TRIAL_CLAIM_S:.2f}x of the claim")


def _seconds(place: str, words: tuple[str, ...]) -> float:
    began_ns = monotonic_ns()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:asyncio",
            *words,
        ],
        cwd=place,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return (monotonic_ns() - began_ns) / NS_PER_S


if __name__ == "__main__":
    main()
