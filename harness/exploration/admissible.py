"""Is a run of the adversary what the theorem promises? Judged apart from whoever made it.

Rules
1. The run is played again on the processes themselves (cast), nothing of the explorer's is trusted.
2. Admissible (T31): at most one process is faulty, and every message to the others is received.
   Of a run that ends, that means: the queue was served in turn; who was served took its earliest
   message, or a step without one if it had none; so no message waits for longer than those before
   it and one turn of the queue each. Where a time-out waits, that is the step without one: who is
   never let start is faulty, however often it is served.
3. Not deciding: nobody wrote an output register.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from harness.exploration.adversary import Run, Stage
from harness.exploration.cast import Cast, Happening, Impossible, Letter, replayed
from harness.exploration.protocols import Subject


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`problems`: why the run is not an admissible one in which nobody decides; sentences. `steps`,
    `delivered`: events and messages. `longest_wait`: how many stages the message that waited for
    longest was in flight. `steps_by`: by process."""

    problems: tuple[str, ...]
    steps: int
    delivered: int
    longest_wait: int
    steps_by: dict[str, int]


def examine(subject: Subject, run: Run) -> Report:
    """Judge the stages of a run (not what followed once the adversary had lost)."""
    cast, perform = replayed(subject, run.bits)
    judge = _Judge(cast)
    for number, stage in enumerate(run.stages, 1):
        judge.opens(number, stage)
        for event in stage.events:
            try:
                judge.saw(perform(event))
            except Impossible as impossible:
                return judge.report([f"stage {number}: {impossible}"])
        judge.closes()
    return judge.report()


class _Judge:
    """Follows a run stage by stage."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._queue = deque(cast.names)
        self._problems: list[str] = []
        self._number, self._happenings = 0, list[Happening]()
        self._owed: Letter | None = None  # the earliest message to who is first in the queue
        self._timed = False  # has that process a timer set
        self._turn = ""
        self._posted: list[tuple[Letter, int]] = []  # in flight, with the stage of sending
        self._steps_by = dict.fromkeys(cast.names, 0)
        self._delivered = self._longest = 0

    def opens(self, number: int, stage: Stage) -> None:
        self._number, self._happenings, self._turn = number, [], self._queue[0]
        self._queue.rotate(-1)
        letters = self._cast.letters
        self._owed = next((letter for letter in letters if letter.dst == self._turn), None)
        self._timed = any(process == self._turn for process, _ in self._cast.timers)
        if stage.process != self._turn:
            self._note(f"{stage.process} was served, and {self._turn} was first in the queue")

    def saw(self, happening: Happening) -> None:
        self._happenings.append(happening)
        self._steps_by[happening.process] += 1
        if happening.letter is not None:
            self._delivered += 1
            entry = next(posted for posted in self._posted if posted[0] == happening.letter)
            self._posted.remove(entry)
            self._longest = max(self._longest, self._number - entry[1])
        self._posted += [(letter, self._number) for letter in happening.sent]
        if happening.decision is not None:
            self._note(f"{happening.process} decided {happening.decision}")

    def closes(self) -> None:
        last = self._happenings[-1] if self._happenings else None
        if last is None or last.process != self._turn:
            self._note(f"it does not end with a step of {self._turn}")
        elif self._owed is not None and last.letter != self._owed:
            self._note(f"{self._turn} had {self._owed.message} from {self._owed.src} to receive")
        elif self._owed is None and last.letter is not None:
            self._note(f"{self._turn} received what was sent in the stage itself")
        elif self._owed is None and self._timed and last.timer is None:
            self._note(f"{self._turn} did nothing, and a time-out of its was waiting")
        early = [h for h in self._happenings[:-1] if h.letter == self._owed is not None]
        if early and last is not None and last.letter == self._owed:
            return  # two equal messages, both delivered
        if early:
            self._note(f"{self._turn} received its earliest message before the end")

    def _note(self, problem: str) -> None:
        self._problems.append(f"stage {self._number}: {problem}")

    def report(self, more: Sequence[str] = ()) -> Report:
        problems = [*self._problems, *more]
        idle = [name for name, steps in self._steps_by.items() if steps == 0]
        if self._number >= 2 * len(self._queue) and len(idle) > 1:
            problems.append(f"{', '.join(idle)} never took a step: more than one is faulty")
        return Report(
            problems=tuple(problems),
            steps=sum(self._steps_by.values()),
            delivered=self._delivered,
            longest_wait=max([self._longest, *(self._number - at for _, at in self._posted)]),
            steps_by=self._steps_by,
        )
