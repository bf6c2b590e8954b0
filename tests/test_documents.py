"""The documents say what the code does: their commands can be given, their tables are complete."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml

from harness.cli import cli
from harness.clusters.local import LocalCluster
from harness.clusters.maelstrom.cluster import MaelstromCluster
from harness.clusters.maelstrom.settings import Settings as MaelstromSettings
from harness.clusters.namespaces.cluster import NamespaceCluster
from harness.clusters.namespaces.settings import Settings as NamespacesSettings
from harness.clusters.ssh.cluster import SshCluster
from harness.clusters.ssh.options import Settings as SshSettings
from harness.commands.trial_flags import flags_of
from harness.places import CLUSTERS, SimulatedPlace
from harness.settle import settle
from harness.systems import names, system
from harness.trial import Trial
from harness.workloads import WORKLOADS
from harness.workloads.keys import KeyOptions
from nemesis.capabilities import needs, refusals
from nemesis.resolution import FAULTS
from nemesis.schedule import Schedule, Step
from tests.harness.real import needs_module
from tests.pages import PAGES, ROOT, WITHIN, blocks, lines, name_of

# Without these a fault would do nothing, and is refused anywhere.
SETTINGS = {"upgrade": {"options": {"version": "3.5"}}, "skew-clock": {"offset_ms": 100.0}}
OWN_SYSTEM = {"my-system.yaml": "json-lines", "my-node.yaml": "maelstrom"}


COMMANDS = [
    pytest.param(words, id=f"{name_of(page)}: {shlex.join(words)}")
    for page in PAGES
    for words in lines(page)
]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as the pages assume it: the examples, and files of the reader's own."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "reference_impl").symlink_to(ROOT / "reference_impl")
    (tmp_path / "raft.py").symlink_to(ROOT / "examples" / "own-raft" / "raft.py")
    for name, protocol in OWN_SYSTEM.items():
        calls = {"read": "get", "write": "put", "cas": "cas"}
        workloads = {"register": None if protocol == "maelstrom" else {"calls": calls}}
        ports = {} if protocol == "maelstrom" else {"ports": {"client": {"framing": "line"}}}
        described = {
            "name": name.removesuffix(".yaml"),
            "command": ["{here}/node"],
            "workloads": workloads,
            "client": {"protocol": protocol},
            **ports,
        }
        (tmp_path / name).write_text(yaml.safe_dump(described))
    (tmp_path / "three.json").write_bytes(msgspec.json.encode(Schedule(duration_s=15.0, seed=1)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_are_found() -> None:
    """A test that finds no commands would pass on any page."""
    found = {words[0] for (words,) in (each.values for each in COMMANDS)}  # type: ignore[index]

    wanted = {"run", "check", "simulate", "scenario", "replay", "shrink", "explore", "mutants"}
    assert wanted <= found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_sentence_names_exists(page: Path) -> None:
    """A command that is mentioned exists, and so does each of its flags that is mentioned."""
    for found in WITHIN.finditer(page.read_text()):
        name, *words = found[1].split()
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, f"there is no command {name}"
        flags = {flag for each in command.params for flag in each.opts}
        unknown = [word for word in words if word.startswith("--") and word not in flags]
        assert unknown == [], f"{name} has no such flag"


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.usefixtures("reader")
def test_a_command_on_a_page_can_be_given(words: list[str]) -> None:
    """The command and its flags exist, and the trial that they describe has no mistake."""
    name, *arguments = words
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, f"there is no command {name}"

    given = command.make_context(name, list(arguments), resilient_parsing=False).params

    if name in ("run", "simulate"):
        _settles(name, given)
    elif name == "scenario":
        _settles(name, {**given, "scenario": given["file"]})


def _settles(name: str, given: dict[str, Any]) -> None:
    """Raises TrialError otherwise. A swarm simulates, whatever a file says."""
    trial = given.get("trial")
    known = {*(field.name for field in msgspec.structs.fields(Trial)), "mutant"}
    flags = flags_of({k: v for k, v in given.items() if k in known})
    if flags.get("scenario"):
        flags["scenario"] = str(flags["scenario"])
    if name == "simulate":
        flags["cluster"] = "simulated"

    settle(trial, flags)


SNIPPETS = [
    pytest.param(text, id=f"{name_of(page)}-{number}")
    for page in PAGES
    for number, text in enumerate(blocks(page, "python"))
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_what_a_snippet_imports_exists(text: str) -> None:
    """A piece of Python on a page is Python, and the names that it takes from modules are there.
    Those of models, strategies, scenarios, exploration and PySyncObj are carried out by the tests
    of their parts."""
    tree = ast.parse(textwrap.dedent(text))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            needs_module(node.module.split(".")[0])
            module = importlib.import_module(node.module)
            assert [] == [
                alias.name
                for alias in node.names
                if alias.name != "*" and not hasattr(module, alias.name)
            ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_make_is_asked_for_it_can_make(page: Path) -> None:
    """`make demo` and its like are run by CI, or by those who read; here, that they exist."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = re.findall(r"^ *make ([a-z-]+)|`make ([a-z-]+)", page.read_text(), re.MULTILINE)

    assert set() == {name for pair in asked for name in pair if name} - targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_benchmarks_that_a_page_names_exist(page: Path) -> None:
    """`python -m benchmarks.NAME`, and modules of ours that are programs."""
    for name in re.findall(
        r"python -m ((?:benchmarks|harness|nemesis)\.[a-z_.]+[a-z_])", page.read_text()
    ):
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first row begins with these words."""
    text = (ROOT / page).read_text()
    assert f"\n| {heading} |" in text, f"{page} has no table that begins with {heading!r}"
    table = text.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_first_page_lists_every_command() -> None:
    """A command that is not on it will not be found."""
    assert sorted(row[0].strip("`") for row in rows("README.md", "command")) == sorted(
        cli.list_commands(click.Context(cli))
    )


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("docs/namespaces.md", NamespacesSettings),
        ("docs/ssh.md", SshSettings),
        ("docs/maelstrom.md", MaelstromSettings),
    ],
)
def test_a_page_lists_the_options_of_its_cluster(page: str, kind: type[msgspec.Struct]) -> None:
    """All of them, and no other."""
    heading = "option" if "maelstrom" in page else "`--cluster-option`"
    told = {name.split("=")[0] for row in rows(page, heading) for name in names_in(row[0])}

    assert told == {field.name for field in msgspec.structs.fields(kind)}


def test_the_page_of_workloads_lists_them_with_their_options() -> None:
    """Every workload; of its options every one with its default, those of keys apart."""
    page = (ROOT / "docs" / "workloads.md").read_text()
    assert [name for name in WORKLOADS if f"\n| `{name}` |" not in page] == []

    of_keys = {field.name for field in msgspec.structs.fields(KeyOptions)}
    assert [name for name in of_keys if f"`{name}`" not in page] == []
    told = {
        name: row[1]
        for row in rows("docs/workloads.md", "workload | options of its own, with defaults")
        for name in names_in(row[0])
    }
    for name, kind in WORKLOADS.items():
        for field in msgspec.structs.fields(kind.options):
            if field.name not in of_keys:
                assert f"`{field.name}`" in told[name], f"{name}: {field.name} is not told"
                if isinstance(field.default, int | float) and not isinstance(field.default, bool):
                    default = f"`{field.name}` {field.default:g}"
                    assert default in told[name], f"{name}: {field.default!r} is the default"


def test_every_fault_is_told_of_every_cluster() -> None:
    """The table says of each kind of fault what each cluster makes of it."""
    table = rows("docs/faults.md", "fault | local")

    assert [name for row in table for name in names_in(row[0])] == list(FAULTS)
    header = (ROOT / "docs" / "faults.md").read_text().split("\n| fault | local", 1)[1]
    assert all(cluster in header.splitlines()[0] for cluster in set(CLUSTERS) - {"local"})


@pytest.mark.parametrize("cluster", ["local", "maelstrom", "simulated", "ssh", "namespaces"])
def test_the_table_of_faults_is_what_clusters_refuse(cluster: str, tmp_path: Path) -> None:
    """No more and no less is refused than the table says. Of hosts, what needs none of them to be
    looked at: whether there is such a capability at all."""
    column = ["local", "namespaces", "ssh", "maelstrom", "simulated"].index(cluster) + 1
    told = {
        row[0].strip("`"): row[column] != "no" for row in rows("docs/faults.md", "fault | local")
    }
    made = _cluster(cluster, tmp_path)

    for name, kind in FAULTS.items():
        fault = kind(**SETTINGS.get(name, {}))
        if getattr(made, needs(fault)) is None:
            assert not told[name], f"{cluster} has no {needs(fault)} for {name}"
        elif cluster in ("local", "maelstrom", "simulated"):
            step = Step(at_s=0.0, id=1, action="start", fault=fault)
            refused = refusals(Schedule(duration_s=1.0, seed=1, steps=(step,)), made)
            assert told[name] == (not refused), f"{cluster}: {name}: {refused}"


def _cluster(name: str, folder: Path) -> Any:
    """Not started; etcd, where a cluster may ask a system for its members."""
    nodes, rest = ("n1", "n2", "n3"), {"workload": "register", "options": {}, "seed": 1}
    match name:
        case "local":
            return LocalCluster(system("paxos"), nodes, folder, **rest)
        case "maelstrom":
            own = system(ROOT / "reference_impl" / "maelstrom.yaml")
            return MaelstromCluster(own, nodes, folder, **rest)
        case "namespaces":
            return NamespaceCluster(system("etcd"), nodes, folder, **rest)
        case "ssh":
            hosts = {"hosts": "10.0.0.1,10.0.0.2,10.0.0.3", "clock": "machine"}
            return SshCluster(system("paxos"), nodes, folder, cluster_options=hosts, **rest)
    trial = Trial(cluster=name, seed=1, nodes=3, cluster_options={"failure": "byzantine"})
    place = SimulatedPlace(trial)

    async def made() -> None: ...

    cluster = place.cluster(system("paxos"), lambda *_: None)
    place.run(made())
    return cluster


def test_the_table_of_systems_is_what_they_offer() -> None:
    """Which system serves which workloads, and where."""
    table = rows("docs/workloads.md", "system | clusters")
    told = {names_in(row[0])[0]: (set(names_in(row[1])), set(names_in(row[2]))) for row in table}

    assert told == {
        name: (set(system(name).clusters), set(system(name).workloads)) for name in names()
    }
