"""Storms: many short faults, two at a time, with hardly a calm between them.

Rules
1. A scene tells a story; a storm tells none. Its faults last from a few messages to an election, so
   that in a run of a few seconds each phase of the protocol is cut short somewhere: orders of
   events that no story foresaw.
2. One track stops nodes and cuts them off, the other makes what is left unreliable: messages that
   are lost, late, doubled or held, disks that are slow when the power fails, wrong clocks.
3. Nothing here goes beyond what Paxos assumes. Progress is not promised while it lasts.

Sources: short random faults as in the "buggify" and swizzle tests of FoundationDB (Zhou et al.
2021); Groce et al. 2012 on why packages beside it leave most of them out.
"""

from __future__ import annotations

from nemesis.faults import (
    Duplicate,
    Fault,
    Hold,
    Kill,
    Lose,
    LoseUnsynced,
    Partition,
    Pause,
    Reorder,
    SkewClock,
    Slow,
    SlowDisk,
)
from nemesis.plans import Act, Deck, Range, Scene, Slot, in_turn

INSTANT: Range = (0.03, 0.3)  # less than an election time-out
GUST: Range = (0.1, 1.0)  # from some messages to an election and what follows
SPELL: Range = (0.4, 2.0)
NO_CALM: Range = (0.0, 0.4)


def _gusts(what: str, length_s: Range, *faults: Fault) -> Slot:
    story = f"{what}, for less time than anybody needs to notice or for more."
    return tuple(
        Scene(
            name=f"{what} {number}" if number > 1 else what,
            story=story,
            acts=(Act(fault),),
            length_s=length_s,
            calm_s=NO_CALM,
        )
        for number, fault in enumerate(faults, 1)
    )


RAGGED = Scene(
    name="ragged gusts",
    story="Other links fail every moment, each way for itself.",
    acts=in_turn(Partition(topology="ragged"), 4),
    length_s=SPELL,
    calm_s=NO_CALM,
)
FRAYED = Scene(
    name="a heal in pieces",
    story="A split heals link by link, sooner or later than a leader on its side gives up.",
    acts=(
        Act(Partition(topology="split", target="leaders-minority"), 0.0, 0.5),
        Act(Partition(topology="frayed", target="isolated"), 0.48, 1.0),
    ),
    length_s=(0.8, 2.4),
    calm_s=NO_CALM,
)

UNHEARD = Scene(
    name="a minority unheard",
    story="The leader's side hears all that goes on without it, or what comes through.",
    acts=(
        Act(Partition(topology="unheard", target="leaders-minority")),
        Act(Partition(topology="frayed", target="isolated"), 0.02, 1.0),
    ),
    length_s=(0.8, 2.4),
    calm_s=NO_CALM,
)
OUT_OF_TIME = Scene(
    name="a leader out of time",
    story="No time passes for the leader while it is cut off: all that it knew is fresh, to it.",
    acts=(
        Act(SkewClock(target="leaders", offset_ms=-2000.0)),
        Act(Partition(topology="leader-only"), 0.02, 1.0),
    ),
    length_s=(0.8, 2.4),
    calm_s=NO_CALM,
)
STOPS: Deck = (
    _gusts(
        "a gust of halves",
        GUST,
        Partition(topology="random-halves"),
        Partition(topology="one-way"),
        Partition(topology="majorities-ring"),
        Partition(topology="bridge"),
    ),
    (RAGGED, FRAYED),
    (FRAYED,),
    (UNHEARD,),
    (OUT_OF_TIME,),
    _gusts(
        "a gust against the leader",
        GUST,
        Partition(topology="leader-only"),
        Partition(topology="split", target="leaders-minority"),
        Partition(topology="split", target="leaders-minority"),
        Partition(topology="mute", target="leaders"),
    ),
    _gusts(
        "a gust against one",
        GUST,
        Partition(topology="isolate-one"),
        Partition(topology="deaf", target="one"),
        Partition(topology="split", target="minority"),
    ),
    _gusts("a few die", INSTANT, Kill(), Kill(target="leaders"), Kill(target="minority")),
    _gusts("many die", INSTANT, Kill(target="leaders-majority"), Kill(target="all")),
    _gusts(
        "power flickers",
        INSTANT,
        LoseUnsynced(),
        LoseUnsynced(target="leaders-majority"),
        LoseUnsynced(target="all"),
    ),
    _gusts("a stall", GUST, Pause(), Pause(target="leaders"), Pause(target="minority")),
    _gusts(
        "links hold their breath",
        GUST,
        Hold(target="leaders", direction="out"),
        Hold(target="leaders", direction="in"),
        Hold(target="minority"),
        Hold(target="one", direction="out"),
    ),
)
WEATHER: Deck = (
    _gusts("a spell of loss", SPELL, Lose(probability=0.15), Lose(probability=0.4)),
    _gusts("a spell of doubles", SPELL, Duplicate(probability=0.3)),
    _gusts("a spell of many doubles", SPELL, Duplicate(probability=0.7)),
    _gusts(
        "a spell of delay",
        SPELL,
        Slow(mean_ms=60.0, distribution="exponential"),
        Slow(target="minority", mean_ms=150.0, distribution="exponential"),
        Reorder(probability=0.5, window_ms=150.0),
    ),
    _gusts("a spell of slow disks", SPELL, SlowDisk(target="all", mean_ms=40.0)),
    _gusts(
        "a spell of wrong time",
        SPELL,
        SkewClock(target="leaders", offset_ms=-1000.0),
        SkewClock(target="leaders", offset_ms=-1000.0),
        SkewClock(target="minority", offset_ms=300.0),
        SkewClock(target="all", offset_ms=300.0),
    ),
    _gusts(
        "a link less",
        GUST,
        Partition(topology="ragged"),
        Partition(topology="isolate-one"),
        Partition(topology="deaf", target="one"),
        Partition(topology="random-halves"),
        Hold(target="one"),
    ),
)
STORM: tuple[Deck, ...] = (STOPS, WEATHER)
