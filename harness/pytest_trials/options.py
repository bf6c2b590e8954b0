"""What pytest is told: options of the command line, ini settings, marks.

Rule: of a setting that is given more than once counts, first to last: the command line, the
argument of the call, the mark (of the function before the class before the module), the ini
setting, the default. Who types a command means it, and a replay needs its seed to win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from harness.pytest_trials.names import OPTIONS
from harness.settle import CHECKS
from harness.trial import Trial, TrialError, nearest, problems_of

Unknown = Literal["fail", "skip", "warn"]
RANDOM = "random"
STORE = "antipaxos-runs"
UNKNOWN: tuple[Unknown, ...] = ("fail", "skip", "warn")
# Short: in virtual time about a third of a second, and faults of each kind have their turn.
DEFAULTS: Mapping[str, Any] = {
    "nodes": 3,
    "clients": 5,
    "rate": 50.0,
    "time_limit_s": 10.0,
    "check_time_limit_s": 20.0,
}
_READ: Mapping[str, type] = {
    "seed": int,
    "time_limit_s": float,
    "cluster": str,
    "nodes": int,
    "faults": str,
}


def check(config: pytest.Config) -> None:
    """Raises pytest.UsageError with everything that is wrong, each with what is valid."""
    wrong = []
    for option in OPTIONS:
        for value, named in _sources(config, option):
            if value is not None:
                wrong += [f"{named}: {sentence}" for sentence in _problems(option, value)]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def _sources(config: pytest.Config, option: str) -> list[tuple[str | None, str]]:
    """What the command line and the ini file say, and how each is called."""
    ini = f"antipaxos_{option.replace('-', '_')}"
    said = config.getini(ini)
    return [
        (config.getoption(ini), f"--antipaxos-{option}"),
        (None if said is None else str(said), f"{ini} in {config.inipath or 'the ini file'}"),
    ]


def _setting(option: str) -> str:
    return "time_limit_s" if option == "time-limit" else option


def _problems(option: str, value: str) -> Sequence[str]:
    if option == "unknown":
        return [] if value in UNKNOWN else [f"{value!r}. {nearest(value, UNKNOWN)}"]
    if option == "shrink":
        seconds = _number(value, float)
        right = seconds is not None and 0 <= seconds < float("inf")
        return [] if right else [f"{value!r}. Give seconds, 0 or more."]
    if option == "store":
        return [] if value else ["it is empty. Give the path of a folder."]
    if option == "seed" and value == RANDOM:
        return []
    name = _setting(option)
    read = value if _READ[name] is str else _number(value, _READ[name])
    if read is None:
        what = "a whole number" if _READ[name] is int else "a number"
        also = f", or {RANDOM!r}" if option == "seed" else ""
        return [f"{value!r} is not {what}. Give one, as in {_example(name)}{also}."]
    checks = {"faults": CHECKS["faults"]} if option == "faults" else {}
    if option == "cluster":
        from harness.places import CLUSTERS

        return [] if read in CLUSTERS else [f"{read!r}. {nearest(str(read), CLUSTERS)}"]
    found = problems_of({name: read}, checks)
    return [sentence for sentences in found.values() for sentence in sentences]


def _example(name: str) -> Any:
    return 7 if name == "seed" else DEFAULTS.get(name, getattr(Trial(), name))


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def _said(config: pytest.Config, option: str) -> str | None:
    return next((value for value, _ in _sources(config, option) if value is not None), None)


def typed(config: pytest.Config) -> list[str]:
    """What the command line says, but for the seed, as words of a command that says so again."""
    said = {option: _sources(config, option)[0][0] for option in OPTIONS if option != "seed"}
    return [f"--antipaxos-{option}={value}" for option, value in said.items() if value is not None]


def of_command_line(config: pytest.Config) -> dict[str, Any]:
    """Settings of trials, as it gives them."""
    return _settings(config, 0)


def of_ini(config: pytest.Config) -> dict[str, Any]:
    return _settings(config, 1)


def _settings(config: pytest.Config, source: int) -> dict[str, Any]:
    found = {}
    for option in ("seed", "time-limit", "cluster", "nodes", "faults"):
        value = _sources(config, option)[source][0]
        if value is not None:
            random = option == "seed" and value == RANDOM
            found[_setting(option)] = RANDOM if random else _READ[_setting(option)](value)
    return found


def of_marks(item: pytest.Item | None) -> dict[str, Any]:
    """What marks say, the nearest last. Raises TrialError."""
    settled: dict[str, Any] = {}
    marks = [] if item is None else list(item.iter_markers("antipaxos"))
    for mark in reversed(marks):
        if len(mark.args) > 1 or (mark.args and "system" in mark.kwargs):
            raise TrialError(
                [
                    f"@pytest.mark.antipaxos{mark.args!r} has more than one system. Give one, and "
                    "settings by name."
                ]
            )
        settled = over(settled, {**dict(zip(("system",), mark.args, strict=False)), **mark.kwargs})
    return settled


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over others; options are settings of their own."""
    merged = {**below, **above}
    for field in ("options", "cluster_options", "workload_options"):
        both = below.get(field), above.get(field)
        if isinstance(both[0], Mapping) and isinstance(both[1], Mapping):
            merged[field] = {**both[0], **both[1]}
    return merged


def store(config: pytest.Config) -> Path:
    """Where runs are kept. What is typed is relative to where it is typed, the rest to the root
    directory."""
    typed, said = (value for value, _ in _sources(config, "store"))
    if typed is not None:
        return config.invocation_params.dir / typed
    return config.rootpath / (said or STORE)


def unknown(config: pytest.Config) -> Unknown:
    return cast(Unknown, _said(config, "unknown") or "fail")


def shrink_s(config: pytest.Config) -> float:
    return float(_said(config, "shrink") or 0)
