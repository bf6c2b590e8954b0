"""Scenarios as YAML: what harness.scenario.reading reads, and steps in a few words.

Rule: reading what is written here gives the same scenario, so that the file beside a run is the
scenario that was played, wherever it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml

from harness.scenario.values import (
    WAIT_LIMIT_S,
    Await,
    Break,
    Condition,
    Do,
    Elapsed,
    Expect,
    Heal,
    Leader,
    Let,
    Logged,
    Passed,
    Ready,
    Scenario,
    State,
    Step,
    Together,
    Wait,
)
from nemesis.faults import tag


def encode(scenario: Scenario) -> bytes:
    """A file that reads as this scenario."""
    whole: dict[str, Any] = {"name": scenario.name}
    if scenario.trial:
        whole["trial"] = dict(scenario.trial)
    if not scenario.load:
        whole["load"] = "none"
    whole["steps"] = [plain(step) for step in scenario.steps]
    hit = {**({"invalid": scenario.hit.law} if scenario.hit.law else {}), **scenario.hit.results}
    if hit:
        whole["hit"] = hit
    whole["repeat"] = {"tries": scenario.repeat.tries, "budget_s": scenario.repeat.budget_s}
    return yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100).encode()


class _Dumper(yaml.SafeDumper):
    """Steps a line each, without references between equal ones."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def told(step: Step) -> str:
    """A step in a few words: 'wait {leader: changed, from: old}'."""
    (word, value), *_ = plain(step).items()
    if isinstance(step, Together):
        return f"together, {len(step.branches)} branches"
    flow: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    return f"{word} {flow.strip().removesuffix('...').strip()}"


def plain(step: Step) -> dict[str, Any]:
    """The step as the mapping of one word that the grammar has for it."""
    match step:
        case Wait():
            limit = {} if step.within_s == WAIT_LIMIT_S else {"within_s": step.within_s}
            return {"wait": _condition(step.condition) | limit}
        case Do():
            return {step.f: _operation(step)}
        case Await():
            return {"await": _one_or_several(step.operations)}
        case Break():
            fields = msgspec.to_builtins(step.fault)
            del fields["fault"]
            return {tag(step.fault): fields | ({"as": step.into} if step.into else {})}
        case Heal():
            return {"heal": _one_or_several(step.faults or ("all",))}
        case Let():
            return {"let": dict(step.names)}
        case Together():
            return {"together": [[plain(inner) for inner in branch] for branch in step.branches]}


def _condition(condition: Condition) -> dict[str, Any]:
    match condition:
        case Leader():
            return _given(
                {"leader": condition.becomes}, {"from": condition.than, "as": condition.into}
            )
        case Passed():
            outcome = "any" if condition.outcome is None else condition.outcome
            return {
                "operations": condition.operations,
                **({} if outcome == "ok" else {"outcome": outcome}),
                **{
                    name: value
                    for name in ("f", "at", "key", "value")
                    if (value := getattr(condition, name)) is not None
                },
            }
        case Logged():
            at = "" if condition.at == "all" else condition.at
            return _given({"log": condition.pattern}, {"at": at, "as": condition.into})
        case Ready():
            return {"ready": condition.at}
        case State():
            return {"state": condition.state, "at": condition.at}
        case Elapsed():
            same = condition.least_s == condition.most_s
            return {"for_s": condition.least_s if same else [condition.least_s, condition.most_s]}


def _operation(step: Do) -> dict[str, Any]:
    told: dict[str, Any] = {"at": step.at}
    if step.key is not None:
        told["key"] = step.key
    if step.value is not None:
        told["value"] = step.value
    if step.later:
        told["async"] = True
    if step.into:
        told["as"] = step.into
    if step.expect is not None:
        told["expect"] = _expectation(step.expect)
    return told | ({"again_s": step.again_s} if step.again_s else {})


def _expectation(expect: Expect) -> Any:
    if expect.value is msgspec.UNSET:
        return expect.outcome
    return {"outcome": expect.outcome, "value": expect.value}


def _one_or_several(names: Sequence[str]) -> Any:
    return names[0] if len(names) == 1 else list(names)


def _given(always: dict[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return always | {name: value for name, value in fields.items() if value}
