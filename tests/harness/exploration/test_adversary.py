"""The adversary of the impossibility proof, and who judges it."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from random import Random

import msgspec
import pytest

from harness.exploration.admissible import examine
from harness.exploration.adversary import Run, Stage, keep_undecided
from harness.exploration.cast import replayed
from harness.exploration.configuration import Nothing
from harness.exploration.foresight import Foresight
from harness.exploration.protocols import GALLERY, free_world
from harness.exploration.relaxations import ASYNCHRONY, RELAXATIONS
from harness.exploration.scene import Play
from harness.exploration.telling import diagram, story

STAGES = 60
BIVALENT = (1, 0, 0)
OPEN_FOR_EVER = ("ben-or", "paxos", "rotating-coordinator")


@cache
def run(name: str, relaxation: str = "none", stages: int = STAGES, seed: int = 0) -> Run:
    rule = ASYNCHRONY if relaxation == "none" else RELAXATIONS[relaxation]
    return keep_undecided(GALLERY[name], BIVALENT, stages, rule, Random(seed))


@pytest.mark.parametrize("name", OPEN_FOR_EVER)
def test_t37_the_adversary_keeps_it_undecided_and_is_admissible(name: str) -> None:
    """T37: as many stages as asked, everybody steps in turn, every message arrives, nobody
    decides: seen by playing the run again on the processes themselves."""
    played = run(name)
    assert (STAGES, None) == (len(played.stages), played.lost)
    report = examine(GALLERY[name], played)
    assert () == report.problems
    assert len(played.events) == report.steps
    assert min(report.steps_by.values()) >= STAGES // 3
    assert report.longest_wait < 20


@pytest.mark.parametrize("name", OPEN_FOR_EVER)
def test_t37_bivalence_is_proved_by_two_schedules(name: str) -> None:
    """T37: on the way of the run both decisions are reached, by two schedules played again on the
    processes themselves."""
    subject, played = GALLERY[name], run(name)
    world = free_world(subject, BIVALENT)
    at, events = world.initial, list(played.events[:30])
    for event in events:
        if not isinstance(event, Nothing):
            at = next(after for e, after in world.moves(at) if world.event(e) == event)
    schedules = Foresight(world).outlook(at).schedules
    assert {0, 1} == set(schedules)
    for value, schedule in schedules.items():
        cast, perform = replayed(subject, BIVALENT)
        for event in (*events, *map(world.event, schedule)):
            perform(event)
        assert {value} == set(cast.decisions.values())


def test_t37_against_paxos_it_finds_the_duel() -> None:
    """T26, found and not told: a proposer prepares, another prepares above it, the first one's
    accept requests are refused, and so on."""
    lines = story(GALLERY["paxos"], run("paxos"))
    text = "\n".join(lines)
    duel = ("sends prepare 1.n1", "sends prepare 2.n2", "refuse accept 1.n1, promised 2.n2")
    again = ("sends prepare 3.n3", "refuse accept 2.n2, promised 3.n3")
    positions = [text.index(part) for part in (*duel, *again)]
    assert sorted(positions) == positions
    assert "DECIDES" not in text


def test_the_adversary_is_the_same_with_another_hash_seed() -> None:
    """Nothing of the search depends on the order of a set."""
    program = (
        "from harness.exploration.protocols import GALLERY as g\n"
        "from harness.exploration.adversary import keep_undecided as k\n"
        "for n in ('ben-or', 'paxos', 'rotating-coordinator'): print(k(g[n], (1, 0, 0), 15))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert told[0] == told[1]
    assert b"Stage" in told[0]


def test_t37_the_story_and_the_diagram_show_every_step() -> None:
    """A stage ends with a star in the story; the diagram has a column a process."""
    played = run("paxos", stages=12)
    lines = story(GALLERY["paxos"], played)
    assert len(played.events) == len(lines)
    assert 12 == sum(line[6] == "*" for line in lines)
    drawn = diagram(GALLERY["paxos"], played)
    assert ["n1", "n2", "n3"] == drawn[0].split()
    assert len(played.events) == sum(line[:3].strip().isdigit() for line in drawn[1:])


def changed(name: str, number: int, stage: Stage) -> tuple[str, ...]:
    stages = list(run(name).stages)
    stages[number] = stage
    return examine(GALLERY[name], msgspec.structs.replace(run(name), stages=tuple(stages))).problems


def test_who_judges_rejects_a_step_that_cannot_happen() -> None:
    """The judge trusts nobody: a message that was never sent stops the replay."""
    stages = run("paxos").stages
    assert "stage 1:" in changed("paxos", 0, stages[4])[-1]
    assert "cannot happen now" in changed("paxos", 0, stages[4])[-1]


def test_who_judges_rejects_who_is_not_served_in_turn() -> None:
    """A run in which a process is passed over is none of the theorem's."""
    first = run("paxos").stages[0]
    swapped = msgspec.structs.replace(run("paxos"), stages=run("paxos").stages[1:2])
    assert "n2 was served, and n1 was first" in examine(GALLERY["paxos"], swapped).problems[0]
    idle = Stage("n1", (Nothing(process="n2"),))
    assert first.process == "n1"
    assert "does not end with a step of n1" in changed("paxos", 0, idle)[0]


@pytest.mark.parametrize("name", sorted(GALLERY))
def test_a_run_in_which_nobody_is_let_start_is_not_admissible(name: str) -> None:
    """T31: a step without input is the time-out that waits, the first step of a process above all.
    Served in turn and never let act, all of them would be faulty; and nobody decides, of course."""
    subject = GALLERY[name]
    idle = [Stage(process, (Nothing(process=process),)) for process in subject.names]

    problems = examine(subject, Run(bits=BIVALENT, relaxation="none", stages=tuple(idle))).problems

    assert len(idle) == len(problems)
    assert all("a time-out of its was waiting" in problem for problem in problems)


def test_who_judges_rejects_a_message_that_is_put_off() -> None:
    """A process that has a message must take the earliest; to do nothing instead delays it."""
    number = next(
        n for n, stage in enumerate(run("paxos").stages) if len(stage.events) == 1 and n >= 4
    )
    lazy = Stage(run("paxos").stages[number].process, (Nothing(process=f"n{number % 3 + 1}"),))
    assert "to receive" in changed("paxos", number, lazy)[0]


def test_who_judges_rejects_a_decision() -> None:
    """A run in which somebody decides is a deciding run."""
    subject = GALLERY["first-message"]
    played = keep_undecided(subject, (0, 1, 0), 5)
    assert played.lost is not None
    whole = msgspec.structs.replace(played, stages=(*played.stages, Stage("n2", played.rest)))
    assert any("decided" in problem for problem in examine(subject, whole).problems)


@pytest.mark.parametrize(
    ("name", "relaxation"),
    [
        ("paxos", "bounded-delay"),
        ("paxos", "detector"),
        ("paxos", "lockstep"),
        ("rotating-coordinator", "bounded-delay"),
        ("rotating-coordinator", "detector"),
        ("rotating-coordinator", "lockstep"),
    ],
)
def test_t39_the_same_adversary_loses_when_the_model_is_relaxed(name: str, relaxation: str) -> None:
    """T39: same protocol, same adversary; with bounds, a detector that becomes right, or rounds,
    somebody decides; without them nobody has after more steps than that."""
    relaxed = run(name, relaxation, stages=200)
    assert relaxed.decisions
    assert 1 == len(set(relaxed.decisions.values()))
    free = run(name)
    assert not free.decisions
    assert len(relaxed.events) < len(free.events)


@pytest.mark.parametrize("name", ["paxos", "rotating-coordinator"])
@pytest.mark.parametrize("relaxation", ["bounded-delay", "detector", "lockstep"])
def test_t39_any_scheduler_that_obeys_lets_it_decide(name: str, relaxation: str) -> None:
    """T39: not only this adversary: schedulers that take any step they are left, by chance, see a
    decision within some hundred steps, from every mixed input."""
    referee = RELAXATIONS[relaxation].referee
    for seed, bits in enumerate(b for b in GALLERY[name].inputs() if 0 < sum(b) < 3):
        play, rng = Play(free_world(GALLERY[name], bits)), Random(seed)
        scene = play.opening()
        while not play.world.decided(scene.configuration):
            assert scene.clock < 400
            possible = play.possible(scene)
            chosen = rng.choice(list(referee(scene, possible)))
            scene = play.take(scene, possible[chosen][0])


def test_t39_a_relaxation_only_takes_events_away() -> None:
    """T39: the run under a relaxation is a run of the asynchronous model: it can be played again
    on the same processes, and they decide the same."""
    relaxed = run("paxos", "lockstep", stages=200)
    cast, perform = replayed(GALLERY["paxos"], BIVALENT)
    for event in relaxed.events:
        perform(event)
    assert relaxed.decisions == cast.decisions


@pytest.mark.parametrize("seed", range(8))
def test_t40_randomisation_escapes_once_the_adversary_cannot_choose_the_coins(seed: int) -> None:
    """T40: Ben-Or's protocol is open for ever if the coins fall as the adversary likes, and ends
    if they fall by chance."""
    assert run("ben-or").lost is None
    by_chance = run("ben-or", "chance", stages=400, seed=seed)
    assert by_chance.decisions
    assert () == examine(GALLERY["ben-or"], by_chance).problems


@pytest.mark.parametrize("name", ["wait-for-all", "first-majority", "first-message"])
def test_t40_who_breaks_a_premise_cannot_be_kept_undecided(name: str) -> None:
    """T40: without tolerance of a fault, or without agreement, the adversary gets nowhere."""
    for bits in GALLERY[name].inputs():
        played = keep_undecided(GALLERY[name], bits, 5)
        assert len(played.stages) <= 2
        assert played.decisions
