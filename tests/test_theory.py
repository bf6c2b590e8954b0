"""docs/theory.md is true: every statement has its row, and what a row names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reference_impl.mutants import CATALOGUE

ROOT = Path(__file__).parent.parent
ROWS = {
    cells[0].strip(): [cell.strip() for cell in cells[1:]]
    for line in (ROOT / "docs" / "theory.md").read_text().splitlines()
    if (cells := line.strip("|").split("|"))[0].strip().startswith("T")
    and cells[0].strip()[1:].isdigit()
}
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_statement_has_a_row() -> None:
    """T1 to T40, in order."""
    assert [f"T{n}" for n in range(1, 41)] == list(ROWS)


@pytest.mark.parametrize("number", ROWS)
def test_what_a_row_names_exists(number: str) -> None:
    """Files, tests and mutants: a renamed one must not leave a lie behind."""
    _, home, tests, mutants = ROWS[number]
    files = [name for name in names(home) if name.endswith(".py")]
    assert [] == [name for name in files if not (ROOT / name).exists()]
    assert [] == [name for name in names(tests) if name not in TESTS]
    assert [] == [n for n in names(mutants) if n not in {m.name for m in CATALOGUE}]


def test_every_mutant_stands_in_a_row() -> None:
    """A mutant breaks a statement, or it shows nothing."""
    named = {name for row in ROWS.values() for name in names(row[3])}
    assert {m.name for m in CATALOGUE} == named


@pytest.mark.parametrize("number", [n for n in ROWS if int(n[1:]) >= 10 and n != "T29"])
def test_statements_of_the_algorithm_have_tests_named_after_them(number: str) -> None:
    """From T10 on the test's name begins with the statement's number."""
    assert any(t.startswith(f"test_{number.lower()}_") for t in names(ROWS[number][2]))
