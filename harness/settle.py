"""Settling a trial: from a file and flags to one value in which nothing is left open.

Rules
1. Every mistake is told at once, whichever way a setting came, each with the nearest valid names.
2. Flags win over the file. Options are settings of their own: a flag replaces the one that it
   names and leaves the file's others.
3. A mutant is sought where its catalogue says that it shows, with the workload and the options that
   it names, unless the user says otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from checkers.laws import LAWS
from harness import scenario as scenarios
from harness.catalogue import entries
from harness.contracts import Leasing, System
from harness.places import CLUSTERS
from harness.scenario import Scenario
from harness.scenario.reading import About
from harness.scenario.staging import may_strike
from harness.systems import system
from harness.systems.registry import read_once
from harness.trial import (
    Check,
    Trial,
    TrialError,
    nearest,
    problems_of,
    read_trial,
    trial_from_settings,
)
from harness.workloads import WORKLOADS, option_mistakes, workload
from nemesis import packages, schedule
from nemesis.faults import tag
from nemesis.schedule import Schedule

_NAME = re.compile(r"\w[\w.+-]{0,99}")
_RESERVED = ("latest", "nights")  # what else stands in a store, beside the folders of trials


@read_once()
def settle(path: Path | None, flags: Mapping[str, Any]) -> Trial:
    """The trial that a file (if any) and flags describe. Raises TrialError with every mistake."""
    settings = {} if path is None else read_settings(path, flags)
    merged = _under_scenario(_over(settings, flags))
    mistakes = problems_of(flags, CHECKS, merged)
    if mistakes:
        raise TrialError([s for sentences in mistakes.values() for s in sentences])
    merged = _where_it_runs(_where_the_mutant_shows(merged))
    # Some clusters cannot do without options: that there are none is judged, too.
    return trial_from_settings({"cluster_options": {}, **merged}, CHECKS)


def read_settings(path: Path, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a trial's file, judged beside the flags that will replace some of them.
    Raises TrialError with every mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise TrialError([f"{path} cannot be read: {wrong}. Give a YAML file."]) from wrong
    return read_trial(text, str(path), CHECKS, flags, paths_beside(path))


def paths_beside(file: Path) -> Callable[[str, Any], Any]:
    """Paths in a trial's file are relative to it: it is found from any working directory."""

    def read_as(name: str, value: Any) -> Any:
        is_path = isinstance(value, str) and (
            (name == "system" and _is_system_file(value))
            or (name == "faults" and _is_file(value))
            or (name == "scenario" and value != "")
        )
        return str(file.parent / value) if is_path else value

    return read_as


def _is_system_file(value: str) -> bool:
    return value.endswith((".yaml", ".yml")) or value.partition(":")[0].endswith(".py")


def _over(settings: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**settings, **flags}
    for field in ("options", "cluster_options", "workload_options"):
        if field in settings and field in flags:
            merged[field] = {**settings[field], **flags[field]}
    return merged


def _under_scenario(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, over those in the file of their scenario, which takes the place of faults."""
    if not settings.get("scenario"):
        return dict(settings)
    if settings.get("faults", "none") != "none":
        raise TrialError(
            [
                f"faults {settings['faults']!r} beside a scenario, whose steps say what is broken. "
                "Leave faults out."
            ]
        )
    own = _read_scenario(Path(settings["scenario"]), settings)
    return {**_over(own.trial, settings), "faults": "none"}


def _read_scenario(path: Path, over: Mapping[str, Any]) -> Scenario:
    return scenarios.read(path, partial(_about, over), paths_beside(path))


def _about(over: Mapping[str, Any], own: Mapping[str, Any]) -> About:
    """What is known of the trial of a scenario; `own`: the settings in its file."""
    merged = _where_the_mutant_shows(_over(own, over))
    name = merged.get("workload", Trial().workload)
    work = workload(name) if name in WORKLOADS else None
    return About(
        problems=problems_of(own, CHECKS, over),
        nodes=_node_names(merged),
        operations=work.operations if work else (),
        laws=[*(c.name for c in work.checkers()), *(law.name for law in LAWS)] if work else (),
    )


def scenario_of(trial: Trial) -> Scenario | None:
    """The scenario of a trial, None where it has none. Raises TrialError."""
    if not trial.scenario:
        return None
    return _read_scenario(Path(trial.scenario), msgspec.to_builtins(trial))


def _where_the_mutant_shows(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, over those that the catalogue names for their mutant."""
    chosen = settings.get("options", {})
    sought = (settings.get("system", Trial().system), chosen.get("mutant"))
    found = next((m for m in entries() if (m.system, m.name) == sought), None)
    if found is None:
        return dict(settings)
    return {"workload": found.workload, **settings, "options": {**found.options, **chosen}}


def _where_it_runs(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, over the cluster that their system prefers."""
    known = _system_of(settings)
    return dict(settings) if known is None else {"cluster": known.clusters[0], **settings}


def _check_system(name: Any, _: Mapping[str, Any]) -> Collection[str]:
    try:
        system(name)
    except TrialError as wrong:
        return wrong.problems
    return []


def _check_workload(name: Any, settings: Mapping[str, Any]) -> Collection[str]:
    if name not in WORKLOADS:
        return [f"no workload {name!r}. {nearest(name, WORKLOADS)}"]
    known = _system_of(settings)
    if known is not None and name not in known.workloads:
        return [
            f"system {known.name!r} does not offer workload {name!r}. "
            f"{nearest(name, known.workloads)}"
        ]
    return _not_as_lease(name, known, settings)


def _check_options(options: Any, settings: Mapping[str, Any]) -> Collection[str]:
    known = _system_of(settings)
    return [] if known is None else known.check_options(options)


def _check_workload_options(options: Any, settings: Mapping[str, Any]) -> Collection[str]:
    name = settings.get("workload", Trial().workload)
    return option_mistakes(name, options) if name in WORKLOADS else []


def _not_as_lease(workload: str, system: System | None, settings: Mapping[str, Any]) -> list[str]:
    """A holder that lost its lease to another would be taken for a violation of a lock."""
    judged_as_lease = settings.get("workload_options", {}).get("lease_ttl_s")
    if workload != "lock" or judged_as_lease or not isinstance(system, Leasing):
        return []
    if not system.leases(settings.get("options", {})):
        return []
    return [
        f"system {system.name!r} takes locks away here, so two may believe that they hold one. "
        "Have judged what it does promise, tokens that grow: give the workload the options "
        "fencing: true and lease_ttl_s, the seconds after which it may take one away."
    ]


def _check_faults(faults: Any, settings: Mapping[str, Any]) -> Collection[str]:
    if _is_file(faults):
        try:
            read = schedule.read(Path(faults))
        except schedule.ScheduleError as wrong:
            return [f"{faults}: {m}" for m in wrong.mistakes]
        except OSError as wrong:
            return [
                f"the schedule {faults} cannot be read: {wrong.strerror}. Name a package of "
                f"faults or a file that is there; packages are: {', '.join(packages.PACKAGES)}."
            ]
        return [f"{faults}: {m}" for m in schedule.mistakes_of(read, _node_names(settings))]
    try:
        packages.package(faults)
    except ValueError as wrong:
        return str(wrong).split("; ")
    return []


def _check_cluster(name: Any, settings: Mapping[str, Any]) -> Collection[str]:
    if name not in CLUSTERS:
        return [f"no cluster {name!r}. {nearest(name, CLUSTERS)}"]
    known = _system_of(settings)
    if known is None or name in known.clusters:
        return []
    if name == "simulated":
        return [
            f"system {known.name!r} offers no machine, so it cannot be simulated: name the "
            "function that builds one in its file (machine: module:function), or use --cluster "
            f"{known.clusters[0]}."
        ]
    return [
        f"system {known.name!r} does not run on cluster {name!r}. {nearest(name, known.clusters)}"
    ]


def _check_cluster_options(options: Any, settings: Mapping[str, Any]) -> Collection[str]:
    known = _system_of(settings)
    usual = Trial().cluster if known is None else known.clusters[0]
    name = settings.get("cluster", usual)
    nodes = settings.get("nodes", Trial().nodes)
    return CLUSTERS[name](options, nodes) if name in CLUSTERS else []


def _check_name(name: Any, _: Mapping[str, Any]) -> Collection[str]:
    """It becomes a folder, of which the store finds its runs."""
    if name == "" or (_NAME.fullmatch(name) and name not in _RESERVED):
        return []
    return [
        f"name is {name!r}. Give letters, digits, '.', '_', '+' and '-', but not "
        f"{' or '.join(map(repr, _RESERVED))}."
    ]


CHECKS: Mapping[str, Check] = {
    "system": _check_system,
    "workload": _check_workload,
    "options": _check_options,
    "workload_options": _check_workload_options,
    "faults": _check_faults,
    "cluster": _check_cluster,
    "cluster_options": _check_cluster_options,
    "name": _check_name,
}


def _system_of(settings: Mapping[str, Any]) -> System | None:
    """None where the system itself is the mistake, which is told once and not here."""
    try:
        return system(settings.get("system", Trial().system))
    except TrialError:
        return None


def _node_names(settings: Mapping[str, Any]) -> tuple[str, ...]:
    nodes = settings.get("nodes", Trial().nodes)
    return Trial(nodes=nodes).node_names if isinstance(nodes, int) else ()


def _is_file(faults: str) -> bool:
    return faults.endswith(".json") or os.sep in faults


def plan(trial: Trial) -> Schedule:
    """The faults of a resolved trial: as drawn from its seed, or as its file says."""
    assert trial.seed is not None
    own = scenario_of(trial)
    if own is not None:
        return may_strike(own, trial)
    if _is_file(trial.faults):
        return schedule.read(Path(trial.faults))
    chosen = packages.package(trial.faults)
    return packages.schedule(chosen, trial.seed, trial.time_limit_s, trial.nodes)


def breaks_something(trial: Trial) -> bool:
    """Does the trial ask for faults at all? Whether any fit into its time is another matter."""
    return _is_file(trial.faults) or bool(packages.package(trial.faults).decks)


def expected(trial: Trial, faults: Schedule, *, asked_for: bool = True) -> tuple[str, ...]:
    """The kinds of faults that a run must show in effect. `asked_for`: the trial says which, so a
    run too short for any of them has exercised none; what was written down says so by itself."""
    kinds = tuple(dict.fromkeys(tag(fault) for fault in faults.faults()))
    return kinds or (("fault",) if asked_for and breaks_something(trial) else ())
