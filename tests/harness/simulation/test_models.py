"""The models of failure and time as switches, and what the reference guarantees under each.

The claims of docs/simulation.md: T4 to T9 of docs/theory.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from statistics import median

import msgspec
import pytest

from checkers.verdict import Kind
from harness.contracts import EnvironmentTrouble
from harness.machine import Detected, Event
from harness.simulation.choices import Choices
from harness.simulation.fence import Fence
from harness.simulation.loop import VirtualLoop
from harness.simulation.settings import Settings, mistakes_of, settings
from harness.simulation.world import World
from nemesis.faults import (
    Betray,
    Duplicate,
    Fault,
    FillDisk,
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
    Throttle,
)
from nemesis.schedule import Schedule, Step
from tests.harness.simulation.runs import during, of_clients, run, silence_ms, slowest_ms, trial

LEADER_OF_2 = "n1"  # of three nodes, by seed 2
LEADER_LOST = during(Kill(target="leaders"))
SYNCHRONOUS = {"time": "synchronous"}
BYZANTINE = {"failure": "byzantine"}


class Listener:
    """Hears of others, and of them only."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []

    def handle(self, event: Event, now: float) -> list[object]:  # noqa: ARG002
        if isinstance(event, Detected):
            self.heard.append((event.node, event.up))
        return []


class Watch:
    """Three listeners in a world with a detector, or without."""

    def __init__(self, failure: str) -> None:
        self.loop = VirtualLoop()
        self.machines: dict[str, Listener] = {}
        self.world = World(
            ["n1", "n2", "n3"],
            self._build,
            loop=self.loop,
            choices=Choices(1),
            settings=settings({"failure": failure}),
            fence=Fence(),
        )
        for node in self.world.nodes.values():
            node.start()

    def _build(self, name: str, *_: object) -> Listener:  # type: ignore[override]
        machine = self.machines[name] = Listener()
        return machine

    def wait(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0.1))


def killed(watch: Watch) -> None:
    watch.world.nodes["n1"].kill()


def without_power(watch: Watch) -> None:
    watch.world.nodes["n1"].kill(power=True)


def raising(watch: Watch) -> None:
    watch.machines["n1"].handle = lambda *_: [][1]  # type: ignore[method-assign]
    watch.world.nodes["n1"].request(1, {})


@pytest.mark.parametrize("end", [killed, without_power, raising])
def test_t4_every_death_is_told_to_all_others_and_every_return(
    end: Callable[[Watch], None],
) -> None:
    """The detector is complete and accurate, whatever a node died of; a node that comes back hears
    who is down; nobody is suspected who lives, a paused node least of all."""
    watch = Watch("fail-stop")
    watch.wait()
    watch.world.nodes["n2"].pause()
    end(watch)
    watch.wait()
    watch.world.nodes["n2"].resume()
    assert [[], [("n1", False)]] == [watch.machines["n1"].heard, watch.machines["n2"].heard]
    watch.world.nodes["n3"].kill()
    watch.world.nodes["n3"].start()
    watch.wait()
    assert [("n1", False)] == watch.machines["n3"].heard
    assert [("n1", False), ("n3", False), ("n3", True)] == watch.machines["n2"].heard
    watch.loop.close()


def test_t4_a_disk_that_is_full_stops_its_node_and_that_is_told() -> None:
    """As nobody ordered it, only the node itself can tell."""
    full = during(FillDisk(target="leaders"))
    options = {"failure": "fail-stop"}
    with_word = run(trial(3, options), full)
    without = run(trial(3), full)
    assert silence_ms(with_word) < silence_ms(without) / 2
    assert Kind.VALID == with_word.verdict().kind


def test_t4_a_new_leader_is_found_sooner_with_a_detector() -> None:
    """Fail-stop: without success for the word's time and one election, instead of a time-out."""
    seeds = range(1, 5)
    crash = [silence_ms(run(trial(seed), LEADER_LOST)) for seed in seeds]
    stop = [silence_ms(run(trial(seed, {"failure": "fail-stop"}), LEADER_LOST)) for seed in seeds]
    assert median(stop) * 3 < median(crash)
    assert max(stop) < min(crash)


def test_t5_without_a_detector_a_dead_node_is_a_slow_one() -> None:
    """Fail-crash: the others do the same, byte for byte, whether a node was killed or only paused;
    and nobody is ever told."""
    watch = Watch("fail-crash")
    killed(watch)
    watch.wait()
    assert [[], [], []] == [machine.heard for machine in watch.machines.values()]
    watch.loop.close()

    def others(fault: Fault) -> list[tuple[str, str]]:
        # One client, which asks for nothing: a kill resets its connection, a pause does not.
        simulated = run(
            trial(2, nodes=3, clients=1, rate=0.001),
            Schedule(duration_s=3.0, steps=(Step(1.0, 1, "start", fault),)),
        )
        events = [(msgspec.json.decode(line), line) for line in simulated.lines]
        return [
            (event["event"], line)
            for event, line in events
            if event["node"] != LEADER_OF_2 and 10**9 < event["time"] < 3 * 10**9
        ]

    after_kill = others(Kill(target=LEADER_OF_2))
    assert "leader" in {name for name, _ in after_kill}, "it led, and was replaced"
    assert after_kill == others(Pause(target=LEADER_OF_2))


@pytest.mark.parametrize("workload", ["register", "log", "consensus"])
def test_t5_crashes_break_no_promise_and_progress_comes_back(workload: str) -> None:
    """Fail-crash, with power failures: safe, and live again on the healed system."""
    verdict = run(trial(4, workload=workload, faults="crashes+disks")).verdict()
    assert Kind.INVALID != verdict.kind, verdict.summary
    kinds = {part.checker: part.kind for part in verdict.parts}
    assert Kind.VALID == kinds["termination"]


def test_t6_lies_break_paxos() -> None:
    """Byzantine: Paxos assumes that nobody lies, and the harness sees what comes of it."""
    simulated = run(trial(1, BYZANTINE, faults="byzantine", rate=150.0, time_limit_s=8.0))
    assert Kind.INVALID == simulated.verdict().kind


def test_t6_lies_are_counted_and_are_lies() -> None:
    """A traitor's evidence is what it said that was not so: nothing else is counted."""
    simulated = run(
        trial(1, BYZANTINE),
        during(Betray(target="leaders", behaviour="forge")),
    )
    told = [o.value for o in simulated.history if o.process == "nemesis" and o.f == "betray"]
    assert told[-1]["in_effect"] is True


@pytest.mark.parametrize("behaviour", ["alter", "equivocate", "forge"])
def test_t6_what_is_counted_was_not_so(behaviour: str) -> None:
    """Each lie differs from the truth, each message that differs is counted, and to equivocate is
    to tell some of them the truth."""
    world = Watch("byzantine").world
    world.corrupt_node("n1", [behaviour])
    lie = world.nodes["n1"].lie
    assert lie is not None
    truths = [{"ballot": [3, "n1"], "value": 0}, ["nothing", "about", None], {}]
    told = [(dst, truth, lie(dst, truth)) for truth in truths for dst in ("n2", "n3") * 50]
    lies = [dst for dst, truth, said in told if said != truth]
    assert 0 < len(lies) == world.lies["n1"]
    assert ({"n2"} if behaviour == "equivocate" else {"n2", "n3"}) == set(lies)
    world.corrupt_node("n1", [])
    assert world.nodes["n1"].lie is None
    world.loop.close()


def test_t6_nobody_lies_unless_the_model_has_liars() -> None:
    """Rule 3 of settings: a fault beyond the model is refused before the run."""
    with pytest.raises(EnvironmentTrouble, match="betray"):
        run(trial(1), during(Betray()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_t7_every_frame_arrives_within_the_bound(seed: int) -> None:
    """Synchronous: between nodes and to clients, through crashes, by the world's own log."""
    options = {**SYNCHRONOUS, "least_us": "300", "spread_us": "1200"}
    simulated = run(trial(seed, options, faults="crashes"), log=True)
    sent = {e.id: e for e in simulated.world if e.what == "send"}
    late = [
        (e.time - sent[e.id].time)
        for e in simulated.world
        if e.what == "receive" and "client" not in (e.src, e.node)
    ]
    assert 1000 < len(late)
    assert 300_000 <= min(late) <= max(late) < 1_500_000


@pytest.mark.parametrize("seed", range(1, 5))
def test_t7_every_operation_ends_within_a_bound_after_a_crash(seed: int) -> None:
    """Synchronous: a suspicion, an election and a round are bounded, so success is."""
    simulated = run(trial(seed, SYNCHRONOUS), LEADER_LOST)
    assert silence_ms(simulated) < 600
    assert slowest_ms(simulated) < 600


@pytest.mark.parametrize(
    "fault",
    [
        Partition(topology="isolate"),
        Hold(),
        Lose(probability=0.1),
        Duplicate(probability=0.1),
        Reorder(probability=0.1),
        Slow(mean_ms=100),
        Throttle(bytes_per_s=1000),
        Pause(),
        SlowDisk(mean_ms=100),
        SkewClock(offset_ms=100),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_t7_what_would_break_the_bound_is_refused(fault: Fault) -> None:
    """Synchronous is a promise; with the sentence that says what to do."""
    with pytest.raises(
        EnvironmentTrouble, match="breaks the bounds that time=synchronous promises"
    ):
        run(trial(1, SYNCHRONOUS), during(fault))


@pytest.mark.parametrize("fault", [Kill(), LoseUnsynced(), FillDisk()])
def test_t7_what_keeps_the_bound_is_not(fault: Fault) -> None:
    """Crashes, whatever is lost with them."""
    assert Kind.INVALID != run(trial(1, SYNCHRONOUS), during(fault)).verdict().kind


def test_t7_asynchrony_stalls_progress_and_never_safety() -> None:
    """Asynchronous: while every link keeps what it carries nothing succeeds; nothing false is
    said, and what was held changes nothing when it comes."""
    simulated = run(trial(1), during(Hold(target="all")))
    assert 1400 < silence_ms(simulated)
    assert Kind.INVALID != simulated.verdict().kind


@pytest.mark.parametrize("seed", [1, 2])
def test_t8_the_network_that_paxos_assumes_breaks_nothing(seed: int) -> None:
    """Loss, duplication and reordering at once, all seen in effect."""
    faults = (Lose(probability=0.1), Duplicate(probability=0.3), Reorder(probability=0.3))
    steps = [Step(0.5, id_, "start", fault) for id_, fault in enumerate(faults, 1)]
    simulated = run(trial(seed), Schedule(duration_s=3.0, steps=tuple(steps)))
    assert Kind.INVALID != simulated.verdict().kind
    seen = {
        o.f for o in simulated.history if isinstance(o.value, dict) and o.value.get("in_effect")
    }
    assert {"lose", "duplicate", "reorder"} <= seen
    assert 100 < sum(o.type == "ok" for o in of_clients(simulated))


def test_t9_the_defaults_assume_least() -> None:
    """Rule 3 of settings: a stronger assumption is only ever chosen."""
    assert ("fail-crash", "asynchronous", "any") == (
        Settings().failure,
        Settings().time,
        Settings().order,
    )


@pytest.mark.parametrize("failure", ["fail-crash", "fail-stop", "byzantine"])
@pytest.mark.parametrize("time", ["asynchronous", "synchronous"])
@pytest.mark.parametrize("order", ["any", "fifo"])
def test_t9_the_switches_are_independent(failure: str, time: str, order: str) -> None:
    """Every combination runs; where nobody lies, crashes break nothing."""
    options = {"failure": failure, "time": time, "order": order}
    simulated = run(trial(1, options, time_limit_s=1.5), during(Kill(target="leaders"), 0.5, 1.2))
    assert Kind.INVALID != simulated.verdict().kind


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"failure": "fail-crach"}, "cluster option failure is 'fail-crach'"),
        ({"failur": "fail-stop"}, "no option 'failur'"),
        ({"least_us": "-1"}, "cluster option least_us is '-1'"),
        ({"time": "synchronous", "tail": "true"}, "tail bounds nothing"),
        ({"time": "synchronous", "scheduler": "depth"}, "beyond every bound"),
    ],
)
def test_t9_a_switch_that_does_not_exist_is_told(options: dict[str, str], sentence: str) -> None:
    """With what there is."""
    assert sentence in mistakes_of(options)[0]
