"""Freezing: the state of a machine as a value that can be hashed and compared.

Rules
1. Two machines freeze to equal values only if no sequence of events can tell them apart. What may
   matter is kept: the order of a dict (a machine may iterate over it), the type of a number, which
   attributes share one mutable object. The order of a set is not kept: it depends on the hash seed,
   and a machine that lets it matter is not deterministic (harness.machine, rule 1).
2. What cannot be seen is refused by name and place, never skipped: a part of the state that is left
   out merges configurations that differ, and the exploration would be complete in name only.
3. A mutable object met again is named by the path on which it was met first: so cycles end, and
   sharing is part of the value.
4. Copies of a machine must not share what can change. copy.deepcopy shares functions, so a function
   that captured something mutable is refused; a bound method is copied with its object.
"""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from enum import Enum
from random import Random
from struct import calcsize
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Generic, Protocol

import msgspec

Frozen = Any  # hashable
Path = tuple[Any, ...]

_ATOMS = (int, str, bytes, type(None))
_TAGGED = (bool, float, complex)  # equal to some int, or (nan) not even to themselves
_NAMED = (type, Enum, ModuleType)
_SCALARS = (int, str, bytes, float)
_CONTAINERS = (dict, OrderedDict, defaultdict, list, tuple, deque, bytearray, functools.partial)
# Written in C, yet nothing is hidden in them: what they hold is read by _contents or as attributes.
_SEEN_THROUGH = (*msgspec.Struct.__mro__, Generic, Protocol, *_CONTAINERS, *_SCALARS)


class Unfreezable(TypeError):
    """A machine keeps something whose state cannot be seen, or that its copies would share."""

    def __init__(self, value: Any, path: Path, why: str) -> None:
        place = ".".join(str(part) for part in path) or "the whole"
        super().__init__(
            f"{place} is a {type(value).__qualname__}, {why}. Keep plain values, containers and "
            "objects of them in a machine that is to be explored, or name the attribute in "
            "System.unseen if no decision depends on it."
        )


class Names(tuple[str, ...]):
    """Names of attributes: part of a frozen object's shape, never renamed."""

    __slots__ = ()


class Again(tuple[Any, ...]):
    """A mutable object met before, by the path of the first meeting."""

    __slots__ = ()


class Opaque:
    """Marks a type whose instances carry no state: they freeze to their type."""


def freeze(value: Any, unseen: frozenset[str] = frozenset()) -> Frozen:
    """`value` as a hashable value: atoms as they are, anything else as a tuple that opens with its
    type. `unseen`: attributes left out, as "Class.attribute". Raises Unfreezable."""
    return _Freezer(unseen).freeze(value, ())


class _Freezer:
    """One traversal. It holds the objects met, so that no identity is used twice."""

    def __init__(self, unseen: frozenset[str]) -> None:
        self._unseen = unseen
        self._met: dict[int, tuple[Any, Path]] = {}

    def freeze(self, value: Any, path: Path) -> Frozen:
        kind: Any = type(value)
        if kind in _ATOMS or isinstance(value, _NAMED):
            return value
        if kind in _TAGGED:
            return (kind, repr(value))
        if isinstance(value, Opaque):
            return kind
        if isinstance(value, FunctionType | BuiltinFunctionType):
            return self._function(value, path)
        if not _is_value_type(kind):
            met = self._met.get(id(value))
            if met is not None:
                return Again(met[1])
            self._met[id(value)] = (value, path)
        return (kind, *self._contents(value, path), *self._attributes(value, path))

    def _contents(self, value: Any, path: Path) -> Iterable[Frozen]:
        """What a container holds, its attributes aside."""
        if isinstance(value, dict):
            for key, item in value.items():
                frozen = self._element(key, path)
                yield (frozen, self.freeze(item, (*path, frozen)))
            if isinstance(value, defaultdict):
                yield self.freeze(value.default_factory, (*path, "default_factory"))
        elif isinstance(value, list | tuple | deque):
            for position, item in enumerate(value):
                yield self.freeze(item, (*path, position))
            if isinstance(value, deque):
                yield value.maxlen
        elif isinstance(value, set | frozenset):
            yield frozenset(self._element(item, path) for item in value)
        elif isinstance(value, MethodType):
            yield value.__func__
            yield self.freeze(value.__self__, (*path, "self"))
        elif isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            yield self.freeze(parts, (*path, "partial"))
        elif isinstance(value, Random):
            yield value.getstate()
        elif isinstance(value, bytearray):
            yield bytes(value)
        else:
            yield from (base.__repr__(value) for base in _SCALARS if isinstance(value, base))

    def _element(self, item: Any, path: Path) -> Frozen:
        """A member of a set or a key: found again in a copy only if it compares by its value."""
        if not _compares_by_value(type(item)) and not isinstance(item, _NAMED):
            raise Unfreezable(item, (*path, "a member"), "compared by identity, which no copy has")
        return freeze(item, self._unseen)

    def _attributes(self, value: Any, path: Path) -> Iterable[Frozen]:
        kind: Any = type(value)
        if kind in _BARE:
            return
        if not _sees_all(kind):
            raise Unfreezable(value, path, "whose state cannot be seen")
        present = {name: getattr(value, name) for name in _slots(kind) if hasattr(value, name)}
        present.update(getattr(value, "__dict__", {}))
        seen = [name for name in sorted(present) if f"{kind.__name__}.{name}" not in self._unseen]
        yield Names(seen)
        for name in seen:
            yield self.freeze(present[name], (*path, name))

    def _function(self, value: FunctionType | BuiltinFunctionType, path: Path) -> Frozen:
        """A function is its code and what it captured."""
        if isinstance(value, BuiltinFunctionType):
            if not isinstance(value.__self__, ModuleType | type | None):
                raise Unfreezable(value, path, "a method of an object that copies would share")
            return value
        captured = (*(cell.cell_contents for cell in value.__closure__ or ()),)
        captured += (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        for item in captured:
            if not _is_value(item):
                why = (
                    f"which captured a {type(item).__qualname__}: copies of the machine would "
                    "share it. A bound method is copied with its object"
                )
                raise Unfreezable(value, path, why)
        inner = (freeze(item, self._unseen) for item in captured)
        return (FunctionType, value.__code__, *inner)


# Nothing but _contents to see in these, for they have no attributes of their own.
_BARE = frozenset({*_CONTAINERS, set, frozenset, MethodType, Random} - {functools.partial})


def _is_value(item: Any) -> bool:
    """Is it safe to share: can it never change?"""
    kind: Any = type(item)
    if isinstance(item, (*_ATOMS, *_TAGGED, *_NAMED, Opaque, BuiltinFunctionType)):
        return True
    if isinstance(item, FunctionType):
        return all(_is_value(cell.cell_contents) for cell in item.__closure__ or ())
    if isinstance(item, tuple | frozenset):
        return all(map(_is_value, item))
    return _is_value_type(kind) and all(_is_value(getattr(item, name)) for name in _fields(kind))


@functools.cache
def _is_value_type(kind: Any) -> bool:
    """A type whose instances do not change, so that it does not matter which of them are one."""
    config = getattr(kind, "__struct_config__", None) or getattr(kind, "__dataclass_params__", None)
    if config is not None:
        return bool(config.frozen)
    return issubclass(kind, (tuple, frozenset, *_SCALARS))


def _compares_by_value(kind: Any) -> bool:
    return kind.__eq__ is not object.__eq__


def _fields(kind: type) -> tuple[str, ...]:
    return (*getattr(kind, "__struct_fields__", ()), *getattr(kind, "__dataclass_fields__", ()))


@functools.cache
def _sees_all(kind: Any) -> bool:
    """Is all state of an instance in attributes, or in a container that _contents reads?"""
    return all(base in _SEEN_THROUGH or base in _BARE or not _hides(base) for base in kind.__mro__)


def _hides(kind: Any) -> bool:
    """Does a type, written in C, add fields to its instances that are no attributes? Then they are
    larger than slots, dictionary and weak references account for; copyreg tells it the same way."""
    parent = kind.__base__
    pointers = len(_declared_slots(kind))
    pointers += kind.__dictoffset__ > 0 and parent.__dictoffset__ == 0
    pointers += kind.__weakrefoffset__ > 0 and parent.__weakrefoffset__ == 0
    return bool(kind.__basicsize__ - parent.__basicsize__ > pointers * calcsize("P"))


@functools.cache
def _slots(kind: Any) -> tuple[str, ...]:
    names = [name for base in kind.__mro__ for name in _declared_slots(base)]
    names.extend(getattr(kind, "__struct_fields__", ()))
    return tuple(dict.fromkeys(names))


def _declared_slots(kind: Any) -> list[str]:
    declared = kind.__dict__.get("__slots__", ())
    names = (declared,) if isinstance(declared, str) else declared
    return [name for name in names if name not in ("__dict__", "__weakref__")]
