"""A system that does not come back: from its function, or from a machine."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SYSTEM = """
import threading
import os

class Machine:
    def __init__(self, how):
        self.how = how

    def handle(self, event, now):
        if self.how == "handles":
            os.write(1, b"RUNNING\\n")
            while True:
                pass
        if self.how == "waits":
            lock = threading.Lock()
            while True:
                lock.acquire()  # and nobody releases it
        return []

def build(options):
    while options["how"] == "builds":
        pass
    return Machine(options["how"])
"""
TEST = """
import pytest

@pytest.mark.parametrize("how", ["builds", "handles", "waits"])
def test_it(antipaxos, how):
    antipaxos("turning.py:build", options={"how": how}, time_limit_s=0.5)

def test_after(antipaxos):
    assert antipaxos("paxos", time_limit_s=3)
"""
SHORT = "from harness import places\nplaces.CALL_LIMIT_S_MIN = 0.3\n"


def test_it_is_told_where_it_hangs(pytester: pytest.Pytester) -> None:
    """After the seconds of the trial: trouble, no failure, with the line, and the session goes
    on."""
    pytester.makepyfile(turning=SYSTEM, test_it=TEST, conftest=SHORT)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(errors=3, passed=1)
    result.stdout.re_match_lines(
        [
            r".*Stalled: a call into the system has not returned for 0.5 s.*",
            r'E +File ".*turning\.py", line \d+, in build',
            r'E +File ".*turning\.py", line \d+, in handle',
            r"E +(while True:|pass)",
            r'E +File ".*turning\.py", line \d+, in handle',
            r"E +lock\.acquire\(\).*",
        ]
    )


def test_interrupt(pytester: pytest.Pytester) -> None:
    """Ctrl-C meets it before that, and ends the session."""
    pytester.makepyfile(turning=SYSTEM, test_it=TEST)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-sk", "handles or after"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any("RUNNING" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert pytest.ExitCode.INTERRUPTED == process.returncode, out
    assert "KeyboardInterrupt" in out
    assert "Stalled" not in out
