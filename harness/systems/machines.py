"""Finding the function that builds a system's nodes as machines, for the simulated cluster.

A system's file says `machine: module:function`. The module is imported as Python does, with the
directory of the file searched first: a user's own system need not be installed. The function takes
`name`, `peers`, `rng`, `workload` and `options` by name and returns a machine (harness.machine).
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
    module_name, _, name = of.machine.partition(":")
    if not name:
        raise TrialError([f"system {of.name}: machine is {of.machine!r}. Write 'module:function'."])
    here = str(of.here)
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module: Any = importlib.import_module(module_name)
    except ImportError as wrong:
        raise TrialError(
            [
                f"system {of.name}: the module {module_name!r} of its machine cannot be imported: "
                f"{wrong}. It is looked for in {here} and where Python looks."
            ]
        ) from wrong
    function = getattr(module, name, None)
    if not callable(function):
        raise TrialError(
            [f"system {of.name}: {module_name!r} has no function {name!r} that builds a machine."]
        )
    return cast(BuildMachine, function)
