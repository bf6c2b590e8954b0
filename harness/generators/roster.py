"""The roster: who is free, who works under which number. The dispatch loop and the simulation ask
generators through it, so that both mean the same.

Rules
1. A worker has at most one open operation; while it has, it is not free.
2. After `info` the process is retired: the worker goes on as process + number of workers, so
   `process % workers` names the worker for ever.
3. What a generator answers is checked before anyone acts on it; a generator that raises or breaks
   its contract is a GeneratorError.
"""

from __future__ import annotations

from checkers.history import Operation
from harness.generators.contract import (
    Answer,
    Chance,
    Context,
    Generator,
    GeneratorError,
    Invocation,
    Pending,
)


class Roster:
    """`workers`: how many. `seed`: of all chance in the generators."""

    def __init__(self, workers: int, seed: int) -> None:
        if workers < 1:
            raise ValueError(f"a run needs at least one worker, got {workers}")
        self.workers = tuple(range(workers))
        self._free = list(self.workers)
        self._free_now = self.workers  # the same as a tuple, kept until it changes
        self._processes = self.workers
        self._seed = (seed & 0xFFFF_FFFF_FFFF_FFFF) << 64
        self._taken = 0
        self._chance = Chance(self._seed)

    @property
    def free(self) -> tuple[int, ...]:
        return self._free_now

    @property
    def in_flight(self) -> int:
        return len(self.workers) - len(self._free)

    def process(self, worker: int) -> int:
        return self._processes[worker]

    def context(self, time_ns: int) -> Context:
        return Context(time_ns, self._free_now, self.workers, self._processes, self._chance)

    def ask(self, generator: Generator, time_ns: int) -> tuple[Answer, Generator]:
        """The generator's checked answer at `time_ns`."""
        self._chance.ask(self._seed | self._taken)
        try:
            answer, after = generator.op(self.context(time_ns))
        except GeneratorError:
            raise
        except Exception as wrong:
            raise GeneratorError(
                f"the generator raised {type(wrong).__name__} when asked for an operation: {wrong}"
            ) from wrong
        if type(answer) is Invocation:
            if answer.worker not in self._free_now:
                raise GeneratorError(
                    f"the generator gave {answer.f!r} to worker {answer.worker}, which is not free "
                    f"({self._free_now}). Pick workers from context.free."
                )
        elif answer is not None and type(answer) is not Pending:
            raise GeneratorError(
                f"the generator answered {answer!r}; expected an Invocation, Pending or None"
            )
        return answer, after

    def tell(self, generator: Generator, time_ns: int, event: Operation) -> Generator:
        """The generator after it has seen `event`."""
        try:
            return generator.update(self.context(time_ns), event)
        except Exception as wrong:
            raise GeneratorError(
                f"the generator raised {type(wrong).__name__} on operation {event.index} "
                f"({event.type} {event.f!r}): {wrong}"
            ) from wrong

    def take(self, worker: int) -> int:
        """The worker starts an operation; returns its process number."""
        self._free.remove(worker)
        self._free_now = tuple(self._free)
        self._taken += 1
        return self._processes[worker]

    def release(self, worker: int) -> None:
        """The worker's operation has ended."""
        assert worker not in self._free, f"worker {worker} had no open operation"
        self._free.append(worker)
        self._free.sort()
        self._free_now = tuple(self._free)

    def retire(self, worker: int) -> int:
        """The worker's process ends after info; returns the number it goes on under."""
        processes = list(self._processes)
        processes[worker] += len(processes)
        self._processes = tuple(processes)
        return processes[worker]
