"""A call into a system that never comes back ends the run, wherever it was asked for."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from harness import places
from harness.cases import Case
from harness.run import TROUBLE, run
from harness.settle import settle
from harness.simulate import simulate
from harness.simulation.hanging import no_call_longer_than
from harness.simulation.loop import Stalled

TURNING = """
class Machine:
    events = 0

    def handle(self, event, now):
        self.events += 1
        while self.events > 5:
            pass
        return []

def build(options):
    return Machine()
"""


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(places, "CALL_LIMIT_S_MIN", 0.3)
    (tmp_path / "turning.py").write_text(TURNING)
    system = f"{tmp_path}/turning.py:build"
    return {"system": system, "cluster": "simulated", "time_limit_s": 0.2, "seed": 1}


def test_a_run_in_memory(flags: dict[str, object]) -> None:
    """It has no verdict, and says where the call hangs: searching and shrinking go on after it."""
    with pytest.raises(Stalled, match=r"has not returned for 0\.3 s.*\n.*turning\.py.*in handle"):
        simulate(Case(trial=settle(None, flags)))


def test_a_run_in_a_folder(
    flags: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was recorded is kept and judged, the end is trouble, the terminal has one line of it."""
    outcome = run(settle(None, flags), tmp_path / "store")
    assert outcome.exit_code == TROUBLE
    assert (outcome.folder / "history.jsonl").exists()
    (notice,) = (n for n in capsys.readouterr().out.splitlines() if n.startswith("notice"))
    assert "has not returned for 0.3 s" in notice
    assert "handle" not in notice


@pytest.mark.parametrize("moment", ["start", "join"])
def test_ctrl_c_while_the_watch_begins_or_ends(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives, as an interrupt and as nothing else, and neither watch nor handler stays."""
    plain = getattr(threading.Thread, moment)

    def interrupted(thread: threading.Thread) -> None:
        signal.raise_signal(signal.SIGINT)
        plain(thread)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(threading.Thread, moment, interrupted)
    entered = False
    with pytest.raises(KeyboardInterrupt), no_call_longer_than(60.0):
        entered = True
    monkeypatch.undo()

    assert entered is (moment == "join")
    assert before is signal.getsignal(signal.SIGINT)
    assert "antipaxos-hanging" not in {thread.name for thread in threading.enumerate()}
