"""What the reference says of trials, clusters, systems, run folders, exit codes and nights."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click
import msgspec

from checkers.verdict import Kind
from extension.tables import code, codes, default_of, fields, kind_of, prose, table, told
from harness import cli, trial
from harness.clusters.maelstrom.settings import Settings as MaelstromSettings
from harness.clusters.namespaces.settings import Settings as NamespacesSettings
from harness.clusters.ssh.options import Settings as SshSettings
from harness.commands import trial_flags
from harness.places import CLUSTERS
from harness.simulation.settings import Settings as SimulationSettings
from harness.store import folder
from harness.systems import names, system
from harness.trial import Trial

# A cluster has the options of its struct; one that is not here has none.
SETTINGS: Mapping[str, type[msgspec.Struct]] = {
    "namespaces": NamespacesSettings,
    "ssh": SshSettings,
    "maelstrom": MaelstromSettings,
    "simulated": SimulationSettings,
}


def trials() -> str:
    """Every setting of a trial, with its bounds and the flag that gives it."""
    said, flags = told(Trial), _flags()
    rows = [
        [
            code(f.name),
            _kind(f),
            default_of(f),
            flags[f.name][0],
            said.get(f.name, re.sub(r" \[.*\]$", "", flags[f.name][1])),
        ]
        for f in msgspec.structs.fields(Trial)
    ]
    return f"{prose(Trial)}\n\n" + table(["setting", "type", "default", "flag", "meaning"], rows)


def _kind(field: msgspec.structs.FieldInfo) -> str:
    bounds = trial._BOUNDS.get(field.name)
    if bounds is None:
        return kind_of(field.type)
    low, high, what = bounds
    return f"{kind_of(field.type)}: {what}, {low:,} to {high:,}"


def _flags() -> dict[str, tuple[str, str]]:
    """The flag of each setting, and what it says."""

    @trial_flags.trial_flags
    def nothing() -> None: ...

    flags: list[click.Option] = nothing.__click_params__  # type: ignore[attr-defined]
    found = {each.name: (code(each.opts[0]), each.help or "") for each in flags}
    return {field: found.get(field, ("none", "")) for field in Trial.__struct_fields__}


def clusters() -> str:
    """Every kind of cluster with its options."""
    parts = ["Options are given as `--cluster-option NAME=VALUE`.\n"]
    for name in CLUSTERS:
        kind = SETTINGS.get(name)
        options = "No options." if kind is None else f"{prose(kind)}\n\n{fields(kind)}"
        parts.append(f"## `{name}`\n\n{options}\n")
    return "\n".join(parts)


def systems() -> str:
    """Every system that is installed: where it runs, what it serves, its defaults."""
    parts = []
    for name in names():
        found = system(name)
        defaults = table(
            ["option", "default"], [[code(k), code(v)] for k, v in found.defaults.items()]
        )
        simulated = " Its nodes are machines, too, for the simulated cluster." * found.simulable
        parts.append(
            f"## `{name}`\n\nClusters: {codes(found.clusters)}.{simulated} Workloads: "
            f"{codes(found.workloads)}.\n\n{defaults}"
        )
    return "\n".join(parts)


def exit_codes() -> str:
    """Of every command."""
    rows = [[code(kind.exit_code), kind.name, "The verdict."] for kind in Kind]
    rows += [
        [code(cli.BAD_INPUT), "none", "Bad usage or bad input: the message says what to change."],
        [
            code(cli.TROUBLE),
            "none",
            "Trouble of the harness or of the environment, never a verdict.",
        ],
    ]
    rows.sort(key=lambda row: int(row[0].strip("`")))
    return f"{table(['exit code', 'verdict', 'when'], rows)}\n{prose(cli)}\n"


def run_folders() -> str:
    """The files of a run, in the order in which the code names them."""
    said = re.findall(
        r"self\.(\w+) = self\.path / \"([^\"]+)\"(?:  # (.+))?", inspect.getsource(folder.RunFolder)
    )
    rows = [[code(file), comment] for _, file, comment in said]
    return f"{prose(folder)}\n\n" + table(["file", "what it holds"], rows)


def nights() -> str:
    """The settings of a night: of its file, and of the parts of that."""
    from harness.nightly import records, spec

    return "\n".join([*_structs(spec), "## What is recorded\n", *_structs(records)])


def _structs(module: Any) -> Iterator[str]:
    for name, kind in vars(module).items():
        own = isinstance(kind, type) and kind.__module__ == module.__name__
        if own and issubclass(kind, msgspec.Struct) and not name.startswith("_"):
            yield f"## {name}\n\n{prose(kind)}\n\n{fields(kind)}"
