"""The catalogue of mutants: each entry is whole, breaks one part, and is proven to be caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkers.laws import LAWS
from reference_impl import mutants
from reference_impl.mutants import CATALOGUE, Mutant
from reference_impl.rules import Rules

CHECKERS = {law.name for law in LAWS} | {"linearizable", "elements", "termination"}
AREAS = {
    *("proposers", "acceptors", "learners", "quorums", "ballots"),
    *("recovery", "storage", "learning", "leadership", "reads"),
    *("sessions", "snapshots", "catch-up", "liveness"),
}
TESTS = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]


def test_there_is_a_mutant_for_every_area_and_no_name_comes_twice() -> None:
    """At least thirty, of which no two share a name."""
    assert len(CATALOGUE) >= 30
    assert len({m.name for m in CATALOGUE}) == len(CATALOGUE)
    assert {m.area for m in CATALOGUE} >= AREAS


def test_every_mutant_lives_in_the_file_of_its_name() -> None:
    """One file a law, and no file that the catalogue leaves out."""
    files = {path.stem for path in Path(mutants.__path__[0]).glob("*.py")}

    assert {m.name.replace("-", "_") for m in CATALOGUE} == files - {
        "__init__",
        "catalogue",
        "mutant",
    }


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda m: m.name)
def test_an_entry_is_whole(mutant: Mutant) -> None:
    """It names a statement of docs/theory.md, tells its story, replaces one part of the reference,
    and is caught by checkers that exist."""
    parts = [f for f in Rules.__struct_fields__ if getattr(mutant.rules, f) != getattr(Rules(), f)]

    assert mutant.law.startswith("T")
    assert len(mutant.story) > 80
    assert len(parts) == 1
    assert mutant.caught_by
    assert set(mutant.caught_by) <= CHECKERS
    assert mutant.workload in ("consensus", "register", "log")


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda m: m.name)
def test_a_test_proves_that_it_is_caught(mutant: Mutant) -> None:
    """A mutant that nothing catches is none: a schedule or a random run is named for each."""
    assert any(f'"{mutant.name}"' in text for text in TESTS)
