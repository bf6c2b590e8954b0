"""Telling a run: as a story, and as a space-time diagram of one column a process.

A run is told from the processes themselves (cast): what they sent and noted is seen there, not in
the events.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from harness.exploration.adversary import Run
from harness.exploration.cast import Cast, Happening, replayed
from harness.exploration.configuration import Event as WorldEvent
from harness.exploration.protocols import WAKE, Bits, Subject

COLUMN_MAX, COLUMN_MIN = 38, 16


def story(subject: Subject, run: Run, stages_max: int | None = None) -> list[str]:
    """The stages of a run, with the step that ends each marked by a star, and what came after."""
    _, perform = replayed(subject, run.bits)
    lines = []
    for number, stage in enumerate(run.stages, 1):
        happenings = [perform(event) for event in stage.events]
        if stages_max is not None and number > stages_max:
            continue
        marks = [" "] * (len(happenings) - 1) + ["*"]
        lines += [
            f"{number if mark == '*' else '':>5} {mark} {sentence(happening)}"
            for mark, happening in zip(marks, happenings, strict=True)
        ]
    hidden = len(run.stages) - (stages_max or len(run.stages))
    if hidden > 0:
        lines.append(f"      ... {hidden} more stages")
    return lines + [f"        {sentence(perform(event))}" for event in run.rest]


def path(subject: Subject, bits: Bits, events: Sequence[WorldEvent]) -> list[str]:
    """A schedule as sentences."""
    _, perform = replayed(subject, bits)
    return [sentence(perform(event)) for event in events]


def diagram(
    subject: Subject, run: Run, stages_max: int | None = None, width: int = 100
) -> list[str]:
    """Time goes down; a message stands in the row of its sending (->) and of its receipt (<-)."""
    cast, perform = replayed(subject, run.bits)
    stages = run.stages[:stages_max]
    happenings = [perform(event) for stage in stages for event in stage.events]
    column = max(COLUMN_MIN, min(COLUMN_MAX, (width - 5) // len(cast.names)))
    lines = ["     " + "".join(name.ljust(column) for name in cast.names).rstrip()]
    for number, happening in enumerate(happenings, 1):
        lines += _rows(number, happening, cast, column)
    return lines


def _rows(number: int, happening: Happening, cast: Cast, column: int) -> list[str]:
    texts = [_came(happening), *_lots(happening), *_went(happening), *map(_note, happening.told)]
    wrapped = [
        line for text in texts for line in textwrap.wrap(text, column - 2, subsequent_indent="   ")
    ]
    rows = []
    for position, text in enumerate(wrapped):
        cells = (text if name == happening.process else "|" for name in cast.names)
        label = number if position == 0 else ""
        rows.append(f"{label:>3}  " + "".join(cell.ljust(column) for cell in cells).rstrip())
    return rows


def sentence(happening: Happening) -> str:
    """One step in words."""
    went = [f"sends {text}" for text in _letters(happening)]
    noted = [_note(trace) for trace in happening.told]
    return "; ".join([f"{happening.process} {_cause(happening)}", *_lots(happening), *went, *noted])


def _lots(happening: Happening) -> list[str]:
    return [f"draws {' '.join(map(str, happening.draws))}"] if happening.draws else []


def _cause(happening: Happening) -> str:
    if happening.letter is not None:
        return f"receives {words(happening.letter.message)} from {happening.letter.src}"
    if happening.timer == WAKE:
        return "starts"
    if happening.timer is not None:
        return f"receives nothing, its timer {happening.timer} runs out"
    return "receives nothing"


def _came(happening: Happening) -> str:
    if happening.letter is not None:
        return f"<- {happening.letter.src} {words(happening.letter.message)}"
    if happening.timer is None:
        return "(nothing)"
    return "(starts)" if happening.timer == WAKE else f"({happening.timer})"


def _went(happening: Happening) -> list[str]:
    return [f"-> {text}" for text in _letters(happening, "{to} {message}")]


def _letters(happening: Happening, form: str = "{message} to {to}") -> list[str]:
    """What was sent: each message once, with all whom it went to."""
    to: dict[str, list[str]] = {}
    for letter in happening.sent:
        to.setdefault(words(letter.message), []).append(letter.dst)
    return [form.format(message=message, to=" ".join(names)) for message, names in to.items()]


def _note(trace: Any) -> str:
    if trace.event == "decide":
        return f"DECIDES {trace.fields['value']}"
    fields = ", ".join(f"{name} {words(value)}" for name, value in trace.fields.items())
    return f"{trace.event} {fields}"


def words(message: Any) -> str:
    """A message in short: a pair of a number and a name is a ballot, 3.n1, and nothing is '-'."""
    if isinstance(message, list | tuple):
        return (
            " ".join(_inner(part) for part in message) if not _ballot(message) else _inner(message)
        )
    return _inner(message)


def _inner(part: Any) -> str:
    if part is None:
        return "-"
    if isinstance(part, list | tuple):
        if _ballot(part):
            return f"{part[0]}.{part[1]}" if part[1] else "-"
        return f"({' '.join(map(_inner, part))})"
    return str(part)


def _ballot(part: Sequence[Any]) -> bool:
    return len(part) == 2 and type(part[0]) is int and isinstance(part[1], str)


def joined(lines: Iterable[str], indent: str = "  ") -> str:
    return "\n".join(indent + line if line else line for line in lines)
