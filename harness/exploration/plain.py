"""Any system of machines, explored and told in short: size, agreement, termination.

What has no one-bit inputs (a whole implementation with clients, say) has no valency here; it can be
searched all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.exploration.configuration import World
from harness.exploration.properties import agreement, termination
from harness.exploration.search import Found, Judgement, Outcome, search, story

WORDS = {Outcome.HOLDS: "holds", Outcome.FAILS: "VIOLATED", Outcome.UNKNOWN: "not known"}


def explore_world(world: World, limit: int | None) -> Found:
    """Search all of it, or `limit` configurations."""
    return search(world, (agreement(), termination()), configurations_max=limit)


def as_text(name: str, world: World, found: Found) -> list[str]:
    """The findings, with the schedules to what fails."""
    return list(_lines(name, world, found))


def as_json(name: str, world: World, found: Found) -> str:
    """The same for a program; schedules as lines."""
    plain = {
        "system": name,
        "processes": world.system.processes,
        "configurations": found.configurations,
        "transitions": found.transitions,
        "complete": found.complete,
        "agreement": {Outcome.HOLDS: True, Outcome.FAILS: False}.get(found.of("agreement").outcome),
        "judgements": [
            {
                "property": judgement.rule,
                "outcome": judgement.outcome,
                "schedule": None if judgement.schedule is None else story(world, judgement),
            }
            for judgement in found.judgements
        ],
    }
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def _lines(name: str, world: World, found: Found) -> Iterator[str]:
    yield f"{name}: {len(world.system.processes)} processes"
    yield ""
    yield (
        f"Space          {found.configurations:,} configurations, "
        f"{found.transitions:,} transitions; "
        + ("complete" if found.complete else "INCOMPLETE: the limit was reached (see --limit)")
    )
    for judgement in found.judgements:
        yield f"{judgement.rule.capitalize():<15}{WORDS[judgement.outcome]}{_how(judgement)}"
        for line in story(world, judgement) if judgement.outcome is Outcome.FAILS else ():
            yield f"                 {line}"


def _how(judgement: Judgement) -> str:
    if judgement.outcome is not Outcome.FAILS:
        return ""
    if judgement.rule == "agreement":
        return ", by the shortest schedule:"
    if judgement.cycle:
        return f", the last {judgement.cycle} of these can be repeated for ever:"
    return ", after these nothing more can happen:"
