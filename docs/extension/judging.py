"""What the reference says of workloads, models and checkers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from checkers.laws import LAWS
from checkers.models import MODELS, OPTIONS
from checkers.verdict import Checker
from extension.tables import code, codes, fields, in_short, prose, table
from harness.catalogue import entries
from harness.workloads import WORKLOADS, workload
from harness.workloads.keys import KeyOptions


def workloads() -> str:
    """Every workload: what it is, its operations, options and checkers."""
    parts = [
        "Options are given as `--workload-option NAME=VALUE`, or in a file under "
        "`workload_options`.\n"
    ]
    for name, kind in WORKLOADS.items():
        made = workload(name)
        checkers = codes(checker.name for checker in made.checkers())
        parts.append(
            f"## `{name}`\n\n{_head(type(made))}\n\n"
            f"Operations: {codes(made.operations)}. Checkers: {checkers}.\n\n{fields(kind.options)}"
        )
    return "\n".join([*parts, f"\n## Keys\n\n{prose(KeyOptions)}\n"])


def _head(kind: type) -> str:
    """The first sentence of the module of a class, without the name that it begins with."""
    text = in_short(sys.modules[kind.__module__])
    return text.split(": ", 1)[-1][:1].upper() + text.split(": ", 1)[-1][1:]


def models() -> str:
    """Every sequential specification, by the name that `check --model` takes."""
    parts = []
    for name, make in MODELS.items():
        documented = make if isinstance(make, type) else type(make())
        options = codes(OPTIONS.get(name, ())) or "none"
        parts.append(f"## `{name}`\n\n{prose(documented)}\n\nOptions: {options}.\n")
    return "\n".join(parts)


def judges() -> dict[str, tuple[Checker, list[str]]]:
    """Every checker that a workload has, by name, with the workloads that have it."""
    found: dict[str, tuple[Checker, list[str]]] = {}
    for name in WORKLOADS:
        for checker in workload(name).checkers():
            found.setdefault(checker.name, (checker, []))[1].append(name)
    return found


def checkers() -> str:
    """Every checker by name, and every law of the protocol."""
    return "\n".join(_checkers())


def _checkers() -> Iterator[str]:
    yield "A verdict is merged from those of its checkers: the worst decides.\n"
    for name, (checker, used_by) in sorted(judges().items()):
        kind = type(checker)
        said = inspect.getdoc(sys.modules[kind.__module__]) if not _says(kind) else prose(kind)
        yield f"## `{name}`\n\n{said}\n\nOf the workloads {codes(used_by)}.\n"
    yield "## Laws of the protocol\n\nJudged on the [trace](../trace-format.md) of the nodes, "
    yield "where they write one. A law whose events no trace contains is not judged.\n"
    rows = [[code(law.name), law.statement, codes(law.needs)] for law in LAWS]
    yield table(["law", "says", "needs the events"], rows)


def _says(kind: type) -> bool:
    return bool(kind.__doc__) and "head of this module" not in str(kind.__doc__)


def mutants() -> str:
    """Every mutant of every catalogue, in short."""
    rows = [
        [code(e.name), e.area, e.kind, e.law, ", ".join(e.caught_by), code(e.workload)]
        for e in entries()
    ]
    return table(["mutant", "area", "kind", "law it breaks", "caught by", "workload"], rows)
