"""The command line: every mistake is a sentence with its remedy, and a code of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from checkers.linearizability import engine
from harness import cli
from harness.heal import HARNESS
from nemesis.ledger import Ledger

Antipaxos = Callable[..., tuple[int, str, str]]


@pytest.fixture
def antipaxos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Antipaxos:
    """Runs the command in an empty directory; exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["antipaxos", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code if isinstance(left.value.code, int) else 0, out, err

    return call


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("runn",), "no command 'runn'. Did you mean 'run'?"),
        (("run", "--workload", "registr"), "no workload 'registr'. Did you mean 'register'"),
        (("run", "--faults", "partitons"), "partitions"),
        (("run", "--system", "paxoss"), "no system 'paxoss'. Did you mean 'paxos'?"),
        (("run", "--mutant", "promise-forgoten"), "promise-forgotten"),
        (("run", "--option", "learnin=all"), "learning"),
        (("run", "--option", "learning"), "write NAME=VALUE"),
        (("run", "--workload-option", "keys_slow=many"), "Expected `int`"),
        (("run", "--workload-option", "keys_quik=3"), "keys_quick"),
        (("run", "--nodes", "0"), "nodes is 0. Give a number of nodes from 1 to 99."),
        (("run", "--time-limit", "nan"), "time_limit_s is nan"),
        (("run", "--cluster", "locl"), "Did you mean 'local'?"),
        (("run", "--sed", "3"), "--seed"),
        (("run", "nothing.yaml"), "nothing.yaml cannot be read"),
        (("run", "--faults", "./nothing.json"), "nothing.json"),
        (("check", "nothing.jsonl", "--model", "register"), "nothing.jsonl"),
        (("check", "h.jsonl", "--model", "cas-registr"), "Did you mean 'cas-register'"),
        (("check", "h.jsonl"), "--model"),
        (("check", "h.jsonl", "--model", "register", "--format", "endn"), "edn"),
        (("report", "nowhere"), "a path where nothing is"),
        (("report", "."), "a folder without a history"),
        (("check", "."), "a folder without a history"),
        (("heal", "nowhere"), "not the folder of a run"),
        (("mutants", "half-quorun"), "Did you mean 'half-quorum'"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_a_sentence_and_254(
    antipaxos: Antipaxos, words: tuple[str, ...], says: str
) -> None:
    """What was got, and the nearest valid; never a traceback."""
    Path("h.jsonl").write_text("")
    code, _, err = antipaxos(*words)
    assert 254 == code
    assert says in err
    assert "Traceback" not in err


def test_all_mistakes_of_a_trial_are_told_at_once(antipaxos: Antipaxos) -> None:
    """With the lines of the file."""
    Path("t.yaml").write_text(
        "workload: registr\nnodes: 0\nfaults: partitons\noptions: {learning: al}\n"
    )
    code, _, err = antipaxos("run", "t.yaml")
    assert 254 == code
    assert [f"antipaxos: t.yaml:{n}:" for n in (1, 2, 3, 4)] == [
        " ".join(line.split()[:2]) for line in err.splitlines()
    ]


HISTORY = """\
{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":1}
{"index":1,"time":1,"process":0,"type":"ok","f":"write","value":1}
{"index":2,"time":2,"process":1,"type":"invoke","f":"read"}
{"index":3,"time":3,"process":1,"type":"ok","f":"read","value":%s}
"""


@pytest.mark.parametrize(("seen", "code", "word"), [("1", 0, "VALID"), ("2", 1, "INVALID")])
def test_check_ends_with_the_verdict(antipaxos: Antipaxos, seen: str, code: int, word: str) -> None:
    """0 valid, 1 invalid; the word comes first, in at most twenty lines."""
    Path("h.jsonl").write_text(HISTORY % seen)
    got, out, _ = antipaxos("check", "h.jsonl", "--model", "register")
    assert code == got
    assert word == out.split()[0]
    assert len(out.splitlines()) <= 20


def test_check_as_json(antipaxos: Antipaxos) -> None:
    """For programs."""
    Path("h.jsonl").write_text(HISTORY % "2")
    code, out, _ = antipaxos("check", "h.jsonl", "--model", "register", "--json")
    assert 1 == code
    assert "invalid" == json.loads(out)["kind"]


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ('{"index":1,"time":1,"process":0,"type":"invoke","f":"read"}', "is open"),
        ('{"index":1,"time":1,"process":2,"type":"ok","f":"read"}', "without an open invocation"),
        ('{"index":1,"time":-5,"process":1,"type":"invoke","f":"read"}', "time goes back"),
        ('{"index":1,"time":1,"process":1,"type":"invoke","f":"cas","value":7}', "operation 1"),
        ('{"index":1,"time":1,"process":0,"type":"ok","f":"write"}x', "line 2"),
    ],
)
def test_an_ill_formed_history_names_the_operation(
    antipaxos: Antipaxos, second: str, says: str
) -> None:
    """Operation, rule and remedy, with 254."""
    first = '{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":1}'
    Path("h.jsonl").write_text(f"{first}\n{second}\n")
    code, _, err = antipaxos("check", "h.jsonl", "--model", "cas-register")
    assert 254 == code
    assert says in err


def test_doctor_finds_what_runs_need(antipaxos: Antipaxos) -> None:
    """Where the tests run, a trial runs too."""
    code, out, _ = antipaxos("doctor", "--json")
    assert 0 == code
    assert {"Python", "loopback", "store"} <= {f["subject"] for f in json.loads(out) if f["found"]}


@pytest.mark.parametrize("there", [True, False])
def test_doctor_tells_of_the_engine(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Nothing needs it; where it is missing, why and what to do."""
    monkeypatch.setattr(engine, "_WHY_NOT", "" if there else "it is not built")
    monkeypatch.setattr(engine, "_REMEDY", "" if there else "install a Rust toolchain")
    code, out, _ = antipaxos("doctor", "--json")
    (found,) = (f for f in json.loads(out) if f["subject"] == "engine")
    assert (0, there, False) == (code, found["found"], found["needed"])
    assert there or "it is not built; install a Rust toolchain" in found["remedy"]


def test_heal_of_an_empty_store_finds_nothing(antipaxos: Antipaxos) -> None:
    """No runs, nothing to undo."""
    assert (0, "nothing was left to undo\n", "") == antipaxos("heal")


def test_heal_tells_of_a_run_that_goes_on(antipaxos: Antipaxos, tmp_path: Path) -> None:
    """It is left alone, which a user who waits for it should know."""
    folder = tmp_path / "antipaxos-runs" / "paxos-register" / "run"
    folder.mkdir(parents=True)
    me = psutil.Process()
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.process(me.pid, me.create_time(), HARNESS)
    for words in (("heal",), ("heal", str(folder))):
        code, out, _ = antipaxos(*words)
        assert (0, f"its run goes on (process {me.pid})" in out) == (code, True)


def test_trouble_of_the_machine_is_no_bug_of_ours(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the operating system is a sentence and 255; anything else asks for a report."""
    for error, says in ((OSError(28, "No space left"), "No space left"), (KeyError("x"), "bug")):
        monkeypatch.setattr("harness.doctor.examine", Mock(side_effect=error))
        code, _, err = antipaxos("doctor")
        assert (255, True) == (code, says in err)
        assert isinstance(error, KeyError) == ("Traceback" in err)


@pytest.mark.parametrize("command", sorted(cli.cli.commands))
def test_every_command_has_help_with_an_example(antipaxos: Antipaxos, command: str) -> None:
    """A command that a reader can copy."""
    code, out, _ = antipaxos(command, "--help")
    assert 0 == code
    assert f"antipaxos {command}" in out.replace("Usage: ", "")
