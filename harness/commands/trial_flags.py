"""The flags that describe a trial: the same for every command that runs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from harness.trial import Trial

_TRIAL = Trial()
Command = TypeVar("Command", bound=Callable[..., Any])

_FLAGS = (
    click.option("--system", help="A name (see doctor) or a YAML file of your own system."),
    click.option("--workload", help="What clients do: docs/workloads.md lists them. [register]"),
    click.option("--faults", help="Packages joined by '+', or a schedule.json to play again."),
    click.option("--nodes", type=int, help=f"How many nodes. [{_TRIAL.nodes}]"),
    click.option("--clients", type=int, help=f"How many clients. [{_TRIAL.clients}]"),
    click.option("--time-limit", "time_limit_s", type=float, metavar="SECONDS", help="Load. [30]"),
    click.option(
        "--rate", type=float, help=f"Operations a second, 0 for no limit. [{_TRIAL.rate:g}]"
    ),
    click.option("--seed", type=int, help="Everything random follows from it. [drawn]"),
    click.option(
        "--option", "options", multiple=True, metavar="NAME=VALUE", help="For the system."
    ),
    click.option(
        "--cluster-option",
        "cluster_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="For the cluster.",
    ),
    click.option(
        "--workload-option",
        "workload_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="For the workload.",
    ),
    click.option("--mutant", help="A broken node of the system's catalogue (see mutants --list)."),
    click.option(
        "--operation-timeout",
        "operation_timeout_s",
        type=float,
        metavar="SECONDS",
        help=f"How long a client waits for an answer. [{_TRIAL.operation_timeout_s:g}]",
    ),
    click.option(
        "--recovery", "recovery_s", type=float, metavar="SECONDS", help="Before final reads."
    ),
    click.option(
        "--check-time-limit",
        "check_time_limit_s",
        type=float,
        metavar="SECONDS",
        help=f"How long the check may take. [{_TRIAL.check_time_limit_s:g}]",
    ),
    click.option("--live-check", help="Judge meanwhile: off, note, or stop at a violation. [off]"),
    click.option(
        "--cluster",
        help="Where the nodes live: local, namespaces, ssh, maelstrom or simulated. [the system's]",
    ),
    click.option("--name", help="Of the run's folder. [system-workload]"),
)


def trial_flags(command: Command) -> Command:
    """Give a command the flags of a trial."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def flags_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a trial among the parameters of `run`; what was not given is left out."""
    flags = {k: v for k, v in given.items() if v not in (None, ()) and k not in ("mutant", "store")}
    for field, read in (("options", str), ("cluster_options", str), ("workload_options", _value)):
        if field in flags:
            flags[field] = pairs(flags[field], field.replace("_", "-")[:-1], read)
    if given.get("mutant") is not None:
        flags["options"] = {**flags.get("options", {}), "mutant": given["mutant"]}
    return flags


def pairs(texts: tuple[str, ...], flag: str, read: Callable[[str], Any]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--{flag} {text!r}: write NAME=VALUE")
        pairs[name] = read(value)
    return pairs


def _value(text: str) -> bool | float | int | str:
    """As YAML would read it: a truth, a number, else the text itself."""
    if text in ("true", "false"):
        return text == "true"
    try:
        number = float(text)
        return int(number) if number == int(number) else number
    except (ValueError, OverflowError):  # not a number, or no finite one
        return text
