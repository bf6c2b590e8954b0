"""`antipaxos explore`: a protocol in front of the theorem that no consensus is sure to end.

Exit codes: 0 agreement holds in the whole space, 1 it is violated, 2 the limit ended the search.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from harness.console import tell
from harness.trial import TrialError

if TYPE_CHECKING:
    from harness.exploration.configuration import World
    from harness.exploration.protocols import Subject

LIMIT = 1_000_000
VALID, INVALID, UNKNOWN = 0, 1, 2


@click.command("explore")
@click.argument("protocol", required=False)
@click.option("--stages", type=click.IntRange(1, 10_000), default=16, help="Of the adversary. [16]")
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=200, help="By chance. [200]")
@click.option("--seed", type=int, default=0, help="Of what is drawn by chance. [0]")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, help="Configurations. [10^6]")
@click.option("--processes", type=int, help="How many. [3]")
@click.option("--list", "listing", is_flag=True, help="The protocols of the gallery.")
@click.option("--table", is_flag=True, help="All of the gallery in one table.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    protocol: str | None,
    stages: int,
    runs: int,
    seed: int,
    limit: int,
    processes: int | None,
    *,
    listing: bool,
    table: bool,
    as_json: bool,
) -> NoReturn:
    """Explore a consensus protocol: valency, the lemmas, the adversary, chance.

    \b
    antipaxos explore paxos
    antipaxos explore my_protocol.py:machine --stages 100 --limit 100000
    antipaxos explore --table

    PROTOCOL is a name of the gallery (see --list), or module:function or path.py:function of a
    function (name, peers, bit) that builds the machine of a process. A function without arguments
    that gives a System or a World of harness.exploration is searched, without the rest.
    """
    from harness.exploration import gallery_table
    from harness.exploration.chance import UnboundedChoice
    from harness.exploration.configuration import World
    from harness.exploration.freezing import Unfreezable
    from harness.exploration.protocols import MachineRaised
    from harness.exploration.targets import target_of
    from harness.exploration.valency import NotABit

    if listing:
        tell(gallery_table.listing())
        sys.exit(VALID)
    if table:
        rows = gallery_table.rows(stages=stages, runs=runs, seed=seed)
        tell(gallery_table.as_json(rows) if as_json else gallery_table.as_text(rows))
        sys.exit(VALID)
    if protocol is None:
        raise click.UsageError("name a protocol; 'antipaxos explore --list' tells those there are")
    found = target_of(protocol, processes)
    try:
        if isinstance(found, World):
            code = _search(protocol, found, limit, as_json=as_json)
        else:
            code = _survey(found, stages, runs, seed, limit, as_json=as_json)
    except (MachineRaised, NotABit, Unfreezable, UnboundedChoice) as wrong:
        raise TrialError([f"{protocol}: {wrong}"]) from wrong
    sys.exit(code)


def _survey(
    subject: Subject, stages: int, runs: int, seed: int, limit: int, *, as_json: bool
) -> int:
    from harness.exploration import survey_text
    from harness.exploration.survey import survey

    found = survey(subject, stages=stages, runs=runs, seed=seed, limit=limit)
    if as_json:
        tell([survey_text.as_json(subject, found)])
    else:
        tell(survey_text.as_text(subject, found))
    if found.agreement is False:
        return INVALID
    return VALID if found.complete else UNKNOWN


def _search(name: str, world: World, limit: int, *, as_json: bool) -> int:
    from harness.exploration import plain
    from harness.exploration.search import Outcome

    found = plain.explore_world(world, limit)
    tell([plain.as_json(name, world, found)] if as_json else plain.as_text(name, world, found))
    if found.of("agreement").outcome is Outcome.FAILS:
        return INVALID
    return VALID if found.complete else UNKNOWN
