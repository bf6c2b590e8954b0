"""Finding what to explore: a protocol of the gallery, or something of one's own.

A function of one's own builds the machine of a process: then it is a protocol with one-bit inputs.
Or it takes nothing and gives a System or a World: then it is searched, and has no inputs to vary.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import msgspec

from harness.exploration.configuration import Limits, System, World
from harness.exploration.protocols import GALLERY, Build, Subject
from harness.machine import Machine
from harness.trial import TrialError, nearest

HOW = (
    "Give a name of the gallery, or module:function or path.py:function of a function "
    "(name, peers, bit) or (name, peers, bit, rng) that builds the machine of a process, or of one "
    "without arguments that gives a System or a World."
)
TIMEOUTS = 2  # of a System that comes without limits


def target_of(target: str, processes: int | None = None) -> Subject | World:
    """What a target names; `processes`: how many, if not as a protocol says itself. Raises
    TrialError with what is wrong and what to do."""
    if ":" in target:
        own = _own(target)
        if isinstance(own, World):
            return own
        subject = own
    elif target in GALLERY:
        subject = GALLERY[target]
    else:
        raise TrialError([f"no protocol {target!r}. {nearest(target, GALLERY)} {HOW}"])
    if processes is not None:
        subject = msgspec.structs.replace(subject, processes=processes)
    _try(target, subject)
    return subject


def _own(target: str) -> Subject | World:
    place, _, name = target.rpartition(":")
    module = _module(place)
    found = getattr(module, name, None)
    if found is None:
        names = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        raise TrialError([f"{place} has no {name!r}. {nearest(name, names)}"])
    if isinstance(found, Subject):
        return found
    if not callable(found):
        raise TrialError([f"{target} is a {type(found).__name__}. {HOW}"])
    if not isinstance(found, type) and _arguments(target, found) == (0, 0):
        return _world(target, _run(target, found))
    return Subject(name=target, build=_build(target, found))


def _world(target: str, made: Any) -> World:
    if isinstance(made, World):
        return made
    if isinstance(made, System):
        return World(made, Limits(timeouts=TIMEOUTS))
    raise TrialError([f"{target} gave a {type(made).__name__}. {HOW}"])


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise TrialError([f"no file {place}. {HOW}"])
        spec = importlib.util.spec_from_file_location(path.stem, path)
        loader = None if spec is None else spec.loader
        assert spec is not None, "a file that ends in .py has a loader"
        assert loader is not None, "a file that ends in .py has a loader"
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        _run(place, lambda: loader.exec_module(module))
        return module
    sys.path.insert(0, str(Path.cwd()))
    found: ModuleType = _run(place, lambda: importlib.import_module(place))
    return found


def _run(place: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as wrong:
        text = f"{place} cannot be loaded: {type(wrong).__name__}: {wrong}. {HOW}"
        raise TrialError([text]) from wrong


def _arguments(target: str, function: Callable[..., Any]) -> tuple[int, int]:
    """How many positional arguments it needs, and takes."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise TrialError([f"{target} has no signature that can be read. {HOW}"]) from None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return sum(p.default is p.empty for p in positional), len(positional)


def _build(target: str, function: Callable[..., Machine]) -> Build:
    needed, taken = _arguments(target, function)
    if needed > 4 or taken < 3:
        raise TrialError([f"{target} takes {needed} arguments. {HOW}"])
    if needed == 4:
        return function

    def build(name: str, peers: Sequence[str], bit: int, _rng: Random) -> Machine:
        return function(name, peers, bit)

    return build


def _try(target: str, subject: Subject) -> None:
    """Build each process once: a mistake shows before anything is explored."""
    if not 2 <= subject.processes <= 7:
        raise TrialError([f"--processes {subject.processes}: give 2 to 7"])
    for name in subject.names:
        peers = tuple(n for n in subject.names if n != name)
        try:
            machine = subject.build(name, peers, 0, Random(0))
        except Exception as wrong:
            text = f"{target} cannot build {name}: {type(wrong).__name__}: {wrong}. {HOW}"
            raise TrialError([text]) from wrong
        if not callable(getattr(machine, "handle", None)):
            got = type(machine).__name__
            raise TrialError([f"{target} gave a {got}, which has no method handle. {HOW}"])
