"""The matrix: every mutant hunted by every scheduler, and what the unbroken system does meanwhile.

Rules
1. A hunt is one mutant, one scheduler, one first seed: runs one after the other until one is
   INVALID, or what it may cost is spent. Its runs follow from those three alone, so any number of
   processes finds the same, as long as runs are what ends a hunt.
2. Costs are runs and seconds of one processor, not of the clock on the wall: the machine may be
   shared.
3. Whoever finds mutants must not find them everywhere: the unbroken system goes through the same
   trials, and must break no law in any.
4. A mutant counts as found where a run of it is INVALID by a checker or law that its catalogue
   names. Whatever else says so may be a false alarm, which would find every mutant in the same
   run: the hunt goes on, and the stray is told.

Sources: Jia and Harman 2011, "An Analysis and Survey of the Development of Mutation Testing": a
test is worth what it finds of bugs that were put in on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, product
from statistics import median

import msgspec

from checkers.laws import LAWS
from checkers.verdict import Kind
from harness import swarm
from harness.cases import Case
from harness.catalogue import Entry
from harness.clock import NS_PER_S, cpu_ns
from harness.search.schedulers import SCHEDULERS
from harness.shrink import NotFailing, shrink
from harness.simulate import CANNOT_RUN
from harness.swarm import Found, Result, Troubled

SEEDS_APART = 100_000  # between the first seeds of two hunts: neither gets to those of the other
SPELL_RUNS = 25  # of the unbroken system in one process, or a whole campaign of its scheduler
REFERENCE_FACTOR = 10  # runs of the unbroken system for each that the hunts took
TROUBLE_MAX = 20  # runs of a hunt that cannot be carried out, before it is given up


# --- hunting ---


class Hunt(msgspec.Struct, frozen=True, kw_only=True):
    """One to go on. `runs`: at most so many, None without limit; `cpu_s`: likewise, of one
    processor. One of the two must be given."""

    mutant: Entry
    scheduler: str
    first: int
    runs: int | None = None
    cpu_s: float | None = None

    def over(self, runs: int, cpu_s: float) -> bool:
        return (self.runs is not None and runs >= self.runs) or (
            self.cpu_s is not None and cpu_s >= self.cpu_s
        )


class Hunted(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. `found`: the run that was INVALID; None where the hunt was in vain. `stray`:
    the first run that was INVALID by others than the catalogue names, in words; `trouble`: the
    first that could not be carried out; both empty without."""

    hunt: Hunt
    runs: int
    cpu_s: float
    found: Found | None
    troubled: int = 0
    trouble: str = ""
    stray: str = ""


def hunt(asked: Hunt) -> Hunted:
    """Carry it out. Raises TrialError where the catalogue names a workload or an option that the
    system does not have."""
    base, fixed = swarm.base_of(None, asked.mutant.settings())
    began_ns = cpu_ns()
    runs, spent_s = 0, 0.0
    found: Found | None = None
    troubled: list[Troubled] = []
    stray = ""
    for result in SCHEDULERS[asked.scheduler].runs(base, fixed, asked.first):
        runs += 1
        spent_s = (cpu_ns() - began_ns) / NS_PER_S
        if isinstance(result, Found):
            by = result.fingerprint.seen_by
            if not set(asked.mutant.caught_by).isdisjoint(by):
                found = result
                break
            stray = stray or f"seed {result.seed}: {', '.join(by)}: {result.summary}"
        if isinstance(result, Troubled):
            troubled.append(result)
        if asked.over(runs, spent_s) or len(troubled) >= TROUBLE_MAX:
            break
    trouble = f"seed {troubled[0].seed}: {troubled[0].trouble}" if troubled else ""
    return Hunted(hunt=asked, runs=runs, cpu_s=spent_s, found=found, trouble=trouble, stray=stray)


def lost_hunt(asked: Hunt, code: int | None) -> Hunted:
    """What is known of a hunt whose process ended."""
    trouble = f"its process ended with code {code}"
    return Hunted(hunt=asked, runs=0, cpu_s=0.0, found=None, trouble=trouble)


def seen_by(mutant: Entry, found: Found) -> tuple[str, ...]:
    """The checkers that said INVALID: those that the catalogue names, laws, the others."""
    said = found.fingerprint.seen_by
    order = [*mutant.caught_by, *(law.name for law in LAWS)]
    return tuple(sorted(said, key=lambda name: order.index(name) if name in order else len(order)))


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant under a scheduler. `hunts`: one for each first seed, none left out. `shrunk`: the
    failure of the typical hunt made small; None where that was not asked for, or went wrong."""

    hunts: tuple[Hunted, ...]
    shrunk: Small | None = None

    @property
    def mutant(self) -> Entry:
        return self.hunts[0].hunt.mutant

    @property
    def scheduler(self) -> str:
        return self.hunts[0].hunt.scheduler

    @property
    def caught(self) -> tuple[Hunted, ...]:
        return tuple(hunted for hunted in self.hunts if hunted.found is not None)

    @property
    def typical(self) -> Hunted:
        """The median by runs, a hunt in vain being longer than any other."""
        ordered = sorted(self.hunts, key=lambda hunted: (hunted.found is None, hunted.runs))
        return ordered[(len(ordered) - 1) // 2]

    @property
    def cpu_s(self) -> float:
        """The median; of hunts in vain what was spent, so it is then no more than a lower bound."""
        return median(hunted.cpu_s for hunted in self.hunts)

    @property
    def said(self) -> dict[str, int]:
        """Who said INVALID, the surest first, and in how many of the hunts that found it."""
        counted: dict[str, int] = {}
        for hunted in self.caught:
            assert hunted.found is not None
            for name in seen_by(self.mutant, hunted.found):
                counted[name] = counted.get(name, 0) + 1
        named = self.mutant.caught_by
        return dict(sorted(counted.items(), key=lambda said: (said[0] not in named, -said[1])))


# --- making what was found small ---


class Small(msgspec.Struct, frozen=True):
    """How many choices a failure wrote down, before it was made small and after; the law kept."""

    law: str
    before: int
    after: int


class Shrink(msgspec.Struct, frozen=True):
    """One to be made small. `limit_s`: of real time."""

    case: Case
    law: str
    limit_s: float


def shrink_of(cell: Cell, limit_s: float) -> Shrink | None:
    """What to make small of a cell: the typical failure, by the first law that its catalogue names
    among those that were broken."""
    hunted = cell.typical if cell.typical.found is not None else next(iter(cell.caught), None)
    if hunted is None or hunted.found is None:
        return None
    law = seen_by(cell.mutant, hunted.found)[0]
    return Shrink(hunted.found.case, law, limit_s)


def make_small(asked: Shrink) -> Small | None:
    """None where it cannot be done: the table then has a gap, and the failure stands as it is."""
    try:
        came = shrink(asked.case, asked.law, asked.limit_s)
    except (NotFailing, *CANNOT_RUN):
        return None
    return Small(asked.law, came.before, came.after)


# --- the unbroken system ---


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """So many runs of the unbroken system, where this mutant was hunted, and as it was."""

    mutant: Entry
    scheduler: str
    first: int
    runs: int


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What they came to. `idle`: they exercised too little to be judged."""

    valid: int = 0
    idle: int = 0
    unknown: tuple[str, ...] = ()
    troubled: tuple[str, ...] = ()
    alarms: tuple[Found, ...] = ()
    cpu_s: float = 0.0

    @property
    def runs(self) -> int:
        others = len(self.unknown) + len(self.troubled) + len(self.alarms)
        return self.valid + self.idle + others

    def plus(self, other: Spent) -> Spent:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        names = self.__struct_fields__
        return Spent(**{n: a + b for n, a, b in zip(names, mine, theirs, strict=True)})


def spells(mutants: Sequence[Entry], names: Sequence[str], runs: int, first: int) -> list[Spell]:
    """So many runs of the unbroken system, over the trials of these mutants in turn, by the
    schedulers of these names; of the last the beginning of a spell."""
    at_home: dict[tuple[object, ...], Entry] = {}
    for mutant in mutants:
        home = (mutant.system, mutant.workload, *sorted(mutant.options.items()))
        at_home.setdefault(home, mutant)
    found: list[Spell] = []
    left = runs
    for turn in count():
        for mutant, name in product(at_home.values(), names):
            if left <= 0:
                return found
            length = max(SPELL_RUNS, SCHEDULERS[name].campaign)
            from_ = first + turn * length
            found.append(Spell(mutant=mutant, scheduler=name, first=from_, runs=min(length, left)))
            left -= length
    raise AssertionError("turns do not end")


def spend(asked: Spell) -> Spent:
    """Carry them out. Raises TrialError as `hunt` does."""
    base, fixed = swarm.base_of(None, asked.mutant.settings(broken=False))
    began_ns = cpu_ns()
    came = Spent()
    for result in SCHEDULERS[asked.scheduler].runs(base, fixed, asked.first):
        came = came.plus(_judged(result))
        if came.runs >= asked.runs:
            break
    return msgspec.structs.replace(came, cpu_s=(cpu_ns() - began_ns) / NS_PER_S)


def _judged(result: Result) -> Spent:
    if isinstance(result, Found):
        return Spent(alarms=(result,))
    if isinstance(result, Troubled):
        return Spent(troubled=(f"seed {result.seed}: {result.trouble}",))
    if result.cause == "coverage":
        return Spent(idle=1)
    if result.kind is Kind.UNKNOWN:
        return Spent(unknown=(f"seed {result.seed}: {result.why}",))
    return Spent(valid=1)


def lost_spell(asked: Spell, code: int | None) -> Spent:
    """What is known of runs whose process ended."""
    return Spent(troubled=(f"seeds from {asked.first}: their process ended with code {code}",))
