"""Trial: the one value that describes a run, from Python, from flags or from YAML.

Rules
1. A trial is complete: with its seed it says everything that the harness decides. What the run
   resolved (the seed drawn, the versions) is written beside it into the run folder.
2. All mistakes of a file are reported at once, each with its line and its remedy.
3. This module knows the shape of a trial. Which systems, workloads and faults exist is known
   further up; those rooms hand in their own checks of a setting's value.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

import msgspec
import yaml


class TrialError(ValueError):
    """The description of a trial is wrong: its author is at fault. `problems` are sentences."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting has a unit in its name where it has one.

    `nodes`: how many, named n1, n2, ... `rate`: operations a second over all clients, 0 for as
    fast as they go. `operation_timeout_s`: how long a client waits for an answer.
    `check_time_limit_s`: how long the check may take; then what is undecided is unknown.
    `faults`: packages of the nemesis joined by '+', or the path of a schedule.
    `scenario`: the path of one, which takes the place of faults.
    `options`: settings of the system. `cluster_options`: of the cluster. `workload_options`: of the
    workload. `seed`: None draws one.
    `live_check`: judge while the run goes on, and note the first violation, or stop there with
    every node paused.
    """

    system: str = "paxos"
    workload: str = "register"
    faults: str = "default"
    cluster: str = "local"
    nodes: int = 5
    clients: int = 10
    time_limit_s: float = 30.0
    rate: float = 400.0
    operation_timeout_s: float = 1.0
    recovery_s: float = 1.0
    check_time_limit_s: float = 60.0
    seed: int | None = None
    live_check: Literal["off", "note", "stop"] = "off"
    name: str = ""
    scenario: str = ""
    options: dict[str, str] = {}
    cluster_options: dict[str, str] = {}
    workload_options: dict[str, bool | int | float | str] = {}

    @property
    def label(self) -> str:
        """The name of the run's folder: the trial's own or 'system-workload'."""
        return self.name or f"{self.system.rsplit('/', 1)[-1].split('.')[0]}-{self.workload}"

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(f"n{i}" for i in range(1, self.nodes + 1))


# Judges a setting's value; the other settings are at hand, since options depend on the system.
Check = Callable[[Any, Mapping[str, Any]], Collection[str]]

_BOUNDS: Mapping[str, tuple[float, float, str]] = {
    "nodes": (1, 99, "a number of nodes"),
    "clients": (1, 10_000, "a number of clients"),
    "time_limit_s": (0.1, 1_000_000, "seconds"),
    "rate": (0, 1_000_000, "operations a second, 0 for no limit"),
    "operation_timeout_s": (0.001, 3600, "seconds"),
    "recovery_s": (0, 3600, "seconds"),
    "check_time_limit_s": (0.001, 1_000_000, "seconds"),
    "seed": (0, 2**63 - 1, "a seed"),
}


_WORDS: Mapping[str, tuple[str, ...]] = {"live_check": ("off", "note", "stop")}


def problems_of(
    settings: Mapping[str, Any],
    checks: Mapping[str, Check],
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, list[str]]:
    """What is wrong, by setting; empty if nothing is. `checks` judge values by setting name;
    `overrides` will replace settings, and are what the others are judged beside."""
    found: dict[str, list[str]] = {}
    fields = {f.name: f for f in msgspec.structs.fields(Trial)}
    for name, value in settings.items():
        if name not in fields:
            found[name] = [f"{name!r} is not a setting of a trial. {nearest(name, fields)}"]
            continue
        try:
            msgspec.convert(value, fields[name].type, strict=True)
        except msgspec.ValidationError as wrong:
            found[name] = [f"{name} is {value!r}: {str(wrong).lower()}. {_expected(name)}"]
            continue
        sentences = _out_of_bounds(name, value)
        if not sentences and name in checks:
            sentences = list(checks[name](value, {**settings, **(overrides or {})}))
        if sentences:
            found[name] = sentences
    return found


def _expected(name: str) -> str:
    if name in _WORDS:
        return f"Valid are: {', '.join(_WORDS[name])}."
    if name in _BOUNDS:
        low, high, what = _BOUNDS[name]
        return f"Give {what} from {low:g} to {high:g}."
    return f"An example of its kind: {getattr(Trial(), name)!r}."


def _out_of_bounds(name: str, value: Any) -> list[str]:
    if name not in _BOUNDS or value is None:
        return []
    low, high, _ = _BOUNDS[name]
    if low <= value <= high:  # a NaN is not, and is refused
        return []
    return [f"{name} is {value!r}. {_expected(name)}"]


def nearest(name: str, valid: Collection[str]) -> str:
    """A sentence with the valid names closest to `name`, or with all of them if none is close."""
    close = difflib.get_close_matches(str(name), list(valid), n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(c) for c in close)}?"
    return f"Valid are: {', '.join(sorted(valid))}."


def trial_from_settings(settings: Mapping[str, Any], checks: Mapping[str, Check]) -> Trial:
    """Raises TrialError with every problem."""
    found = problems_of(settings, checks)
    if found:
        raise TrialError([s for sentences in found.values() for s in sentences])
    return msgspec.convert(dict(settings), Trial)


def read_trial(
    text: str,
    source: str,
    checks: Mapping[str, Check],
    overrides: Mapping[str, Any] | None = None,
    read_as: Callable[[str, Any], Any] = lambda _name, value: value,
) -> dict[str, Any]:
    """The settings in a YAML text, judged. `source` names it in messages; see problems_of.
    `read_as(name, value)` says what a value means in this file (a path, for one).

    Raises TrialError, each problem prefixed by 'source:line: '.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        context = f" ({wrong.context})" if wrong.context else ""
        raise TrialError(
            [f"{source}:{line}: not YAML: {wrong.problem}{context}. Write 'setting: value' lines."]
        ) from wrong
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise TrialError([f"{source}:1: a trial is a mapping; write 'setting: value' lines."])
    settings, lines, problems = _collect(root, source)
    settings = {name: read_as(name, value) for name, value in settings.items()}
    for name, sentences in problems_of(settings, checks, overrides).items():
        problems += [(lines[name], f"{source}:{lines[name]}: {s}") for s in sentences]
    if problems:
        raise TrialError([message for _, message in sorted(problems)])
    return settings


def _collect(
    root: yaml.MappingNode, source: str
) -> tuple[dict[str, Any], dict[str, int], list[tuple[int, str]]]:
    settings: dict[str, Any] = {}
    lines: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + 1
        name = str(key_node.value)
        if name in settings:
            problems.append(
                (line, f"{source}:{line}: {name!r} is set in line {lines[name]} too. Keep one.")
            )
            continue
        lines[name] = line
        try:
            settings[name] = constructed(name, value_node)
        except yaml.constructor.ConstructorError as wrong:
            problems.append((line, f"{source}:{line}: {name}: {wrong.problem}."))
    return settings, lines, problems


def constructed(name: str, node: yaml.Node) -> Any:
    """What is written for the setting `name`. Raises yaml.constructor.ConstructorError."""
    # YAML reads a bare `off` as False; words are kept as written.
    as_written = name in ("options", "cluster_options") or name in _WORDS
    loader = yaml.BaseLoader("") if as_written else yaml.SafeLoader("")
    return loader.construct_object(node, deep=True)
