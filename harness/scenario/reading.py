"""Reading a scenario's file, every mistake told at once with its line and its remedy.

The page is docs/scenarios.md; harness.scenario.grammar reads the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.scenario.grammar import Grammar
from harness.scenario.terms import Scope, Terms
from harness.scenario.values import Hit, Repeat, Scenario
from harness.systems.marked import Page
from harness.trial import TrialError, nearest

_AS_WRITTEN = ("options", "cluster_options", "live_check")  # YAML reads a bare `off` as False


class About(msgspec.Struct, frozen=True):
    """What is known of the trial that a scenario is for. `problems`: with the settings in the file,
    by setting. `nodes`, `operations` and `laws` (what can be broken, as verdicts name it): empty
    where nobody knows."""

    problems: Mapping[str, Sequence[str]] = {}
    nodes: Sequence[str] = ()
    operations: Collection[str] = ()
    laws: Collection[str] = ()


def _nothing_known(_settings: Mapping[str, Any]) -> About:
    return About()


def _as_it_stands(_name: str, value: Any) -> Any:
    return value


def read(
    path: Path,
    about: Callable[[Mapping[str, Any]], About] = _nothing_known,
    read_as: Callable[[str, Any], Any] = _as_it_stands,
) -> Scenario:
    """Raises TrialError with every mistake. `about(settings)` judges the settings of its trial, and
    says what else is known; `read_as(name, value)` says what a setting means in this file."""
    page = Page(path)
    scenario = _scenario(page, about, read_as)
    if page.problems:
        raise TrialError(page.problems)
    return scenario


def _scenario(
    page: Page,
    about: Callable[[Mapping[str, Any]], About],
    read_as: Callable[[str, Any], Any],
) -> Scenario:
    optional = ("trial", "load", "hit", "repeat")
    given = page.fields(page.root, "a scenario", ("name", "steps"), optional)
    trial = _trial(page, given.get("trial"), read_as)
    known = about({name: value for name, (_, value) in trial.items()})
    for name, sentences in known.problems.items():
        for sentence in sentences:
            page.wrong(trial[name][0] if name in trial else given.get("trial"), sentence)
    scope = Scope()
    steps = Grammar(page, known.nodes, known.operations).steps(given.get("steps"), "steps", scope)
    load = page.choice(given["load"], "load", ("usual", "none")) if "load" in given else "usual"
    name = page.text(given["name"], "name") if "name" in given else ""
    return Scenario(
        name=name,
        steps=steps,
        trial={name: value for name, (_, value) in trial.items()},
        load=load == "usual",
        hit=_hit(page, given.get("hit"), scope, known.laws),
        repeat=_repeat(page, given.get("repeat")),
    )


def _trial(
    page: Page, node: yaml.Node | None, read_as: Callable[[str, Any], Any]
) -> dict[str, tuple[yaml.Node, Any]]:
    """The settings with where they stand."""
    if node is None:
        return {}
    found: dict[str, tuple[yaml.Node, Any]] = {}
    for name, value in page.mapping(node, "trial").items():
        if name in ("faults", "scenario"):
            page.wrong(
                value, f"trial: {name}: the faults of a scenario are its steps. Leave it out."
            )
            continue
        try:
            loader = yaml.BaseLoader if name in _AS_WRITTEN else yaml.SafeLoader
            setting = loader("").construct_object(value, deep=True)
            found[name] = (value, read_as(name, setting))
        except yaml.constructor.ConstructorError as wrong:
            page.wrong(value, f"trial: {name}: {wrong.problem}.")
    return found


def _hit(page: Page, node: yaml.Node | None, scope: Scope, laws: Collection[str]) -> Hit:
    if node is None:
        return Hit()
    if isinstance(node, yaml.ScalarNode):
        page.choice(node, "hit", ("invalid",))
        return Hit()
    entries = page.mapping(node, "hit")
    law = page.text(entries.pop("invalid"), "invalid") if "invalid" in entries else ""
    if law and laws and law not in laws:
        page.wrong(node, f"hit: nothing is called {law!r} where it is broken. {nearest(law, laws)}")
    for name, value in entries.items():
        if name not in scope.results:
            known = ", ".join(scope.results) or "none"
            page.wrong(value, f"hit: no operation is called {name!r}. There are: {known}.")
    terms = Terms(page, ())
    return Hit(law=law, results={name: terms.value(value) for name, value in entries.items()})


def _repeat(page: Page, node: yaml.Node | None) -> Repeat:
    if node is None:
        return Repeat()
    given = page.fields(node, "repeat", optional=("tries", "budget_s"))
    terms, usual = Terms(page, ()), Repeat()
    return Repeat(
        tries=int(terms.number(given["tries"], "tries", 1)) if "tries" in given else usual.tries,
        budget_s=(
            terms.number(given["budget_s"], "budget_s", 0.001)
            if "budget_s" in given
            else usual.budget_s
        ),
    )
