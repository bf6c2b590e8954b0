"""A night as JUnit XML, for what shows tests: Jenkins, GitLab, actions of GitHub.

Rules
1. A suite is a cell. Its tests are questions that mean the same every night, so that a server can
   say what broke and what was mended: is every run judged, and, for each failure that the cell ever
   showed, does it fail so. Not a test for each of 10,000 runs.
2. A failure that did not show is skipped, with the chance, until it has gone: then its test passes.
   Runs that hung, died or could not be carried out are errors; UNKNOWN is skipped: neither is
   green.
3. Well-formed whatever a history has in it: characters that XML cannot hold are written as #x1B.

Sources: the structure is Jenkins' xunit schema, as pytest writes it (junit_family xunit2).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from xml.etree import ElementTree

from harness.nightly.grouping import unseen_of
from harness.nightly.records import Cell, Group, Night, RunRecord

_NO_VERDICT = ("trouble", "hung", "lost")
_TOLD_MAX = 20
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(night: Night, records: Sequence[RunRecord], groups: Sequence[Group]) -> bytes:
    """`records`: of the night; those of runs that passed may be left out. `groups`: as they are in
    the archive after it."""
    top = ElementTree.Element("testsuites", name="antipaxos nightly")
    for cell in night.cells:
        own = [record for record in records if record.cell == cell.name]
        top.append(_suite(night, cell, own, [g for g in groups if cell.name in g.cells]))
    ElementTree.indent(top)
    return b"<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(top)


def _suite(
    night: Night, cell: Cell, records: Sequence[RunRecord], groups: Sequence[Group]
) -> ElementTree.Element:
    tests = [
        _every_run_judged(cell, records),
        *(_of_group(night, cell, g, records) for g in groups),
    ]
    counted = {
        kind: str(sum(test.find(tag) is not None for test in tests))
        for kind, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped"))
    }
    named = {
        "name": _text(cell.name),
        "tests": str(len(tests)),
        **counted,
        "time": f"{cell.seconds:.3f}",
        "timestamp": _text(night.started),
        "hostname": _text(socket.gethostname()),
    }
    suite = ElementTree.Element("testsuite", named)
    told = {
        "runs": str(cell.runs),
        "invalid": str(cell.invalid),
        "operations": str(cell.operations),
        "night": night.name,
    }
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in told.items():
        ElementTree.SubElement(properties, "property", name=name, value=_text(value))
    suite.extend(tests)
    return suite


def _test(cell: Cell, name: str, seconds: float = 0.0) -> ElementTree.Element:
    return ElementTree.Element(
        "testcase", classname=_text(cell.name), name=_text(name), time=f"{seconds:.3f}"
    )


def _told(test: ElementTree.Element, tag: str, message: str, body: str = "") -> None:
    said = ElementTree.SubElement(test, tag, message=_text(message))
    if tag == "skipped":
        said.set("type", "antipaxos.unknown")
    if body:
        said.text = _text(body)


def _every_run_judged(cell: Cell, records: Sequence[RunRecord]) -> ElementTree.Element:
    test = _test(cell, "every run is judged", cell.seconds)
    without = [record for record in records if record.end in _NO_VERDICT]
    unknown = [record for record in records if record.end == "unknown"]
    if without:
        _told(test, "error", f"{len(without)} of {cell.runs} runs have no verdict", _seeds(without))
    elif unknown:
        _told(test, "skipped", f"{len(unknown)} of {cell.runs} runs are UNKNOWN", _seeds(unknown))
    elif not cell.runs:
        _told(test, "skipped", "the cell was not run")
    return test


def _seeds(records: Sequence[RunRecord]) -> str:
    lines = [f"seed {r.seed}: {r.end}: {r.why}" for r in records[:_TOLD_MAX]]
    more = len(records) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def _of_group(
    night: Night, cell: Cell, g: Group, records: Sequence[RunRecord]
) -> ElementTree.Element:
    test = _test(cell, g.fingerprint)
    if night.name in g.nights:
        failed, runs = g.cells[cell.name]
        kind = "new" if min(g.nights) == night.name else "known"
        names = (g.fingerprint, *g.aliases)
        own = [r for r in records if r.end == "invalid" and r.fingerprint in names]
        body = [
            g.sentence,
            f"law: {g.law}",
            *([f"replay: {g.replay}"] if g.replay else []),
            *([f"seeds: {', '.join(str(r.seed) for r in own[:_TOLD_MAX])}"] if own else []),
        ]
        _told(test, "failure", f"{kind}: in {failed} of {runs} runs: {g.sentence}", "\n".join(body))
        test[0].set("type", f"antipaxos.{kind}")
    elif g.gone <= max(g.nights):  # it has not gone
        unseen = unseen_of(g, {c.name: c.runs for c in night.cells})
        _told(test, "skipped", f"not seen: {unseen.why or 'it did not show'}")
    return test


def _text(text: str) -> str:
    return _ILLEGAL.sub(lambda found: f"#x{ord(found[0]):02X}", text)
