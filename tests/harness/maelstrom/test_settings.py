"""What a user may write: cluster options, and a system's file with protocol maelstrom."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.clusters.maelstrom.settings import mistakes_of, settings
from harness.clusters.maelstrom.topologies import neighbours
from harness.systems.command import CommandSystem
from harness.systems.maelstrom.client import MaelstromClient
from harness.systems.reading import specification
from harness.trial import TrialError

MINE = """
name: mine
command: [./node]
workloads: {register: {args: [--kv]}, broadcast: }
client: {protocol: maelstrom}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(TrialError) as raised:
        specification(written(folder, text))
    return [problem.rpartition("mine.yaml:")[2] for problem in raised.value.problems]


def test_options_are_read_with_their_units() -> None:
    """Texts, as trials have them; the defaults are calm."""
    chosen = settings({"latency_ms": "10", "latency_distribution": "uniform", "loss": "0.1"})
    assert (10.0, 10.0) == (chosen.latency.mean_ms, chosen.latency.jitter_ms)
    assert not chosen.calm
    assert settings({}).calm


def test_all_mistakes_of_options_are_told() -> None:
    """Each with the nearest that is valid."""
    given = {"latency": "10", "loss": "2", "latency_ms": "nan", "topology": "tre"}
    found = mistakes_of(given)
    assert "Did you mean 'latency_ms'" in found[0]
    assert "loss is '2'" in found[1]
    assert "latency_ms is 'nan'" in found[2]
    assert "Did you mean 'tree'?" in found[3]
    with pytest.raises(ValueError, match="Did you mean 'tree'"):
        settings(given)


@pytest.mark.parametrize("topology", ["grid", "line", "total", "tree"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 25])
def test_topologies_join_all_nodes_both_ways(topology: str, size: int) -> None:
    """Whoever is a neighbour has one, and from each node every other can be reached."""
    nodes = [f"n{i}" for i in range(size)]
    found = neighbours(topology, nodes)  # type: ignore[arg-type]
    assert nodes == list(found)
    assert all(a in found[b] and a != b for a in nodes for b in found[a])
    reached, fresh = {nodes[0]}, [nodes[0]]
    while fresh:
        fresh = [b for a in fresh for b in found[a] if b not in reached]
        reached.update(fresh)
    assert set(nodes) == reached


def test_a_grid_is_a_grid() -> None:
    """Five nodes: a row of three, a row of two."""
    expected = {"a": ["b", "d"], "b": ["a", "c", "e"], "c": ["b"], "d": ["e", "a"], "e": ["d", "b"]}
    found = {node: sorted(others) for node, others in neighbours("grid", "abcde").items()}
    assert {node: sorted(others) for node, others in expected.items()} == found


def test_a_file_needs_no_ports_and_no_calls(tmp_path: Path) -> None:
    """Workloads with arguments or without, or just a list of them; it runs on one cluster."""
    mine = CommandSystem(specification(written(tmp_path, MINE)))
    assert ("register", "broadcast") == tuple(mine.workloads)
    assert ("maelstrom",) == tuple(mine.clusters)
    assert isinstance(mine.client("n1", ("127.0.0.1", 1), "register", 1.0), MaelstromClient)
    listed = MINE.replace("{register: {args: [--kv]}, broadcast: }", "[register, g-set]")
    again = CommandSystem(specification(written(tmp_path, listed)))
    assert ("register", "g-set") == tuple(again.workloads)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    """With their lines, those of every section."""
    wrong = """
name: mine
command: [./node, "{listen.pear}"]
ports: {client: {framing: line}}
peers: {each: [a]}
workloads: {lin-kv: , broadcast: {calls: {}}}
client: {protocol: maelstrom, status: hello}
"""
    expected = [
        "3: an item of command: ",
        "4: ports means nothing for nodes that speak maelstrom",
        "5: peers means nothing for nodes that speak maelstrom",
        "6: Maelstrom's protocol has no workload 'lin-kv'",
        "6: workload broadcast has no setting 'calls'",
        "7: client has ",
    ]
    found = problems(tmp_path, wrong)
    missing = [start for start in expected if not any(told.startswith(start) for told in found)]
    assert [] == missing, found


def test_a_mistyped_protocol_is_told_the_nearest(tmp_path: Path) -> None:
    """Beside what then seems to be missing."""
    found = problems(tmp_path, MINE.replace("maelstrom", "malestrom"))
    assert any("Did you mean 'maelstrom'?" in problem for problem in found)
