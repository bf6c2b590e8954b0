"""Trials in a file, collected as tests: `NAME.trial.yaml`.

The file has the settings of a trial, and besides

    matrix:     settings with a list of values each: every combination is a test of its own
    runs:       how many seeds each test tries, at most
    expect:     valid (if it is left out), invalid or unknown

Rules
1. All mistakes of a file are told at once, when it is collected, each with its line; a value that
   fits in some combinations only is told at its line, too.
2. A test is named by its values in the matrix, in the order of the file: its id says what it tries.
   What the command line gives takes the place of a list.
3. Paths are relative to the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from checkers.verdict import Kind
from harness.pytest_trials import options
from harness.pytest_trials.found import TrialVerdict
from harness.pytest_trials.naming import named
from harness.pytest_trials.trials import carried, trials, usual
from harness.settle import CHECKS
from harness.systems.marked import Page
from harness.systems.registry import read_once
from harness.trial import Trial, TrialError, nearest, problems_of

CASES_MAX = 10_000
_OWN = ("matrix", "runs", "expect")
_AS_WRITTEN = ("options", "cluster_options", "live_check")
_KINDS = tuple(kind.value for kind in Kind)


class Unexpected(Exception):
    """The verdict is not the one that the file expects."""


class Value(msgspec.Struct, frozen=True):
    """Of a setting, with the line where it stands."""

    value: Any
    line: int


class TrialFile(pytest.File):
    """A `*.trial.yaml`."""

    def collect(self) -> Iterable[pytest.Item]:
        read = Reading(self.path, self.config)
        names = _distinct([_name(case, read.axes) for case in read.cases])
        for name, case in zip(names, read.cases, strict=True):
            yield TrialItem.from_parent(
                self, name=name, settings=case, runs=read.runs, expected=read.expected
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, TrialError):
            return str(excinfo.value)
        return super().repr_failure(excinfo) if style is None else str(excinfo.value)


class Reading:
    """A file, read and judged. Raises TrialError with every mistake."""

    @read_once()
    def __init__(self, path: Path, config: pytest.Config) -> None:
        self._page = Page(path)
        self._places = [path.parent, config.rootpath]
        self._typed = options.of_command_line(config)
        self._ini = options.of_ini(config)
        self._late: list[tuple[int, str]] = []  # what shows in combinations
        self.runs: int = 1
        self.expected = Kind.VALID
        self.axes: dict[str, list[Value]] = {}
        plain: dict[str, Value] = {}
        root = self._page.root
        if root is None:
            self._page.wrong(None, "the file is empty. Name a system, as in 'system: paxos'.")
        else:
            plain = self._top(self._page.mapping(root, "a file of trials"))
        self._raise()
        self.cases = self._judged(plain)
        self._raise()

    def _raise(self) -> None:
        late = [f"{self._page.path}:{line}: {sentence}" for line, sentence in sorted(self._late)]
        wrong = [*self._page.problems, *late]
        if wrong:
            raise TrialError(list(dict.fromkeys(wrong)))

    def _top(self, entries: Mapping[str, yaml.Node]) -> dict[str, Value]:
        page = self._page
        plain = {}
        for name, node in entries.items():
            if name == "matrix":
                self._matrix(node)
            elif name == "runs":
                self.runs = page.number(node, "runs", 1, 1_000_000)
            elif name == "expect":
                self.expected = Kind(page.choice(node, "expect", _KINDS))
            elif self._is_setting(name, node):
                plain[name] = self._value(name, node)
        for name in self.axes:
            if name in plain:
                page.wrong(entries["matrix"], f"{name!r} is set beside the matrix too. Keep one.")
        if "system" not in plain and "system" not in self.axes:
            page.wrong(page.root, "no system is named. Add one, as in 'system: paxos'.")
        return plain

    def _is_setting(self, name: str, node: yaml.Node) -> bool:
        if name in Trial.__struct_fields__:
            return True
        valid = (*Trial.__struct_fields__, *_OWN)
        self._page.wrong(node, f"{name!r} is not a setting of a trial. {nearest(name, valid)}")
        return False

    def _matrix(self, node: yaml.Node) -> None:
        for name, values in self._page.mapping(node, "matrix").items():
            if not self._is_setting(name, values):
                continue
            listed = self._page.items(values, f"{name} of matrix")
            if isinstance(values, yaml.SequenceNode) and not listed:
                self._page.wrong(
                    values, f"{name} of matrix is empty. Give values, or leave it out."
                )
            self.axes[name] = [self._value(name, value) for value in listed]

    def _value(self, name: str, node: yaml.Node) -> Value:
        line = node.start_mark.line + 1
        loader = yaml.BaseLoader("") if name in _AS_WRITTEN else yaml.SafeLoader("")
        try:
            value = loader.construct_object(node, deep=True)
        except yaml.constructor.ConstructorError as wrong:
            self._page.wrong(node, f"{name}: {wrong.problem}.")
            return Value(None, line)
        beside = self._places[0]
        is_file = isinstance(value, str) and (
            (name == "faults" and (value.endswith(".json") or "/" in value))
            or (name == "scenario" and value != "")
        )
        return Value(str(beside / value) if is_file else value, line)

    def _judged(self, plain: Mapping[str, Value]) -> list[dict[str, Any]]:
        """The settings of each case; what is wrong is noted at its line."""
        self.axes = {name: values for name, values in self.axes.items() if name not in self._typed}
        count = 1
        for values in self.axes.values():
            count *= len(values)
        if count > CASES_MAX:
            self._page.wrong(
                self._page.root, f"the matrix has {count:,} cases. Keep to {CASES_MAX:,}."
            )
            return []
        cases = []
        for chosen in product(*self.axes.values()):
            at = {**plain, **dict(zip(self.axes, chosen, strict=True))}
            case = {name: value.value for name, value in at.items()}
            lines = {name: value.line for name, value in at.items()}
            for name, sentence in self._problems(case):
                self._late.append((lines.get(name, 1), sentence))
            cases.append(case)
        return cases

    def _problems(self, case: dict[str, Any]) -> list[tuple[str, str]]:
        if not isinstance(case["system"], str):
            return [("system", f"system is {case['system']!r}. Give a name or a path.")]
        try:
            case["system"] = named(case["system"], self._places)
            whole = {**self._ini, **case, **self._typed}
            whole = {**usual(whole), **whole}
        except TrialError as wrong:
            return [("system", sentence) for sentence in wrong.problems]
        whole.pop("seed", None)  # a word, perhaps; a number is judged as the file has it
        judged = problems_of(
            {**whole, **({"seed": case["seed"]} if "seed" in case else {})}, CHECKS
        )
        return [(name, sentence) for name, told in judged.items() for sentence in told]


class TrialItem(pytest.Item):
    """One case of a file."""

    def __init__(
        self, *, settings: Mapping[str, Any], runs: int, expected: Kind, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.add_marker("antipaxos")
        self._settings, self._runs, self._expected = settings, runs, expected

    def runtest(self) -> None:
        verdict = carried(
            self.config, self, trials(self.config, self, {}, self._settings, self._runs)
        )
        if verdict.kind is Kind.UNKNOWN and self._expected is not Kind.UNKNOWN:
            _ = bool(verdict)  # deals with it as configured; who only warns goes on
        elif verdict.kind is not self._expected:
            raise Unexpected(_told(verdict, self._expected))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Unexpected | TrialError):
            return str(excinfo.value)
        if excinfo.errisinstance(pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}::{self.name}"


def _told(verdict: TrialVerdict, expected: Kind) -> str:
    return f"expected {expected.name}, found {verdict.kind.name}: {verdict.summary}"


def _name(case: Mapping[str, Any], axes: Mapping[str, list[Value]]) -> str:
    """What a test tries; of one without a matrix the name of the trial."""
    if not axes:
        return str(case.get("name") or "trial")
    return "-".join(_word(name, case[name]) for name in axes)


def _word(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={one}" for key, one in value.items()) or f"no-{name}"
    text = str(value).rpartition("/")[2] if name in ("system", "faults", "scenario") else str(value)
    return re.sub(r"\.(ya?ml|json)$|\.py(?=:)", "", text).replace(":", ".") or f"no-{name}"


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return distinct
