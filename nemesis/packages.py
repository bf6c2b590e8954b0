"""Packages: named bundles of scenes, which is what a user of the nemesis picks from.

Rules
1. A package is decks of scenes; packages joined by '+' deal from one deck of all their scenes,
   except that decks which are meant to run side by side stay so.
2. The same package, seed, length and number of nodes give the same schedule.
3. `default` must expose a consensus implementation that breaks one rule of Paxos, within three
   runs of half a minute on five nodes. Each of its slots exists because some broken promise shows
   only there; the story of each scene says which.
4. A correct system stays VALID under every package but `byzantine` and `truncation`, which go
   beyond what Paxos assumes, on purpose. `everything` needs a cluster that offers all its faults,
   so what few clusters or systems offer has packages of its own. Upgrades have none: which options
   are to change only the writer of a schedule knows.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nemesis import plans, scenes, storms, worlds
from nemesis.names import unknown
from nemesis.plans import Deck
from nemesis.schedule import Schedule

SEPARATOR = "+"


class Package(msgspec.Struct, frozen=True):
    """`decks`: tracks that run side by side; empty if nothing is broken."""

    name: str
    summary: str
    decks: tuple[Deck, ...] = ()


def package(name: str | Sequence[str]) -> Package:
    """The package of that name, or of several names, joined by '+' or in a list.

    Raises ValueError on unknown names (the nearest are offered).
    """
    names = name.split(SEPARATOR) if isinstance(name, str) else name
    wanted = list(dict.fromkeys(n.strip() for n in names))
    strangers = [unknown("package of faults", n, PACKAGES) for n in wanted if n not in PACKAGES]
    if strangers or not wanted:
        raise ValueError("; ".join(strangers) or "no package of faults is named")
    return _joined([PACKAGES[n] for n in wanted])


def mistakes(name: str | Sequence[str]) -> list[str]:
    """What is wrong with the names of packages, as sentences; empty if nothing is."""
    try:
        package(name)
    except ValueError as wrong:
        return [str(wrong)]
    return []


def schedule(
    of: Package | str | Sequence[str], seed: int, duration_s: float, nodes: int = 5
) -> Schedule:
    """What a package (or packages, by name) does in one run of `duration_s` seconds on so many
    nodes. Raises ValueError on unknown names."""
    chosen = of if isinstance(of, Package) else package(of)
    return plans.schedule(chosen.decks, seed, duration_s, nodes)


def _joined(parts: Sequence[Package]) -> Package:
    if len(parts) == 1:
        return parts[0]
    width = max(len(part.decks) for part in parts)
    decks: list[Deck] = []
    for track in range(width):
        slots = [slot for part in parts if track < len(part.decks) for slot in part.decks[track]]
        decks.append(tuple(dict.fromkeys(slots)))
    name = SEPARATOR.join(part.name for part in parts)
    return Package(name, " ".join(part.summary for part in parts), tuple(decks))


_DEFAULT: Deck = (
    (scenes.LEADER_CUT_OFF,),
    (scenes.SUCCESSION,),
    (scenes.BLACKOUT, scenes.MAJORITY_LOST),
    (scenes.LEADER_STALLED,),
    (scenes.RING_WITH_RESTARTS, scenes.BRIDGE_WITH_RESTARTS),
    (scenes.OLD_LEADER_RETURNS,),
    (scenes.LEADER_AND_FOLLOWER_LOST, scenes.OUTCAST_KILLED),
    (scenes.LEADER_IN_MINORITY, scenes.ONE_WAY, scenes.RANDOM_HALVES, scenes.LEADER_DEAF),
)

_PARTITIONS: Deck = (
    (scenes.LEADER_CUT_OFF,),
    (scenes.LEADER_IN_MINORITY,),
    (scenes.RING,),
    (scenes.BRIDGE,),
    (scenes.RANDOM_HALVES, scenes.HALVES),
    (scenes.ONE_CUT_OFF, scenes.THIRD_CUT_OFF),
    (scenes.ONE_WAY, scenes.LEADER_DEAF, scenes.LEADER_MUTE),
    (scenes.LEADER_RESET,),
    (scenes.RAGGED, scenes.RAGGED_HEAL),
)

_CRASHES: Deck = (
    (scenes.LEADER_LOST,),
    (scenes.MINORITY_LOST,),
    (scenes.MAJORITY_LOST, scenes.BLACKOUT),
    (scenes.LEADER_AND_FOLLOWER_LOST,),
    (scenes.ROLLING_RESTARTS,),
)

_PAUSES: Deck = (
    (scenes.LEADER_STALLED,),
    (scenes.MINORITY_STALLED,),
    (scenes.FOLLOWERS_STALLED, scenes.ALL_STALLED),
)

_LINKS: Deck = (
    (scenes.SLOW,),
    (scenes.LOSSY,),
    (scenes.DUPLICATING,),
    (scenes.REORDERING,),
    (scenes.THROTTLED, scenes.LEADER_SLOW),
)

_CLIENTS: Deck = (
    (scenes.CLIENTS_OFF_LEADER,),
    (scenes.CLIENTS_OFF_MINORITY,),
    (scenes.ANSWERS_LOST,),
)

_FLAPPING: Deck = (
    (scenes.LEADER_FLAPPING,),
    (scenes.HALVES_FLAPPING,),
    (scenes.LEADER_STUTTERING,),
    (scenes.CRASH_LOOP,),
)

_POWER: Deck = (
    (worlds.POWER_OFF_LEADER,),
    (worlds.POWER_CUT, worlds.POWER_OFF_MAJORITY),
    (worlds.SLOW_THEN_DARK,),
    (worlds.POWER_FLICKERS,),
)

_SLOW_DISKS: Deck = ((worlds.LEADER_DISK_SLOW,),)

_FULL_DISKS: Deck = (
    (worlds.LEADER_DISK_FULL,),
    (worlds.MINORITY_DISKS_FULL, worlds.DISKS_FULL),
)

_CLOCKS: Deck = (
    (worlds.LEADER_CLOCK_AHEAD,),
    (worlds.LEADER_CLOCK_STOPS,),
    (worlds.LEADER_CLOCK_SLOW, worlds.LEADER_OUT_OF_TIME),
    (worlds.CLOCKS_DRIFT,),
    (worlds.CLOCKS_JUMP, worlds.CLOCKS_FLICKER),
)

_HOLDS: Deck = (
    (worlds.LEADER_HELD,),
    (worlds.OLD_NEWS,),
    (worlds.LATE_ANSWERS,),
    (worlds.MINORITY_HELD, worlds.HELD_BREATH),
)

_CLIENT_CRASHES: Deck = (
    (worlds.HALF_OF_CLIENTS_CRASH,),
    (worlds.CLIENTS_AND_LEADER_CRASH,),
)

_IO_ERRORS: Deck = (
    (worlds.LEADER_DISK_FAILS,),
    (worlds.MINORITY_DISKS_FAIL, worlds.DISKS_FAIL),
)

_MONOTONIC_CLOCKS: Deck = ((worlds.LEADER_UPTIME_AHEAD,), (worlds.ONE_UPTIME_BEHIND,))

_MEMBERS: Deck = ((worlds.LEADER_REPLACED,), (worlds.MEMBER_REPLACED,))

_CORRUPTION: Deck = (
    (worlds.CORRUPTED,),
    (worlds.CORRUPTED_WIDELY,),
    (worlds.CORRUPTED_THEN_LEADER_LOST,),
)

_TRUNCATION: Deck = (
    (worlds.TRUNCATED,),
    (worlds.TRUNCATED_THEN_LEADER_LOST,),
)

_BYZANTINE: Deck = (
    (worlds.REPORTS_ALTERED,),
    (worlds.LEADER_EQUIVOCATES,),
    (worlds.BALLOTS_FORGED,),
    (worlds.MESSAGES_ALTERED,),
)

PACKAGES: dict[str, Package] = {
    p.name: p
    for p in (
        Package("none", "Nothing is broken."),
        Package(
            "default",
            "Partitions, crashes and pauses in the combinations that break consensus.",
            (_DEFAULT,),
        ),
        Package("partitions", "Every shape of cut, the leader often in it.", (_PARTITIONS,)),
        Package("crashes", "Nodes are killed, up to all of them, and come back.", (_CRASHES,)),
        Package("rolling", "One node after the other restarts.", (((scenes.ROLLING_RESTARTS,),),)),
        Package("blackout", "All nodes die at once and come back.", (((scenes.BLACKOUT,),),)),
        Package("pauses", "Nodes stop and go on as if nothing had happened.", (_PAUSES,)),
        Package("links", "Slow, lossy, duplicating, reordering, throttled links.", (_LINKS,)),
        Package("clients", "Clients are cut from nodes that are otherwise well.", (_CLIENTS,)),
        Package("flapping", "Faults that come and go several times a second.", (_FLAPPING,)),
        Package(
            "chaos",
            "All of the above, with bad links beside the rest.",
            ((*_DEFAULT, *_CLIENTS, *_FLAPPING), (*_LINKS, *_PAUSES[1:2])),
        ),
        Package(
            "disks",
            "Power fails and takes what was not synced; disks are slow or full.",
            ((*_POWER, *_SLOW_DISKS, *_FULL_DISKS),),
        ),
        Package("io-errors", "Reads, writes and syncs of disks fail by chance.", (_IO_ERRORS,)),
        Package("clocks", "Clocks jump, drift apart and stand still.", (_CLOCKS,)),
        Package(
            "monotonic-clocks",
            "The clocks that count how much time passes jump, across a restart.",
            (_MONOTONIC_CLOCKS,),
        ),
        Package(
            "members",
            "Members are voted out, and come back as new ones with empty disks.",
            (_MEMBERS,),
        ),
        Package("holds", "Links keep their messages and let them go late, in order.", (_HOLDS,)),
        Package(
            "storm",
            "Short faults of many kinds, two at a time, and bad weather on links and disks.",
            storms.STORM,
        ),
        Package("client-crashes", "Clients vanish, their requests do not.", (_CLIENT_CRASHES,)),
        Package(
            "corruption",
            "Records on disks are damaged, on fewer than half of the nodes; a node that sees it "
            "and does not run is lost, and right.",
            (_CORRUPTION,),
        ),
        Package(
            "truncation",
            "A disk forgets the end of what it had called durable. Paxos does not stand this, nor "
            "claims to: a correct implementation may be INVALID.",
            (_TRUNCATION,),
        ),
        Package(
            "byzantine",
            "Nodes lie and messages are altered. Paxos does not stand this, nor claims to: expect "
            "INVALID of a correct implementation.",
            (_BYZANTINE,),
        ),
        Package(
            "everything",
            "Chaos, disks, clocks, holds and client crashes, many at a time: a correct "
            "implementation stands it all.",
            (
                (*_DEFAULT, *_CLIENTS, *_FLAPPING, *_POWER, *_FULL_DISKS, *_HOLDS),
                (*_LINKS, *_PAUSES[1:2], *_SLOW_DISKS, *_CLOCKS, *_CLIENT_CRASHES),
            ),
        ),
    )
}
