"""The steps of a scenario's file: each a mapping of one word to what it takes.

Rules
1. A word that is neither one of the grammar nor a fault is an operation of the workload.
2. Names are bound before they are used, in the order of the file. What a branch binds its siblings
   do not know: it may not have come yet.
3. Every mistake is noted at its line and reading goes on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from harness.scenario.names import expressions, stood_in
from harness.scenario.terms import Scope, Terms
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
    State,
    Step,
    Together,
    Wait,
)
from harness.systems.marked import Page
from harness.trial import nearest
from nemesis.faults import Fault
from nemesis.resolution import FAULTS, problems
from nemesis.schedule import fault_mistakes

STEPS = ("wait", "await", "heal", "let", "together")
OUTCOMES = ("ok", "fail", "info")
_CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "leader": ("from", "as"),
    "operations": ("f", "at", "key", "value", "outcome"),
    "acknowledged": ("at", "key", "value"),
    "log": ("at", "as"),
    "ready": (),
    "state": ("at",),
    "for_s": (),
}


class Grammar:
    """Reads steps. `nodes` and `operations`: those that there are, empty where nobody knows."""

    def __init__(self, page: Page, nodes: Sequence[str], operations: Collection[str]) -> None:
        self._page, self._nodes, self._operations = page, nodes, operations
        self._terms = Terms(page, nodes)

    def steps(self, node: yaml.Node | None, what: str, scope: Scope) -> tuple[Step, ...]:
        items = self._page.items(node, what)
        if isinstance(node, yaml.SequenceNode) and not items:
            self._page.wrong(node, f"{what} is empty. Give a list of steps.")
        read = [self._step(item, scope) for item in items]
        return tuple(step for step in read if step is not None)

    def _step(self, node: yaml.Node, scope: Scope) -> Step | None:
        if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
            words = ", ".join(STEPS)
            self._page.wrong(
                node,
                f"a step is a mapping of one word to what it takes, as in 'kill: leader'. Words: "
                f"{words}, the faults, and the operations of the workload.",
            )
            return None
        ((word, value),) = self._page.mapping(node, "a step").items()
        match word:
            case "wait":
                return self._wait(value, scope)
            case "await":
                return self._await(value, scope)
            case "heal":
                return self._heal(value, scope)
            case "let":
                return self._let(value, scope)
            case "together":
                return self._together(value, scope)
        return self._fault(word, value, scope) if word in FAULTS else self._do(word, value, scope)

    # --- faults ---

    def _fault(self, word: str, node: yaml.Node, scope: Scope) -> Break | None:
        name, fields = word, {}
        if isinstance(node, yaml.ScalarNode):
            isolates = {"topology": "isolate"} if word == "partition" else {}
            fields = isolates | {"target": self._page.text(node, f"the target of {word}")}
        else:
            entries = self._page.mapping(node, word)
            if "as" in entries:
                name = self._terms.name(entries.pop("as"), "the name of a fault")
            fields = {key: self._terms.value(value) for key, value in entries.items()}
        fault = self._converted(word, fields, node)
        if fault is None:
            return None
        for expression in expressions(fault):
            self._terms.who(node, expression, word, scope)
        for sentence in problems(stood_in(fault, self._nodes), self._nodes):
            self._page.wrong(node, f"{sentence}.")
        if name in scope.faults:
            self._page.wrong(
                node,
                f"a fault called {name!r} is in force already. Heal it before, or give this one "
                "another name with 'as'.",
            )
        scope.faults[name] = None
        return Break(fault=fault, into="" if name == word else name)

    def _converted(self, word: str, fields: Mapping[str, Any], node: yaml.Node) -> Fault | None:
        raw = {"fault": word, **fields}
        wrong = fault_mistakes(raw)
        for sentence in wrong:
            self._page.wrong(node, f"{word}: {sentence}.")
        if wrong:
            return None
        try:
            fault: Fault = msgspec.convert(raw, FAULTS[word])
        except msgspec.ValidationError as trouble:
            self._page.wrong(node, f"{word}: {str(trouble).lower()}.")
            return None
        return fault

    def _heal(self, node: yaml.Node, scope: Scope) -> Heal:
        what = "what is to be healed"
        scalar = isinstance(node, yaml.ScalarNode)
        names = (self._page.text(node, what),) if scalar else self._page.texts(node, what)
        if names == ("all",):
            names = ()
        for name in names:
            if name not in scope.faults:
                known = [*scope.faults, "all"]
                self._page.wrong(
                    node, f"no fault called {name!r} is in force. {nearest(name, known)}"
                )
        for name in names or tuple(scope.faults):
            scope.faults.pop(name, None)
        return Heal(faults=names)

    # --- operations ---

    def _do(self, word: str, node: yaml.Node, scope: Scope) -> Do | None:
        if self._operations and word not in self._operations:
            known = [*self._operations, *STEPS, *FAULTS]
            self._page.wrong(
                node,
                f"{word!r} is no step, no fault and no operation of the workload. "
                f"{nearest(word, known)}",
            )
            return None
        optional = ("at", "key", "value", "async", "as", "expect", "again_s")
        given = self._page.fields(node, word, optional=optional)
        name = self._terms.name(given["as"], "the name of an operation") if "as" in given else ""
        step = Do(
            f=word,
            at=self._terms.expression(given.get("at"), "at", scope, "any"),
            key=self._terms.value(given.get("key")),
            value=self._terms.value(given.get("value")),
            later="async" in given and self._terms.truth(given["async"], "async"),
            into=name,
            expect=self._expect(given["expect"]) if "expect" in given else None,
            again_s=self._terms.number(given["again_s"], "again_s", 0)
            if "again_s" in given
            else 0.0,
        )
        if step.again_s and step.expect is None:
            self._page.wrong(node, "again_s says until when, but not until what: give 'expect'.")
        if step.later:
            if (name or word) in scope.later:
                self._page.wrong(
                    node,
                    f"an operation called {name or word!r} goes on already. Await it before, or "
                    "give this one another name with 'as'.",
                )
            scope.later[name or word] = None
        scope.results[name or word] = None
        return step

    def _expect(self, node: yaml.Node) -> Expect:
        if isinstance(node, yaml.ScalarNode):
            return Expect(outcome=self._outcome(node, "expect"))
        given = self._page.fields(node, "expect", optional=("outcome", "value"))
        outcome: Any = "ok"
        if "outcome" in given:
            outcome = self._outcome(given["outcome"], "outcome")
        value = self._terms.value(given["value"]) if "value" in given else msgspec.UNSET
        return Expect(outcome=outcome, value=value)

    def _outcome(self, node: yaml.Node, what: str) -> Any:
        return self._page.choice(node, what, OUTCOMES)

    def _await(self, node: yaml.Node, scope: Scope) -> Await:
        what = "what is awaited"
        scalar = isinstance(node, yaml.ScalarNode)
        names = (self._page.text(node, what),) if scalar else self._page.texts(node, what)
        for name in names:
            if name not in scope.later:
                self._page.wrong(
                    node,
                    f"no operation called {name!r} goes on. Begin one before, with 'async: true'"
                    + (f". {nearest(name, scope.later)}" if scope.later else "."),
                )
            scope.later.pop(name, None)
        return Await(operations=names)

    # --- waits ---

    def _wait(self, node: yaml.Node, scope: Scope) -> Wait | None:
        if isinstance(node, yaml.ScalarNode):
            seconds = self._terms.number(node, "the time of a wait", 0)
            return Wait(condition=Elapsed(least_s=seconds, most_s=seconds))
        entries = self._page.mapping(node, "wait")
        kinds = [name for name in entries if name in _CONDITIONS]
        if len(kinds) != 1:
            found = f"two ({', '.join(kinds)})" if kinds else "none"
            self._page.wrong(
                node,
                f"a wait has one condition, and this has {found}. Conditions: "
                f"{', '.join(_CONDITIONS)}.",
            )
            return None
        kind = kinds[0]
        limit = () if kind == "for_s" else ("within_s",)
        given = self._page.fields(node, f"wait {kind}", (kind,), (*_CONDITIONS[kind], *limit))
        within_s = WAIT_LIMIT_S
        if "within_s" in given:
            within_s = self._terms.number(given["within_s"], "within_s", 0)
        condition = self._condition(kind, given, node, scope)
        return Wait(condition=condition, within_s=within_s)

    def _condition(
        self, kind: str, given: Mapping[str, yaml.Node], node: yaml.Node, scope: Scope
    ) -> Condition:
        page = self._page
        match kind:
            case "leader":
                return self._leader(given, node, scope)
            case "operations" | "acknowledged":
                return self._passed(kind, given, scope)
            case "log":
                at = self._terms.expression(given.get("at"), "at", scope, "all")
                pattern = self._pattern(given["log"])
                return Logged(
                    pattern=pattern, at=at, into=self._terms.bound(given.get("as"), scope)
                )
            case "ready":
                return Ready(at=self._terms.expression(given["ready"], "ready", scope, "all"))
            case "state":
                state: Any = page.choice(given["state"], "state", ("running", "paused", "dead"))
                if "at" not in given:
                    page.wrong(node, "wait state lacks 'at': whose state? Add it.")
                return State(
                    at=self._terms.expression(given.get("at"), "at", scope, "all"), state=state
                )
        return self._elapsed(given["for_s"])

    def _leader(self, given: Mapping[str, yaml.Node], node: yaml.Node, scope: Scope) -> Leader:
        becomes: Any = self._page.choice(given["leader"], "leader", ("known", "changed", "none"))
        if becomes == "changed" and "from" not in given:
            self._page.wrong(node, "leader: changed lacks 'from': who led before? Add its name.")
        than = self._terms.expression(given.get("from"), "from", scope, "")
        return Leader(becomes=becomes, than=than, into=self._terms.bound(given.get("as"), scope))

    def _passed(self, kind: str, given: Mapping[str, yaml.Node], scope: Scope) -> Passed:
        page = self._page
        outcome: Any = "ok"
        if "outcome" in given:
            outcome = page.choice(given["outcome"], "outcome", (*OUTCOMES, "any"))
        count, f = 1, None
        if kind == "operations":
            count = int(self._terms.number(given[kind], "operations", 1))
            f = page.text(given["f"], "f") if "f" in given else None
        else:
            f = page.text(given[kind], "acknowledged")
        if f is not None and self._operations and f not in self._operations:
            where = given.get("f", given[kind])
            page.wrong(where, f"the workload has no {f!r}. {nearest(f, self._operations)}")
        return Passed(
            operations=count,
            f=f,
            at=self._terms.expression(given["at"], "at", scope, "all") if "at" in given else None,
            key=self._terms.value(given.get("key")),
            value=self._terms.value(given.get("value")),
            outcome=None if outcome == "any" else outcome,
        )

    def _elapsed(self, node: yaml.Node) -> Elapsed:
        if isinstance(node, yaml.ScalarNode):
            seconds = self._terms.number(node, "for_s", 0)
            return Elapsed(least_s=seconds, most_s=seconds)
        items = self._page.items(node, "for_s")
        if len(items) != 2:
            self._page.wrong(node, "for_s is a number of seconds, or the least and the most.")
            return Elapsed(least_s=0, most_s=0)
        least_s, most_s = (self._terms.number(item, "for_s", 0) for item in items)
        if least_s > most_s:
            self._page.wrong(node, f"for_s is from {least_s:g} to {most_s:g}: exchange the two.")
        return Elapsed(least_s=least_s, most_s=most_s)

    def _pattern(self, node: yaml.Node) -> str:
        pattern = self._page.text(node, "log")
        try:
            re.compile(pattern)
        except re.error as wrong:
            self._page.wrong(node, f"log is no regular expression: {wrong}. Escape it with '\\'.")
        return pattern

    # --- the rest ---

    def _let(self, node: yaml.Node, scope: Scope) -> Let:
        names: dict[str, str] = {}
        for name, value in self._page.mapping(node, "let").items():
            names[name] = self._terms.expression(value, f"let {name}", scope, "any")
            self._terms.bind(name, value, scope)
        return Let(names=names)

    def _together(self, node: yaml.Node, scope: Scope) -> Together:
        branches = []
        scopes = []
        for item in self._page.items(node, "together"):
            own = scope.branch()
            if isinstance(item, yaml.MappingNode):  # a branch of one step
                item = yaml.SequenceNode(item.tag, [item], item.start_mark, item.end_mark)
            branches.append(self.steps(item, "a branch", own))
            scopes.append(own)
        scope.join(scopes)
        return Together(branches=tuple(branches))
