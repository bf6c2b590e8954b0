"""Consensus protocols as subjects of the theorem: processes with a one-bit input, and the gallery.

Rules
1. A process is a machine that is built knowing its name, its peers, its bit and a generator, and
   decides by Trace("decide", {"value": bit}), once (T30).
2. A subject has two forms. The free one is the protocol; chance and the adversary play with it. The
   bounded one has finitely many configurations (fewer rounds, fewer time-outs) and is explored
   completely; what the bound takes away, and nothing else, may differ.
3. An initial configuration is that of a vector of bits, with no message in flight: nobody has taken
   a step. The first step of a process, whether it receives something or not, starts its machine
   (Waking); a process that never takes one has told nobody its bit.

Source: Fischer, Lynch and Paterson 1985, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from random import Random

import msgspec

from harness.exploration.configuration import World
from harness.exploration.gallery.ben_or import BenOr
from harness.exploration.gallery.paxos import Paxos
from harness.exploration.gallery.rotating import RotatingCoordinator
from harness.exploration.gallery.voting import FirstMajority, FirstMessage, WaitForAll
from harness.exploration.system import Limits, System
from harness.machine import CancelTimer, Effect, Event, Machine, Recover, SetTimer, Timeout

WAKE = "wake"

# build(name, peers, bit, rng): the machine of a process.
Build = Callable[[str, Sequence[str], int, Random], Machine]
Bits = tuple[int, ...]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol to look at. `bounded`: the form explored completely, `build` if it is finite;
    `bound`: in words. `timeouts`: how many time-outs the bounded form may see in one run, all
    processes together; None if it is finite without a limit. `relaxations`: those of the model that
    it can use, by name (harness.exploration.relaxations); None: all are tried. `gives_up`: the
    premise of the theorem that it breaks."""

    name: str
    build: Build
    bounded: Build | None = None
    bound: str = ""
    timeouts: int | None = 2
    processes: int = 3
    relaxations: tuple[str, ...] | None = None
    gives_up: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"n{i}" for i in range(1, self.processes + 1))

    def inputs(self) -> list[Bits]:
        """Every vector of input bits, in the order of counting."""
        return list(product((0, 1), repeat=self.processes))

    def machine(self, name: str, bits: Bits, rng: Random) -> Machine:
        """A process of the free form, asleep."""
        return _machine(self.build, self.names, bits)(name, rng)


def bounded_form(subject: Subject) -> Subject:
    """The subject whose free form is the bounded one."""
    return msgspec.structs.replace(subject, build=subject.bounded or subject.build)


class MachineRaised(Exception):
    """A handler raised, which no machine may (harness.machine, rule 4): its author is at fault."""


class Waking:
    """`machine`, started by the first step of its process instead of before everything."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._awake = False

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        """Raises MachineRaised for whatever the machine raised."""
        try:
            return self._handle(event, now)
        except Exception as wrong:
            text = f"the machine raised {type(wrong).__name__} ({wrong}) when it handled {event}"
            raise MachineRaised(text) from wrong

    def _handle(self, event: Event, now: float) -> Sequence[Effect]:
        if isinstance(event, Recover):
            return (SetTimer(WAKE, 0.0),)
        if self._awake:
            return self._machine.handle(event, now)
        self._awake = True
        effects = list(self._machine.handle(Recover(()), now))
        if isinstance(event, Timeout) and event.name == WAKE:
            return effects
        return [CancelTimer(WAKE), *effects, *self._machine.handle(event, now)]


def free_world(subject: Subject, bits: Bits) -> World:
    """The protocol as it is: time-outs without limit."""
    return World(_system(subject.build, subject.names, bits), Limits(timeouts=None))


def bounded_world(subject: Subject, bits: Bits) -> World:
    """The form of it that has finitely many configurations."""
    build = subject.bounded or subject.build
    wakings = subject.processes
    timeouts = None if subject.timeouts is None else subject.timeouts + wakings
    return World(_system(build, subject.names, bits), Limits(timeouts=timeouts))


def _system(build: Build, names: tuple[str, ...], bits: Bits) -> System:
    return System(processes=names, build=_machine(build, names, bits))


def _machine(build: Build, names: tuple[str, ...], bits: Bits) -> Callable[[str, Random], Machine]:
    bit_of = dict(zip(names, bits, strict=True))

    def machine(name: str, rng: Random) -> Machine:
        return Waking(build(name, tuple(n for n in names if n != name), bit_of[name], rng))

    return machine


_BALLOTS = {"n1": 1, "n2": 1}  # the others only accept


def _rotating(rounds: int | None) -> Build:
    def build(name: str, peers: Sequence[str], bit: int, _rng: Random) -> Machine:
        return RotatingCoordinator(name, peers, bit, rounds)

    return build


def _subjects() -> tuple[Subject, ...]:
    return (
        Subject(
            name="wait-for-all",
            build=lambda name, peers, bit, _rng: WaitForAll(name, peers, bit),
            relaxations=(),
            gives_up="tolerance of a fault: one process that stops is waited for for ever",
        ),
        Subject(
            name="first-majority",
            build=lambda name, peers, bit, _rng: FirstMajority(name, peers, bit),
            relaxations=(),
            gives_up="agreement: two majorities overlap, and their votes differ all the same",
        ),
        Subject(
            name="first-message",
            build=lambda name, peers, bit, _rng: FirstMessage(name, peers, bit),
            relaxations=(),
            gives_up="agreement: everybody believes whom it hears first",
        ),
        Subject(
            name="ben-or",
            build=lambda name, peers, bit, rng: BenOr(name, peers, bit, rng),
            bounded=lambda name, peers, bit, rng: BenOr(name, peers, bit, rng, rounds=1),
            bound="one round",
            timeouts=None,
            relaxations=("chance",),
            gives_up="determinism: it ends with probability 1, and never for certain",
        ),
        Subject(
            name="paxos",
            build=lambda name, peers, bit, _rng: Paxos(name, peers, bit),
            bounded=lambda name, peers, bit, _rng: Paxos(name, peers, bit, _BALLOTS.get(name, 0)),
            bound="one ballot each of n1 and n2",
            timeouts=None,
            relaxations=("bounded-delay", "detector", "lockstep"),
            gives_up="termination: proposers can outbid each other for ever",
        ),
        Subject(
            name="rotating-coordinator",
            build=_rotating(None),
            bounded=_rotating(2),
            bound="two rounds",
            timeouts=None,
            relaxations=("bounded-delay", "detector", "lockstep"),
            gives_up="asynchrony: its failure detector is right in the end, which needs a clock",
        ),
    )


GALLERY: dict[str, Subject] = {subject.name: subject for subject in _subjects()}
