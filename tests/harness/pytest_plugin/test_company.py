"""In company: with xdist, asyncio, Hypothesis, -x, --lf, Ctrl-C and real clusters."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ASYNC = """
import asyncio
import signal
import pytest

@pytest.mark.asyncio
async def test_it(antipaxos):
    beside = asyncio.create_task(asyncio.sleep(0))
    assert antipaxos("paxos", time_limit_s=6)
    await beside
    assert asyncio.current_task() is not None
    await asyncio.sleep(0)
"""


def test_asyncio(pytester: pytest.Pytester) -> None:
    """A trial in an async test: the test's loop stands still meanwhile, and goes on."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(test_it=ASYNC)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)


LOCAL = """
import signal
import pytest

@pytest.mark.parametrize("n", range(2))
def test_simulated(antipaxos, n):
    assert antipaxos("paxos", faults="partitions", time_limit_s=5).folder.is_dir()

@pytest.mark.parametrize("n", range(2))
def test_local(antipaxos, n):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    short = {"faults": "none", "time_limit_s": 1, "recovery_s": 0.1}
    verdict = antipaxos("paxos", cluster="local", **short)
    assert verdict and verdict.report.is_file()
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
"""


def test_xdist(pytester: pytest.Pytester) -> None:
    """Workers beside one another: folders, ports and what is healed at a start do not collide."""
    pytester.makepyfile(test_it=LOCAL)

    result = pytester.runpytest_subprocess("-n2", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=4)
    runs = {path.resolve() for path in pytester.path.glob("antipaxos-runs/*/*/trial.yaml")}
    assert 4 == len(runs)


HYPOTHESIS = """
from hypothesis import given, settings, Phase
from harness.strategies import trials

@settings(max_examples={examples}, deadline=None, database=None, derandomize=True,
          phases=(Phase.generate, Phase.shrink))
@given(trials(system="paxos", options={options}, time_limit_s=(1.0, 2.0)))
def test_it(antipaxos, case):
    assert antipaxos(case).kind.name != "INVALID"
"""


def test_hypothesis(pytester: pytest.Pytester) -> None:
    """The fixture belongs to no single call of the test, so no health check minds it; a case is
    carried out as it is."""
    pytester.makepyfile(test_it=HYPOTHESIS.format(examples=4, options={}))

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=1)


def test_first_failure_and_last_failed(pytester: pytest.Pytester) -> None:
    """-x ends the session at the first; --lf has just that again, with the same seed."""
    pytester.makeini("[pytest]\naddopts = -p no:asyncio\n")
    pytester.makepyfile(
        test_it="""
def test_a(antipaxos):
    assert antipaxos("paxos", faults="none", time_limit_s=1)

def test_b(antipaxos):
    assert not antipaxos("paxos", faults="none", time_limit_s=1)

def test_c(antipaxos):
    assert not antipaxos("paxos", faults="none", time_limit_s=1)
"""
    )

    first = pytester.runpytest_inprocess("-x")
    again = pytester.runpytest_inprocess("--lf")

    first.assert_outcomes(passed=1, failed=1)
    again.assert_outcomes(failed=1)
    seeds = [[line for line in r.outlines if line.startswith("seed ")] for r in (first, again)]
    assert seeds[0] == seeds[1] != []


INTERRUPTED = """
def test_it(antipaxos):
    antipaxos("paxos", cluster="{cluster}", faults="none", time_limit_s=100000, rate=200)

def test_never():
    raise AssertionError("the session goes on")
"""


@pytest.mark.parametrize("cluster", ["local", "simulated"])
def test_interrupt(pytester: pytest.Pytester, cluster: str) -> None:
    """Ctrl-C ends the run in order and reaches pytest; nothing is left behind."""
    pytester.makepyfile(test_it=INTERRUPTED.format(cluster=cluster) + READY[cluster])
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-s"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _until_it_runs(process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert pytest.ExitCode.INTERRUPTED == process.returncode, out
    assert "KeyboardInterrupt" in out
    assert "the session goes on" not in out
    for ledger in Path(pytester.path).glob("antipaxos-runs/*/*/ledger.jsonl"):
        from nemesis.ledger import open_entries

        assert [] == open_entries(ledger)


# Where a test can tell that its run has begun.
READY = {
    "local": """
import os
import threading
from pathlib import Path

def _watch():
    while not any(p.stat().st_size for p in Path("antipaxos-runs").glob("*/*/history.jsonl")):
        threading.Event().wait(0.02)
    os.write(1, b"RUNNING\\n")

threading.Thread(target=_watch, daemon=True).start()
""",
    "simulated": """
import os
from harness.pytest_trials import carrying

_simulate = carrying.simulate

def simulate(case):
    os.write(1, b"RUNNING\\n")
    return _simulate(case)

carrying.simulate = simulate
""",
}


def _until_it_runs(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "RUNNING" in line:
            return
    raise AssertionError("it ended before it ran")


def test_nothing_of_ours_is_imported(pytester: pytest.Pytester) -> None:
    """Where no test asks for it: not at the start, not for the fixture's name, not for a mark."""
    pytester.makepyfile(
        test_it="""
import sys
import pytest

@pytest.mark.antipaxos("paxos")
def test_it():
    ours = {m for m in sys.modules if m.split(".")[0] in ("harness", "checkers", "nemesis")}
    plugin = "harness.pytest_plugin", "harness.pytest_trials", "harness.pytest_trials.names"
    assert {"harness", *plugin} == ours
"""
    )

    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)
