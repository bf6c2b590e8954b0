"""Plans and packages: repeatable, healed at the end, and of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemesis import packages, plans
from nemesis.faults import CorruptDisk, Kill, Partition, Pause, SkewClock, TruncateDisk, tag
from nemesis.plans import QUIET_END_S, QUIET_START_S, Act, Scene, flap, overlay
from nemesis.resolution import FAULTS, nodes_min
from nemesis.schedule import Schedule, Step, mistakes_of
from nemesis.worlds import CLOCK_MS

names = st.sampled_from(sorted(packages.PACKAGES))
seeds = st.integers(0, 10_000)
durations = st.floats(0, 120)

DEFAULT_SEEDS = range(200)


def intervals(schedule: Schedule) -> Iterator[tuple[float, float, str]]:
    """(start, stop, kind) of every fault; a fault that never stops has no interval and raises."""
    stops = {s.id: s.at_s for s in schedule.steps if s.action == "stop"}
    for step in schedule.steps:
        if step.fault is not None:
            yield step.at_s, stops[step.id], tag(step.fault)


def gaps(schedule: Schedule) -> list[tuple[float, float]]:
    """When nothing is broken, between the first fault and the last."""
    found, busy_until = [], None
    for start, stop, _ in sorted(intervals(schedule)):
        if busy_until is not None and start > busy_until:
            found.append((busy_until, start))
        busy_until = stop if busy_until is None else max(busy_until, stop)
    return found


@given(names, seeds, durations, st.integers(1, 7))
def test_schedules_are_sound_and_end_healed(
    name: str, seed: int, duration_s: float, nodes: int
) -> None:
    """Steps are ordered, all that starts stops, before the end; small clusters can play them."""
    schedule = packages.schedule(name, seed, duration_s, nodes)
    assert mistakes_of(schedule) == []
    for start, stop, _ in intervals(schedule):
        assert QUIET_START_S <= start < stop <= duration_s - QUIET_END_S + 0.001
    assert all(nodes_min(fault) <= nodes for fault in schedule.faults())


@given(names, seeds, durations)
def test_a_seed_repeats_a_schedule(name: str, seed: int, duration_s: float) -> None:
    """The same package, seed and length: the same schedule."""
    once = packages.schedule(name, seed, duration_s)
    assert once == packages.schedule(name, seed, duration_s)


def test_seeds_differ() -> None:
    """Another seed, another schedule; else all the nightly runs would be one."""
    assert len({packages.schedule("default", seed, 30).steps for seed in range(50)}) == 50


def test_the_default_half_minute_is_full_and_leaves_time_to_serve() -> None:
    """30 s: all eight scenes or one more, every kind, and at least half a second between two."""
    for seed in DEFAULT_SEEDS:
        schedule = packages.schedule("default", seed, 30)
        faults = list(intervals(schedule))
        assert {"partition", "kill", "pause"} == {kind for _, _, kind in faults}
        assert 8 <= len(gaps(schedule)) + 1 <= 9
        assert 12 <= len(faults) <= 16
        assert all(stop - start <= 4.5 for start, stop, _ in faults)
        assert all(end - begin >= 0.499 for begin, end in gaps(schedule))


def test_every_default_run_aims_at_leaders_and_breaks_majorities() -> None:
    """Each run cuts leaders off, stalls one for longer than an election, and kills a majority."""
    for seed in DEFAULT_SEEDS:
        schedule = packages.schedule("default", seed, 30)
        stops = {s.id: s.at_s for s in schedule.steps if s.action == "stop"}
        stalls = [
            stops[s.id] - s.at_s for s in schedule.steps if s.fault == Pause(target="leaders")
        ]
        assert stalls
        assert min(stalls) >= 1.5
        faults = schedule.faults()
        assert any(f in faults for f in (Kill(target="all"), Kill(target="leaders-majority")))
        assert Kill(target="connected") in faults
        assert faults.count(Partition(topology="leader-only")) >= 2


def test_all_scenes_of_the_default_come_up() -> None:
    """Over seeds, every alternative is dealt."""
    dealt = {f for seed in range(60) for f in packages.schedule("default", seed, 30).faults()}
    (deck,) = packages.package("default").decks
    assert {act.fault for slot in deck for scene in slot for act in scene.acts} == dealt


@given(seeds)
def test_a_short_run_sees_every_kind_first(seed: int) -> None:
    """Ten seconds fit a few scenes only; with them come all three kinds."""
    kinds = {tag(f) for f in packages.schedule("default", seed, 15).faults()}
    assert {"partition", "kill", "pause"} == kinds


def test_a_run_too_short_for_any_scene_is_quiet() -> None:
    """Nothing is broken that could not be healed in time."""
    assert packages.schedule("default", 1, 2.0).steps == ()


def test_a_long_run_deals_again() -> None:
    """After a round comes another: five minutes are not half a minute and a rest."""
    schedule = packages.schedule("default", 4, 300)
    assert max(stop for _, stop, _ in intervals(schedule)) > 290
    assert len(schedule.faults()) > 90


def test_packages_join() -> None:
    """'+' or a list deal from the decks of all; chaos overlaps kinds, since its tracks do."""
    joined = packages.package("partitions+pauses")
    assert joined == packages.package(["partitions", "pauses"])
    assert joined.name == "partitions+pauses"
    (deck,) = joined.decks
    kinds = {kind for slot in deck for scene in slot for kind in scene.kinds()}
    assert {"partition", "pause"} == kinds
    assert len(packages.package("chaos+none").decks) == 2
    faults = sorted(intervals(packages.schedule("chaos", 1, 60)))
    assert any(
        b_start < a_stop and a_kind != b_kind
        for (_, a_stop, a_kind), (b_start, _, b_kind) in pairwise(faults)
    )


def kinds_of(name: str) -> set[str]:
    decks = packages.package(name).decks
    return {kind for deck in decks for slot in deck for scene in slot for kind in scene.kinds()}


def test_only_byzantine_and_truncation_go_beyond_what_paxos_assumes() -> None:
    """No other package lies, alters messages or lets disks forget; damage to disks is in
    `corruption` alone, and both strike only whoever can be spared."""
    for name in packages.PACKAGES:
        assert name == "byzantine" or not kinds_of(name) & {"betray", "corrupt"}
        assert name == "corruption" or "corrupt-disk" not in kinds_of(name)
        assert name == "truncation" or "truncate-disk" not in kinds_of(name)
    decks = packages.package("corruption+truncation").decks
    acts = [act for deck in decks for slot in deck for scene in slot for act in scene.acts]
    struck = {act.fault.target for act in acts if isinstance(act.fault, CorruptDisk | TruncateDisk)}
    assert struck == {"expendable"}


def test_everything_is_every_fault_that_a_correct_system_bears() -> None:
    """No kind is missing from it but those beyond, and those that few systems offer; of these but
    upgrades, each has a package."""
    beyond = {"betray", "corrupt", "corrupt-disk", "truncate-disk"}
    rare = {"fail-disk": "io-errors", "remove-member": "members"}
    assert set(FAULTS) - kinds_of("everything") == beyond | set(rare) | {"upgrade"}
    assert all(kinds_of(name) == {kind} for kind, name in rare.items())
    assert kinds_of("chaos") < kinds_of("everything")


def test_calm_outlasts_the_clocks() -> None:
    """A clock that is set right stands still for as long as it was ahead: then comes time to
    serve."""
    for deck in packages.package("clocks").decks:
        for scene in (scene for slot in deck for scene in slot):
            skews = [a for a in scene.acts if isinstance(a.fault, SkewClock)]
            for act in skews:
                assert isinstance(act.fault, SkewClock)
                lasts_s = (act.stop - act.start) * scene.length_s[1]
                ahead_s = act.fault.offset_ms / 1000 + act.fault.drift * lasts_s
                rest_s = (1 - act.stop) * scene.length_s[0]
                assert ahead_s <= CLOCK_MS / 1000
                assert scene.calm_s[0] + rest_s >= ahead_s + 0.4


def test_unknown_packages_get_the_nearest_name() -> None:
    """All of them at once, and the empty name too."""
    with pytest.raises(ValueError, match=r"'crashs': did you mean 'crashes'.*'linkz'"):
        packages.package("crashs+linkz")
    assert packages.mistakes([]) == ["no package of faults is named"]
    assert packages.mistakes("none") == []
    assert "unknown package of faults ''" in packages.mistakes("links+")[0]


def test_flapping_is_on_and_off() -> None:
    """n times on, n - 1 times off, all of the same length, from the first share to the last."""
    acts = flap(Kill(), 3, 0.0, 1.0)
    assert [(round(a.start, 6), round(a.stop, 6)) for a in acts] == [
        (0.0, 0.2),
        (0.4, 0.6),
        (0.8, 1.0),
    ]


def test_a_handover_stops_before_it_starts() -> None:
    """Where one fault ends at the moment another begins, the stop comes first."""
    first = Schedule(9.0, 1, (Step(1.0, 1, "start", Kill()), Step(2.0, 1, "stop")))
    second = Schedule(9.0, 2, (Step(2.0, 1, "start", Pause()), Step(3.0, 1, "stop")))
    steps = overlay(first, second).steps
    assert [(s.action, s.id) for s in steps] == [
        ("start", 1),
        ("stop", 1),
        ("start", 2),
        ("stop", 2),
    ]
    assert mistakes_of(overlay(first, second)) == []


def test_a_deck_without_a_playable_scene_does_nothing() -> None:
    """One node cannot be partitioned: the plan is empty and ends."""
    ring = Scene(name="ring", story="", acts=(Act(Partition(topology="majorities-ring")),))
    assert plans.schedule([((ring,),)], 1, 30.0, nodes=2).steps == ()
