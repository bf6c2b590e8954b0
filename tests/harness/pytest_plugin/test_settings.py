"""What is said where: the command line, a call, a mark, the ini file; and seeds."""

from __future__ import annotations

import re

import pytest

# Tells how a trial was settled, without carrying it out.
SPY = """
import pytest
from harness.pytest_trials import trials

@pytest.fixture(autouse=True)
def spy(monkeypatch):
    def carried(config, item, given):
        for trial in given:
            print("SEEN", item.name, trial.nodes, trial.faults, trial.workload, trial.cluster,
                  trial.time_limit_s, trial.seed, trial.options)
    monkeypatch.setattr(trials, "carried", carried)
"""


def seen(pytester: pytest.Pytester, body: str, *words: str) -> list[str]:
    """The trials of a file's tests, as settled."""
    pytester.makeconftest(SPY)
    pytester.makepyfile(test_it=body)
    result = pytester.runpytest_inprocess("-s", "-p", "no:terminalreporter", *words)
    return [line.partition("SEEN ")[2] for line in result.outlines if "SEEN " in line]


MARKED = """
import pytest

pytestmark = pytest.mark.antipaxos("paxos", nodes=4, faults="pauses", options={"reads": "quorum"})

@pytest.mark.antipaxos(nodes=5, options={"learning": "all"})
class TestIt:
    def test_class(self, antipaxos):
        antipaxos()

    @pytest.mark.antipaxos(nodes=6)
    def test_function(self, antipaxos):
        antipaxos()

    def test_call(self, antipaxos):
        antipaxos(nodes=7, seed=1)
"""


def test_the_nearest_counts(pytester: pytest.Pytester) -> None:
    """Module, class, function, call: the later over the earlier; options are settings of their
    own."""
    told = seen(pytester, MARKED)

    assert ["5 pauses", "6 pauses", "7 pauses"] == [" ".join(t.split()[1:3]) for t in told]
    assert all("'reads': 'quorum', 'learning': 'all'" in line for line in told)


def test_the_command_line_over_all_and_the_ini_file_under_all(pytester: pytest.Pytester) -> None:
    """Who types a command means it; the ini file speaks where nobody else does."""
    nine = "antipaxos_nodes = 9\nantipaxos_time_limit = 3\nantipaxos_seed = 5\n"
    pytester.makeini(f"[pytest]\naddopts = -p no:asyncio\n{nine}")

    own = seen(pytester, MARKED + "\ndef test_ini(antipaxos):\n    antipaxos(nodes=None)\n")
    typed = seen(pytester, MARKED, "--antipaxos-nodes=8", "--antipaxos-seed=3")

    assert ["3.0 5", "3.0 5", "3.0 1", "3.0 5"] == [" ".join(t.split()[5:7]) for t in own]
    assert ["8", "8", "8"] == [t.split()[1] for t in typed]
    assert ["3", "3", "3"] == [t.split()[6] for t in typed]


SEEDS = """
def test_one(antipaxos):
    antipaxos("paxos", runs=2)

def test_other(antipaxos):
    antipaxos("paxos")
"""


def test_seeds_follow_from_names(pytester: pytest.Pytester) -> None:
    """The same from run to run, other ones for other tests; of several runs one after the other.
    'random' draws."""
    first = [line.split()[6] for line in seen(pytester, SEEDS)]
    again = [line.split()[6] for line in seen(pytester, SEEDS)]
    drawn = [line.split()[6] for line in seen(pytester, SEEDS, "--antipaxos-seed=random")]

    assert first == again
    assert int(first[0]) + 1 == int(first[1])
    assert first[0] != first[2]
    assert not set(first) & set(drawn)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--antipaxos-seed=x", "--antipaxos-seed: 'x' is not a whole number.*or 'random'"),
        ("--antipaxos-seed=-1", "--antipaxos-seed: seed is -1. Give a seed from 0 to"),
        ("--antipaxos-time-limit=soon", "'soon' is not a number. Give one, as in 10"),
        ("--antipaxos-time-limit=nan", "time_limit_s is nan. Give seconds"),
        ("--antipaxos-cluster=locl", "'locl'. Did you mean 'local'"),
        ("--antipaxos-nodes=0", "nodes is 0. Give a number of nodes from 1 to 99"),
        ("--antipaxos-faults=partitoins", "did you mean 'partitions'"),
        ("--antipaxos-unknown=ignore", "'ignore'. Valid are: fail, skip, warn"),
        ("--antipaxos-shrink=-2", "'-2'. Give seconds, 0 or more"),
        ("--antipaxos-store=", "--antipaxos-store: it is empty"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    pytester: pytest.Pytester, words: str, sentence: str
) -> None:
    """Exit code 4, before anything is collected, with what is valid."""
    result = pytester.runpytest_inprocess(words)

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert re.search(sentence, result.stderr.str()), result.stderr.str()


def test_a_wrong_ini_setting_too(pytester: pytest.Pytester) -> None:
    """All of them at once, each named with its file."""
    wrong = "antipaxos_nodes = many\nantipaxos_unknown = pass\n"
    pytester.makeini(f"[pytest]\naddopts = -p no:asyncio\n{wrong}")

    result = pytester.runpytest_inprocess()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(
        ["*antipaxos_nodes in *tox.ini: 'many' is not a whole number*", "*antipaxos_unknown in *"]
    )


def test_the_header_tells_what_is_set(pytester: pytest.Pytester) -> None:
    """And nothing where nothing is."""
    told = pytester.runpytest_inprocess("--antipaxos-seed=7")
    silent = pytester.runpytest_inprocess()

    told.stdout.fnmatch_lines(["antipaxos: seed=7"])
    silent.stdout.no_fnmatch_line("antipaxos:*")


def test_the_store(pytester: pytest.Pytester) -> None:
    """Of the ini file relative to the root, of the command line to where it is typed."""
    pytester.makeini("[pytest]\naddopts = -p no:asyncio\nantipaxos_store = kept\n")
    pytester.makepyfile(
        test_it="""
def test_it(antipaxos):
    assert antipaxos("paxos", time_limit_s=0.5).folder.is_dir()
"""
    )
    pytester.runpytest_inprocess()
    pytester.runpytest_inprocess("--antipaxos-store=elsewhere")

    assert (pytester.path / "kept/latest/report.html").is_file()
    assert (pytester.path / "elsewhere/latest/report.html").is_file()
