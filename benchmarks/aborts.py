"""Runs that are ended at random instants, by random signals: do they leave anything behind?

    python -m benchmarks.aborts [--runs 50] [--seed 1] [--cluster namespaces]

Each run would take minutes; SIGINT, SIGTERM or SIGKILL comes up to four seconds after its start.
Looked for afterwards: processes that work in its folder or below, networks and mounts by name,
devices, tables of nft, and files outside the run folder. After a SIGKILL it is measured how long
the last process took to go.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from threading import Event

import msgspec
import psutil

from harness.clock import monotonic_ns

CLAIM_S = 0.2  # for the last process to go after a SIGKILL
LATEST_S = 4.0
GONE_LIMIT_S = 5.0
END_LIMIT_S = 60.0
POLL_S = 0.005
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
ANTIPAXOS = str(Path(sys.executable).with_name("antipaxos"))


class Seen(msgspec.Struct, frozen=True):
    """What everybody on this machine can see of networks and mounts."""

    networks: frozenset[str]
    mounts: frozenset[str]
    devices: frozenset[str]
    rules: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cluster", default="namespaces")
    given = parser.parse_args()
    random, before = Random(given.seed), seen()
    gone_s: list[float] = []
    outcomes: Counter[str] = Counter()
    left: list[str] = []
    for number in range(1, given.runs + 1):
        with tempfile.TemporaryDirectory(prefix="antipaxos-aborts-") as home:
            which = random.choice(SIGNALS)
            after_s = random.uniform(0.0, LATEST_S)
            code, took_s, rest = abort(Path(home), given.cluster, number, which, after_s)
        left += rest
        outcomes[f"{which.name} -> {code}"] += 1
        if which is signal.SIGKILL:
            gone_s.append(took_s)
        print(
            f"{number:>4} {which.name:<8} after {after_s:4.2f} s: exit {code:>4}, gone "
            f"{took_s * 1000:6.0f} ms later, {'; '.join(rest) or 'nothing left'}",
            flush=True,
        )
    if seen() != before:
        left.append(f"before: {before}, now: {seen()}")
    print(f"\n{given.runs} runs: {dict(outcomes)}; {len(left)} leftovers {left}")
    if gone_s:
        print(
            f"after SIGKILL the last process went after at most {max(gone_s) * 1000:.0f} ms: "
            f"{max(gone_s) / CLAIM_S:.2f}x of the claim"
        )
    sys.exit(bool(left))


def abort(
    home: Path, cluster: str, seed: int, number: signal.Signals, after_s: float
) -> tuple[int, float, list[str]]:
    """Exit code, seconds from the signal (of the end, for those that end in order) until nothing of
    it lived, and what was left."""
    words = ["run", "--cluster", cluster, "--faults", "chaos", "--time-limit", "300"]
    work, elsewhere = home / "work", home / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    process = subprocess.Popen(
        [ANTIPAXOS, *words, "--seed", str(seed)],
        cwd=work,
        env={**os.environ, "TMPDIR": str(elsewhere), "HOME": str(elsewhere)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    Event().wait(after_s)
    process.send_signal(number)
    began_ns = monotonic_ns()
    if number is not signal.SIGKILL:
        process.wait(END_LIMIT_S)
        began_ns = monotonic_ns()
    while living(work) and monotonic_ns() - began_ns < GONE_LIMIT_S * 1e9:
        Event().wait(POLL_S)
    took_s = (monotonic_ns() - began_ns) / 1e9
    code = process.wait()
    rest = [f"process {name}" for name in living(work)]
    rest += [f"file {file}" for file in elsewhere.iterdir()]
    rest += [f"file {file}" for file in work.iterdir() if file.name != "antipaxos-runs"]
    return code, took_s, rest


def living(work: Path) -> list[str]:
    return [
        f"{p.pid} {p.info['cmdline']}"
        for p in psutil.process_iter(["cwd", "cmdline", "status"])
        if p.info["status"] != psutil.STATUS_ZOMBIE and (p.info["cwd"] or "").startswith(str(work))
    ]


def seen() -> Seen:
    networks = Path("/run/netns")
    rules = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    return Seen(
        networks=frozenset(f.name for f in networks.iterdir())
        if networks.exists()
        else frozenset(),
        mounts=frozenset(
            line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        devices=frozenset(name for _, name in socket.if_nameindex()),
        rules=rules.stdout,
    )


if __name__ == "__main__":
    main()
