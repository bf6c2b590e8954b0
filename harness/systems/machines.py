"""Finding what a system's file names in Python: the function that builds its nodes as machines, or
the class of its clients.

A file says `machine: module:function`. The module is imported as Python does, with the directory of
the file searched first: a user's own system need not be installed. The function takes `name`,
`peers`, `rng`, `workload` and `options` by name and returns a machine (harness.machine).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, cast

from harness.machine import Machine
from harness.systems.specification import Specification
from harness.trial import TrialError

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
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module: Any = importlib.import_module(module_name)
    except Exception as wrong:  # its own text runs here, and may do anything
        why = f"{wrong}" if isinstance(wrong, ImportError) else f"{type(wrong).__name__}: {wrong}"
        raise TrialError(
            [
                f"{what}: the module {module_name!r} cannot be imported: {why}. It is looked for "
                f"in {here} and where Python looks."
            ]
        ) from wrong
    found = getattr(module, name, None)
    if not callable(found):
        raise TrialError([f"{what}: {module_name!r} has no {name!r} that can be called."])
    return found
