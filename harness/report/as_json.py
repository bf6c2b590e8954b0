"""The findings as JSON, for programs: the schema is in docs/reports.md.

Rules
1. Names are stable: `version` grows when one changes its meaning or goes away.
2. What is not JSON in a checker's evidence is told as text.
"""

from __future__ import annotations

import msgspec

from checkers.statistics import Statistics
from harness.report.findings import Findings
from harness.report.picture import MARK

VERSION = 1


def as_json(found: Findings, stats: Statistics) -> str:
    told = {
        "format": MARK,
        "version": VERSION,
        **msgspec.to_builtins(found),
        "statistics": stats.to_json(),
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"
