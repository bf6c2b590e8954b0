"""The house rules that a machine can keep; each message names the place and the remedy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("checkers", "harness", "nemesis", "reference_impl")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "stuff", "tools"}

# What keeps machines away from clocks and chance must lay hands on them; it reads neither.
FENCE = "harness/simulation/fence.py"
# The one home of the clock in each package that needs one.
CLOCK_HOMES = {"checkers/budget.py", "harness/clock.py", "reference_impl/node.py", FENCE}

SOURCES = sorted(
    path
    for folder in (*PACKAGES, "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in PACKAGES]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_tree_is_looked_at() -> None:
    """A tidy test that finds no files would pass on anything."""
    assert {name_of(p).split("/")[0] for p in PRODUCT} == set(PACKAGES)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short_and_well_named(path: Path) -> None:
    """A newcomer finds the file by its name and reads it in one sitting."""
    lines = len(path.read_text().splitlines())
    assert lines <= FILE_LINES_MAX, (
        f"{name_of(path)} has {lines} lines (at most {FILE_LINES_MAX}): split it by subject"
    )
    assert path.stem not in BANNED_NAMES, f"{name_of(path)}: name it for what it holds"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_functions_fit_a_screen(path: Path) -> None:
    """A function is read at a glance."""
    for function in functions(ast.parse(path.read_text())):
        assert function.end_lineno is not None
        length = function.end_lineno - function.lineno + 1
        assert length <= FUNCTION_LINES_MAX, (
            f"{name_of(path)}:{function.lineno}: {function.name} is {length} lines "
            f"(at most {FUNCTION_LINES_MAX}): move a step of it into a function of its own"
        )


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_modules_open_with_what_they_are(path: Path) -> None:
    """Every module that holds code says what it is for."""
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree), f"{name_of(path)}: open it with a docstring"


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_time_and_chance_come_from_outside(path: Path) -> None:
    """Nondeterminism has one home: clocks in CLOCK_HOMES, randomness in seeded Random objects. The
    fence imports both modules to guard them."""
    for node in ast.walk(ast.parse(path.read_text())):
        place = f"{name_of(path)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            fenced = name_of(path) == FENCE
            assert "random" not in names or fenced, f"{place}: take a seeded Random as an argument"
            assert "time" not in names or name_of(path) in CLOCK_HOMES, f"{place}: use the clock"
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            assert node.module != "random" or names == {"Random"}, f"{place}: only Random"
            assert node.module != "time" or name_of(path) in CLOCK_HOMES, f"{place}: use the clock"
        elif isinstance(node, ast.Call):
            seeded = not (isinstance(node.func, ast.Name) and node.func.id == "Random") or node.args
            assert seeded, f"{place}: give Random a seed"


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")))
def test_links_of_documents_lead_somewhere(path: Path) -> None:
    """A document that points to a file points to one that exists."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{name_of(path)}: no {target}"
