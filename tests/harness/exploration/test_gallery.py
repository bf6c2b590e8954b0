"""The protocols of the gallery: what they promise, what they give up, how they fare by chance."""

from __future__ import annotations

from random import Random

import pytest

from harness.exploration.cast import Cast, Lots
from harness.exploration.gallery_table import listing
from harness.exploration.odds import by_chance
from harness.exploration.protocols import GALLERY, WAKE, Waking, bounded_form
from harness.exploration.relaxations import RELAXATIONS
from harness.machine import Deliver, Detected, Recover, Timeout

NAMES = tuple(GALLERY)
SAFE = ("wait-for-all", "ben-or", "paxos", "rotating-coordinator")
RUBBISH = (
    None,
    "vote",
    ["vote", 7],
    ["report", "x", 0],
    ["prepare", [1]],
    ["promise", [1, "n1"], None],
    ["accept", [1, "n1"], 2],
    ["take", 9],
    ["estimate", 1, 5, 0],
    {"vote": 1},
    [],
)


def runs_fairly(name: str, bits: tuple[int, ...], dead: str | None, seed: int) -> Cast:
    """Everything in flight between the living is delivered before the next time-out, in an order
    by chance."""
    rng = Random(seed)
    cast = Cast(GALLERY[name], bits, rng)
    for _ in range(400):
        letters = [i for i, letter in enumerate(cast.letters) if letter.dst != dead]
        wakes = [i for i, t in enumerate(cast.timers) if t[1] == WAKE and t[0] != dead]
        timers = [i for i, timer in enumerate(cast.timers) if timer[0] != dead]
        if wakes:
            cast.fire(wakes[0])
        elif letters:
            cast.deliver(rng.choice(letters))
        elif timers:
            cast.fire(rng.choice(timers))
        if len(cast.decisions) == 3 - (dead is not None):
            break
    return cast


@pytest.mark.parametrize("name", NAMES)
def test_rubbish_is_dropped(name: str) -> None:
    """A machine never raises on a message from outside, and sends nothing because of it."""
    for message in RUBBISH:
        machine = GALLERY[name].machine("n1", (0, 1, 1), Lots())
        machine.handle(Recover(()), 0.0)
        machine.handle(Timeout(WAKE), 0.0)
        assert [] == list(machine.handle(Deliver("n2", message), 0.0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_with_patience_somebody_decides(name: str, seed: int) -> None:
    """Without a fault and without haste every protocol decides; the safe ones one value."""
    cast = runs_fairly(name, (0, 1, 1), None, seed)
    assert cast.decisions
    if name in SAFE:
        assert 1 == len(set(cast.decisions.values()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dead", ["n1", "n2", "n3"])
def test_t40_only_waiting_for_all_needs_everybody(name: str, dead: str) -> None:
    """T40: what tolerance of a fault means: with one process that never takes a step, somebody
    decides; wait-for-all gives that up."""
    decided = [bool(runs_fairly(name, (0, 1, 0), dead, seed).decisions) for seed in range(5)]
    assert [name != "wait-for-all"] * 5 == decided


@pytest.mark.parametrize("name", ["ben-or", "paxos", "rotating-coordinator"])
def test_t38_chance_decides_soon_what_the_adversary_keeps_open(name: str) -> None:
    """T38: a run that never decides exists, and does not occur: all of 200 runs by chance decide,
    nine of ten within 300 steps."""
    odds = by_chance(GALLERY[name], 200, seed=5)
    assert 0 == odds.undecided
    assert odds.median is not None
    assert odds.ninetieth is not None
    assert odds.most is not None
    assert 5 <= odds.median <= odds.ninetieth <= 300
    assert odds.ninetieth <= odds.most
    assert (200, 0) == (odds.zeros + odds.ones, odds.disagreements)


@pytest.mark.parametrize("name", ["first-majority", "first-message"])
def test_t40_who_gives_up_agreement_disagrees_often(name: str) -> None:
    """T40: not a corner case: of 200 runs by chance dozens end with two decisions."""
    assert by_chance(GALLERY[name], 200, seed=5).disagreements > 40


def test_t38_a_run_by_chance_is_its_seed() -> None:
    """The same seed gives the same distribution, another seed another."""
    one = by_chance(GALLERY["ben-or"], 50, seed=1)
    assert one == by_chance(GALLERY["ben-or"], 50, seed=1)
    assert one != by_chance(GALLERY["ben-or"], 50, seed=2)


def test_t39_a_detector_that_is_right_lets_the_rotating_coordinator_decide() -> None:
    """T39: n1, coordinator of the first round, has stopped, and the detector says so: the others
    decide without any time-out."""
    cast = Cast(GALLERY["rotating-coordinator"], (1, 0, 0), Random(0))
    for name in ("n2", "n3"):
        cast.fire(cast.timers.index((name, WAKE)))
        cast.tell(name, Detected("n1", up=False))
    while letters := [i for i, letter in enumerate(cast.letters) if letter.dst != "n1"]:
        if cast.decisions:
            break
        cast.deliver(letters[0])
    assert {0} == set(cast.decisions.values())


def test_the_first_step_starts_a_process_whatever_it_receives() -> None:
    """A process that receives before it woke starts with that step, and does not start twice."""
    machine = GALLERY["first-message"].machine("n1", (0, 1, 1), Random(0))
    assert isinstance(machine, Waking)
    machine.handle(Recover(()), 0.0)
    effects = machine.handle(Deliver("n2", ["vote", 1]), 0.0)
    assert ["CancelTimer", "Send", "Send", "Trace"] == [type(e).__name__ for e in effects]
    assert [] == list(machine.handle(Timeout(WAKE), 0.0))


def test_the_gallery_says_what_each_gives_up() -> None:
    """T40: six protocols, each with a premise; relaxations by names that exist."""
    assert 6 == len(listing()) == len(GALLERY)
    for subject in GALLERY.values():
        assert subject.gives_up
        assert set(subject.relaxations or ()) <= set(RELAXATIONS)
        assert bounded_form(subject).build is (subject.bounded or subject.build)
