"""Making a failing case small: few clients, faults, operations and choices break its law still.

Rules
1. Every step is tried by carrying it out: a smaller case is kept only if the same law is broken in
   it. What the result is, it is by itself; nothing rests on how it was found.
2. The case is first made explicit, so that leaving something out leaves the rest as it was. A
   number that is left out counts as 0, the plainest that could happen.
3. Big pieces go first: the time after the violation, whole clients, whole faults, whole streams of
   choices; then halves, quarters, single ones; round after round until nothing goes, or the time
   is up. The result then is what was reached.
4. It goes down twice, from the same case: with operations before chance, and the other way round.
   Numbers lose their places when an operation goes, and operations take over for numbers that are
   gone (with every delay the same, only the twentieth meets another): neither order is the better
   one. Of the two results the one stays that is shorter to read.
5. The world is never made worse than what it was. A law of safety holds in every world that the
   trial allows, so all may go that is not needed to break it. A law of liveness says that a system
   recovers from faults, and is broken by whatever keeps it from trying: the recovery and the final
   phase, with the nodes that are asked in it, stay whole, and so does the luck of the machines
   (nodes that all take the least of their time-outs may stand for election together for ever).
   The damage of disks stays whole for any law: 0 is not the plainest there, but the last record,
   which no node can tell from one that a crash cut short.

Sources: Zeller and Hildebrandt 2002, "Simplifying and Isolating Failure-Inducing Input" (ddmin);
MacIver and Donaldson 2020 on shrinking the choices of a run instead of its results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from checkers.compose import check_all
from checkers.consensus import Termination
from checkers.laws import LAWS
from checkers.laws import Laws as LawsChecker
from harness import smaller
from harness.cases import Case
from harness.clock import NS_PER_S, monotonic_ns
from harness.fingerprint import fingerprint
from harness.simulate import CANNOT_RUN, Simulated, simulate
from harness.simulation.choices import MACHINE
from harness.smaller import Counts, counts

T = TypeVar("T")

TIME_LIMIT_S = 30.0
CHECK_LIMIT_S = 5.0  # for judging one candidate: what takes longer is not smaller to a reader
GAP_NS = 10_000_000  # shorter stretches of idle time are left as they are
BISECTION_NS = NS_PER_S // 50
PIECES = 8  # of anything, in the first round
NODES_MIN = 3  # fewer are no cluster that loses a node and goes on
LIVENESS = frozenset({Termination.name})
DAMAGE = " damage"  # how the names of the streams of damage to disks end (rule 5)


class NotFailing(Exception):
    """The case does not break the law in the first place. The message says what it does."""


class Shrunk(msgspec.Struct, frozen=True, kw_only=True):
    """`before`, `after`: the choices that the case writes down; `counts_*`: of what, `messages_*`:
    delivered between nodes. `runs`: how many were carried out. `ended`: nothing more could go;
    False where the time was up or it was told to stop."""

    case: Case
    law: str
    before: int
    after: int
    counts_before: Counts
    counts_after: Counts
    messages_before: int
    messages_after: int
    runs: int
    seconds: float
    ended: bool


# Hears after each run of a candidate: the best so far, and how many were carried out.
Told = Callable[[Case, int], None]


def shrink(
    case: Case,
    law: str,
    time_limit_s: float = TIME_LIMIT_S,
    *,
    told: Told = lambda _case, _runs: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Shrunk:
    """A smaller case that breaks the same law. `stopped`: asked before each run; True ends it with
    the best so far. Raises NotFailing if the case does not break the law, and what `simulate`
    raises for it."""
    return _Shrinker(case, law, time_limit_s, told, stopped).run()


def broken_laws(simulated: Simulated) -> tuple[str, ...]:
    """The laws and checkers that a run breaks; empty if none."""
    found = fingerprint(simulated.verdict())
    return () if found is None else found.seen_by


def breaks(simulated: Simulated, law: str) -> bool:
    """Does the run break this law? Only the checker that judges it is asked."""
    of_trace = law in {known.name for known in LAWS}
    asked = [
        checker
        for checker in simulated.checkers
        if isinstance(checker, LawsChecker) is of_trace and (of_trace or checker.name == law)
    ]
    if not asked:  # a part of a checker with a name of its own
        return law in broken_laws(simulated)
    found = fingerprint(check_all(asked, simulated.recording))
    return found is not None and law in found.seen_by


class _Over(Exception):
    """The time is up, or somebody wants what there is."""


class _Shrinker:
    def __init__(
        self, case: Case, law: str, time_limit_s: float, told: Told, stopped: Callable[[], bool]
    ) -> None:
        self._law = law
        self._alive = law in LIVENESS
        self._told, self._stopped = told, stopped
        self._began_ns = monotonic_ns()
        self._end_ns = self._began_ns + round(time_limit_s * NS_PER_S)
        self._runs = 0
        self._coarse = True
        self._tried: dict[bytes, int | None] = {}  # messages delivered; None where it held
        simulated = simulate(case)
        laws = broken_laws(simulated)
        if law not in laws:
            raise NotFailing(f"the case breaks {', '.join(laws) or 'nothing'}, and not {law}")
        self._original = self._best = simulated.explicit
        self._messages = simulated.deliveries
        if not self._keeps(self._original):
            raise NotFailing(
                f"the case breaks {law}, and not any more with all that it drew written down: "
                "its system is not deterministic (see replay --check-determinism), or this is a "
                "bug of antipaxos: then please report it"
            )

    def run(self) -> Shrunk:
        ended, reached = True, []
        streams, operations = self._drop_streams, self._drop_operations
        try:
            for order in ((streams, operations), (operations, streams)):
                self._best = self._original
                self._descend(order)
                reached.append(self._best)
        except _Over:
            ended = False
            reached.append(self._best)
        best = min(reached, key=counts)
        return Shrunk(
            case=best,
            law=self._law,
            before=self._original.size(),
            after=best.size(),
            counts_before=counts(self._original),
            counts_after=counts(best),
            messages_before=self._messages,
            messages_after=self._tried[_key(best)] or 0,
            runs=self._runs,
            seconds=(monotonic_ns() - self._began_ns) / NS_PER_S,
            ended=ended,
        )

    def _descend(self, order: Sequence[Callable[[], None]]) -> None:
        """What makes runs short comes first: all that follows is tried on those."""
        before, self._coarse = None, True
        while before != self._best or self._coarse:
            # The first round takes only large pieces: where most of a case is needed, trying each
            # operation would use up the time before any number is looked at.
            self._coarse = before is None
            before = self._best
            self._end_sooner()
            self._drop_final()
            self._drop_workers()
            self._drop_faults()
            self._drop_nodes()
            for step in order:
                step()
            self._drop_choices()
            self._shorten_faults()
            self._close_gaps()
            self._tidy()

    # --- trying ---

    def _keeps(self, case: Case) -> bool:
        """Is the law still broken? Then it is the best so far."""
        key = _key(case)
        if key not in self._tried:
            # The original is carried out whatever the limit: without it there is no result.
            if self._tried and (self._stopped() or monotonic_ns() >= self._end_ns):
                raise _Over
            self._tried[key] = self._tell(case)
            self._told(self._best, self._runs)
        if self._tried[key] is None:
            return False
        self._best = case
        return True

    def _tell(self, case: Case) -> int | None:
        """How many messages were delivered in a run that breaks the law; None for any other."""
        self._runs += 1
        limit_s = min(case.trial.check_time_limit_s, CHECK_LIMIT_S)
        trial = msgspec.structs.replace(case.trial, check_time_limit_s=limit_s)
        try:
            simulated = simulate(msgspec.structs.replace(case, trial=trial))
        except CANNOT_RUN:
            return None  # it cannot be carried out: something else is wrong with it
        return simulated.deliveries if breaks(simulated, self._law) else None

    def _fewer(self, items: Sequence[T], having: Callable[[Sequence[T]], Case]) -> None:
        """ddmin: leave out chunks, ever smaller ones. `having(items)` is the case with those."""
        kept = list(items)
        size = len(kept)
        least = max(1, size // PIECES) if self._coarse else 1
        while size >= least and kept:
            at = 0
            while at < len(kept):
                fewer = kept[:at] + kept[at + size :]
                if self._keeps(having(fewer)):
                    kept = fewer
                else:
                    at += size
            size //= 2

    # --- the pieces ---

    def _end_sooner(self) -> None:
        """The shortest beginning of the run that still fails, by bisection."""
        low, high = 0, round(smaller.faults_of(self._best).duration_s * NS_PER_S)
        while high - low > BISECTION_NS:
            middle = (low + high) // 2
            if self._keeps(smaller.until(self._best, middle)):
                high = middle
            else:
                low = middle

    def _drop_final(self) -> None:
        if self._alive:
            return
        trial = msgspec.structs.replace(self._best.trial, recovery_s=0.0)
        ending = msgspec.structs.replace(self._best, trial=trial)
        if not self._keeps(smaller.with_script(ending, smaller.script_of(ending).load, ())):
            self._keeps(ending)

    def _drop_workers(self) -> None:
        workers = sorted({line.worker for line in smaller.lines_of(self._best)})

        def having(kept: Sequence[int]) -> Case:
            script = smaller.script_of(self._best)
            load = [line for line in script.load if line.worker in kept]
            final = [line for line in script.final if line.worker in kept]
            return smaller.with_script(self._best, load, script.final if self._alive else final)

        self._fewer(workers, having)

    def _drop_faults(self) -> None:
        ids = [s.id for s in smaller.faults_of(self._best).steps if s.action == "start"]
        self._fewer(ids, lambda kept: smaller.only_faults(self._best, kept))
        self._keeps(smaller.without_idle_end(self._best))

    def _drop_streams(self) -> None:
        names = sorted(self._best.choices or {})
        loose = [name for name in names if not self._is_whole(name)]
        fixed = [name for name in names if self._is_whole(name)]
        self._fewer(loose, lambda kept: smaller.only_streams(self._best, (*kept, *fixed)))

    def _is_whole(self, stream: str) -> bool:
        """Must the stream stay as it is (rule 5)?"""
        return stream.endswith(DAMAGE) or (self._alive and stream.startswith(MACHINE))

    def _drop_nodes(self) -> None:
        # Options may name quorums that only the whole cluster can fill: its progress needs them.
        if not self._alive and self._best.trial.nodes > NODES_MIN:
            self._keeps(smaller.with_nodes(self._best, NODES_MIN))

    def _drop_operations(self) -> None:
        script = smaller.script_of(self._best)
        self._fewer(
            script.load,
            lambda kept: smaller.with_script(self._best, kept, smaller.script_of(self._best).final),
        )
        if not self._alive:
            self._fewer(
                script.final,
                lambda kept: smaller.with_script(
                    self._best, smaller.script_of(self._best).load, kept
                ),
            )

    def _drop_choices(self) -> None:
        """Within each stream, numbers that could as well be 0; a stream's end goes first."""
        for name in sorted(self._best.choices or {}):
            if self._is_whole(name):
                continue
            numbers = list((self._best.choices or {})[name])
            nonzero = [at for at, number in enumerate(numbers) if number]
            self._fewer(
                nonzero[::-1],
                lambda kept, name=name, numbers=numbers: smaller.with_choices(  # type: ignore[misc]
                    self._best, name, _only_at(numbers, set(kept))
                ),
            )

    def _shorten_faults(self) -> None:
        """Each fault undone as soon as it may be."""
        for number in sorted({step.id for step in smaller.faults_of(self._best).steps}):
            while True:
                sooner = smaller.sooner_undone(self._best, number)
                if sooner is None or not self._keeps(sooner):
                    break

    def _close_gaps(self) -> None:
        """No idle time: a reader asks what it is for."""
        for start_ns, end_ns in smaller.gaps(self._best):
            # The last first: what is moved lies behind all that are still to come.
            by_ns = end_ns - start_ns - GAP_NS
            while by_ns > GAP_NS:
                if self._keeps(smaller.closer(self._best, end_ns, by_ns)):
                    break
                by_ns //= 2
        self._keeps(smaller.final_at_once(self._best))

    def _tidy(self) -> None:
        self._keeps(smaller.renumbered(self._best))
        self._keeps(smaller.tidied(self._best))


def _key(case: Case) -> bytes:
    return hashlib.sha256(msgspec.json.encode(case)).digest()


def _only_at(numbers: Sequence[int], places: set[int]) -> list[int]:
    return [number if at in places else 0 for at, number in enumerate(numbers)]


__all__ = ["LIVENESS", "NotFailing", "Shrunk", "breaks", "broken_laws", "shrink"]
