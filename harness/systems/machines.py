"""Finding what is named in Python: the function that builds a system's nodes as machines, the class
of its clients, or a whole system.

A file says `machine: module:function`. The module is imported as Python does, with the directory of
the file searched first: a user's own system need not be installed. The function takes `name`,
`peers`, `rng`, `workload` and `options` by name and returns a machine (harness.machine).

A trial may name such a function itself, as `module:function` or `path/to/file.py:function`.

Rules
1. A file that is loaded already is not loaded again, under whatever name it was: its functions and
   classes are the same objects for everybody.
2. What a file imports from beside it is the file that lies there (harness.systems.beside): two
   systems in two directories may both have a `node.py`, and a verdict about the wrong one is worse
   than none.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from harness.machine import Machine
from harness.systems.beside import first, strangers
from harness.systems.specification import Specification
from harness.trial import TrialError, nearest

BuildMachine = Callable[..., Machine]


def load_machine(of: Specification) -> BuildMachine:
    """Raises TrialError, naming what cannot be found and where it was looked for."""
    assert of.machine is not None, "asked only of systems that name one"
    what = f"system {of.name}: the function that builds its machine"
    return cast(BuildMachine, load(of.machine, str(of.here), what))


def load(named: str, here: str, what: str) -> Any:
    """What 'module:name' names, which can be called. `here`: the directory that is searched first.
    `what` it is, for messages. Raises TrialError."""
    module_name, _, name = named.partition(":")
    if not name:
        raise TrialError([f"{what} is {named!r}. Write 'module:name'."])
    try:
        with first(here):
            module: Any = importlib.import_module(module_name)
    except Exception as wrong:  # its own text runs here, and may do anything
        raise TrialError(
            [
                f"{what}: the module {module_name!r} cannot be imported: {_why(wrong)}. It is "
                f"looked for in {here} and where Python looks."
            ]
        ) from wrong
    found = getattr(module, name, None)
    if not callable(found):
        raise TrialError([f"{what}: {module_name!r} has no {name!r} that can be called."])
    _refuse_strangers(Path(here) / f"{module_name.replace('.', '/')}.py", what, module)
    return found


def named(text: str, what: str) -> Any:
    """What 'module:name' or 'FILE.py:name' names; the name may have dots. A relative FILE is one of
    the working directory. Raises TrialError."""
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise TrialError([f"{what} is {text!r}. Write 'FILE.py:name' or 'module:name'."])
    module = _module_of_file(Path(place), what) if place.endswith(".py") else _module(place, what)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            offered = [known for known, thing in vars(module).items() if callable(thing)]
            raise TrialError([f"{what}: {place} has no {name!r}. {nearest(name, offered)}"])
        found = getattr(found, part)
    return found


def _module(name: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as wrong:  # its own text runs here, and may do anything
        raise TrialError(
            [f"{what}: the module {name!r} cannot be imported: {_why(wrong)}."]
        ) from wrong


def file_of(name: str) -> Path | None:
    """Where a module comes from that is loaded already, or would be imported now."""
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        file = None if spec is None or not spec.has_location else spec.origin
    return Path(file) if file is not None and file.endswith(".py") else None


def module_name(path: Path) -> str:
    """Of a file, with those of the packages it lies in."""
    name, root = path.stem, path.parent
    while (root / "__init__.py").is_file():
        name, root = f"{root.name}.{name}", root.parent
    return name


def _module_of_file(path: Path, what: str) -> ModuleType:
    path = Path(os.path.normpath(path.absolute()))
    if not path.is_file():
        raise TrialError([f"{what}: there is no file {path}."])
    module = _loaded(path)
    if module is None:
        try:
            module = _imported(path)
        except Exception as wrong:  # as above
            raise TrialError([f"{what}: {path} cannot be imported: {_why(wrong)}."]) from wrong
    _refuse_strangers(path, what, module)
    return module


def _loaded(path: Path) -> ModuleType | None:
    """The module that this file is already, by whatever path."""
    for loaded in list(sys.modules.values()):
        file = getattr(loaded, "__file__", None)
        if isinstance(file, str) and file.endswith(path.name) and Path(file).name == path.name:
            with contextlib.suppress(OSError):
                if path.samefile(file):
                    return loaded
    return None


def _imported(path: Path) -> ModuleType:
    name = module_name(path)
    root = path.parents[name.count(".")]
    with first(str(root)):
        if "." in name:
            return importlib.import_module(name)
        if name in sys.modules or name in sys.stdlib_module_names:  # of the same name, elsewhere
            name = f"{name}_{sha256(str(path).encode()).hexdigest()[:8]}"
        spec = spec_from_file_location(name, path)
        assert spec is not None, "the name ends in .py"
        assert spec.loader is not None
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return module


def _refuse_strangers(path: Path, what: str, module: ModuleType) -> None:
    """Raises TrialError where the file, or what it imports, is another one than lies there."""
    found = strangers(path, module)
    if found:
        raise TrialError(
            [
                f"{what}: {beside} is meant by 'import {name}', and the module {name!r} of this "
                f"process is {other}. Rename one, or test them in processes of their own."
                for name, beside, other in found
            ]
        )


def _why(wrong: Exception) -> str:
    return f"{wrong}" if isinstance(wrong, ImportError) else f"{type(wrong).__name__}: {wrong}"
