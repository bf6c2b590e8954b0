"""What a test calls its system: by which name a trial, and a later replay, finds it.

Rules
1. Paths are looked for beside the test's file, then in the root directory, then in the working
   directory; the trial has the whole path, so that it is found from anywhere.
2. A function or class that another process can import is named 'FILE.py:name'. Any other (a
   closure, a lambda, an object made in the test) has a name in this process only, and is replayed
   through pytest.
3. 'module:name' of a file that is not installed becomes 'FILE.py:name', so that a replay need not
   know where pytest looks. Where another file of this name lies beside the test, which of them is
   meant is not guessed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.systems import machines, registry
from harness.trial import TrialError


def named(system: Any, places: Sequence[Path]) -> str:
    """The name of a system that is given as a name, a path, 'FILE.py:name', a System or what builds
    a machine. Raises TrialError."""
    if isinstance(system, str | Path):
        return _located(system, places)
    importable = _importable(system)
    if importable is not None and not registry.is_given(importable):
        file, _, function = importable.rpartition(":")
        _refuse_other(system.__module__, Path(file), function, places)
        return importable
    name = _plain_name(system)
    return registry.give(registry.made_of(system, name), name)


def _located(system: str | Path, places: Sequence[Path]) -> str:
    text = str(system)
    if registry.is_given(text):
        return text
    path, colon, function = text.rpartition(":") if ".py:" in text else (text, "", "")
    is_path = isinstance(system, Path) or colon or "/" in text or text.endswith((".yaml", ".yml"))
    if not is_path:
        return _of_module(text, places) if registry.names_python(text) else text
    for place in places:
        if (place / path).is_file():
            return str((place / path).absolute()) + colon + function
    looked = " nor ".join(dict.fromkeys(str(place / path) for place in places))
    raise TrialError([f"system {text!r}: there is no {looked}. Correct the path."])


def _of_module(text: str, places: Sequence[Path]) -> str:
    """See rule 3."""
    module, _, name = text.rpartition(":")
    file = machines.file_of(module)
    if file is None:
        return text  # it says itself that there is none
    _refuse_other(module, file, name, places)
    is_installed = "site-packages" in file.parts
    return text if is_installed or machines.module_name(file) != module else f"{file}:{name}"


def _refuse_other(module: str, file: Path, name: str, places: Sequence[Path]) -> None:
    """See rule 3."""
    for place in places[:1]:
        beside = place.joinpath(*module.split(".")).with_suffix(".py")
        if beside.is_file() and not beside.samefile(file):
            raise TrialError(
                [
                    f"system '{module}:{name}': the module {module!r} of this process is {file}, "
                    f"and beside the test lies {beside}. Rename one, or name the file that is "
                    f"meant: '{beside.name}:{name}'."
                ]
            )


def _importable(thing: Any) -> str | None:
    """'FILE.py:name', where that is this very object in any process."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        return None
    name = getattr(thing, "__qualname__", "")
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not thing:  # a lambda with a name, or one that was decorated
        name = next((known for known, other in vars(module).items() if other is thing), "")
    return f"{Path(file).absolute()}:{name}" if name else None


def _plain_name(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or getattr(thing, "name", None)
    text = name if isinstance(name, str) else type(thing).__name__
    return text.replace("<locals>.", "").replace("/", "-") or "system"
