"""What the file of a system imports from beside it: whether that is what lies there.

Python knows a module by its name alone. Where two directories each have a `node.py`, the second
`import node` of a process gives the first one's, and says nothing.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType

FILES_MAX = 200  # that are followed


@contextlib.contextmanager
def first(root: str) -> Iterator[None]:
    """Have Python look in this directory before all others; afterwards it looks there, too."""
    known = root in sys.path
    sys.path.insert(0, root)
    try:
        yield
    finally:
        if known:  # where it was
            sys.path.remove(root)


def strangers(path: Path, module: ModuleType) -> list[tuple[str, Path, str]]:
    """The modules that the file, or what it imports from its directory, means to import from there
    and that are others in this process: the name, the file that lies there, what it is instead.
    `module`: what the file itself was loaded as."""
    root = path.parent
    file = getattr(module, "__file__", None)
    if path.is_file() and not (file is not None and _same(path, file)):
        return [(module.__name__, path, str(file or "built in"))]
    if (root / "__init__.py").is_file():  # what it imports from there has the package's name
        return []
    found: dict[str, tuple[str, Path, str]] = {}
    todo, seen = [path], {path}
    while todo and len(seen) < FILES_MAX:
        for name in _imports(todo.pop()):
            there = _lies(root, name)
            other = sys.modules.get(name)
            if there is None or other is None:  # elsewhere; or not imported yet
                continue
            file = getattr(other, "__file__", None)
            if file is None or not _same(there, file):
                found[name] = (name, there, str(file or "built in"))
            elif there not in seen:
                seen.add(there)
                todo.append(there)
    return list(found.values())


def _lies(root: Path, name: str) -> Path | None:
    for there in (root / name / "__init__.py", root / f"{name}.py"):
        if there.is_file():
            return there
    return None


def _same(one: Path, other: str) -> bool:
    """A copy is the same: it says the same."""
    try:
        return one.samefile(other) or one.read_bytes() == Path(other).read_bytes()
    except OSError:
        return False


def _imports(path: Path) -> tuple[str, ...]:
    """The first words of the modules that are imported by their whole names."""
    try:
        return _imports_of(path, path.stat().st_mtime_ns)
    except (OSError, SyntaxError, ValueError):
        return ()


@lru_cache(maxsize=FILES_MAX)
def _imports_of(path: Path, _: int) -> tuple[str, ...]:
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append(node.module.partition(".")[0])
    return tuple(dict.fromkeys(found))
