"""Effects are judged by what was measured."""

from __future__ import annotations

import pytest

from nemesis.capabilities import LinkReading
from nemesis.evidence import of_healing, of_links, of_processes, of_states
from nemesis.faults import (
    Corrupt,
    Duplicate,
    Kill,
    LinkFault,
    Lose,
    Partition,
    Pause,
    Reorder,
    Slow,
    Throttle,
)

AB, BA = ("n1", "n2"), ("n2", "n1")


def reading(**changes: object) -> LinkReading:
    """An open link on which nothing happened, except for the changes."""
    calm = {
        "reachable": True,
        "delay_ms": 0.1,
        "forwarded": 0,
        "dropped": 0,
        "duplicated": 0,
        "reordered": 0,
        "delayed": 0,
    }
    return LinkReading(**(calm | changes))  # type: ignore[arg-type]


def test_a_partition_is_in_effect_when_no_cut_link_carries() -> None:
    """All of its links, and each of them measured; one that is open is named."""
    cut = Partition(links=(AB, BA))
    shut = reading(reachable=False, delay_ms=None)
    assert of_links(cut, {}, {AB: shut, BA: shut}).in_effect
    half = of_links(cut, {}, {AB: shut, BA: reading()})
    assert not half.in_effect
    assert half.observed == {"cut": 1, "still_open": ("n2>n1",)}
    assert not of_links(cut, {}, {AB: shut}).in_effect
    assert not of_links(Partition(), {}, {AB: shut}).in_effect


@pytest.mark.parametrize(
    ("delays_ms", "distribution", "effect"),
    [
        ((60.0, 45.0), "normal", True),
        ((1.0, 2.0), "normal", False),
        ((None, None), "normal", True),
        ((13.0, 20.0), "exponential", True),
        ((13.0, 20.0), "normal", False),
    ],
)
def test_slow_shows_in_the_delay_of_probes(
    delays_ms: tuple[float | None, float | None], distribution: str, *, effect: bool
) -> None:
    """The median of the links against the mean that was asked for; silence is slow as well."""
    fault = Slow(mean_ms=50.0, distribution=distribution, links=(AB, BA))  # type: ignore[arg-type]
    now = {link: reading(delay_ms=d) for link, d in zip((AB, BA), delays_ms, strict=True)}
    assert of_links(fault, {}, now).in_effect is effect


@pytest.mark.parametrize(
    ("fault", "counter"),
    [
        (Lose(links=(AB,)), "dropped"),
        (Duplicate(links=(AB,)), "duplicated"),
        (Reorder(links=(AB,)), "reordered"),
        (Throttle(links=(AB,)), "delayed"),
        (Corrupt(links=(AB,)), "corrupted"),
    ],
)
def test_faults_of_traffic_show_in_counters_since_they_began(
    fault: LinkFault, counter: str
) -> None:
    """A counter that stood there before, or of another link, is no evidence."""
    before = {AB: reading(**{counter: 7}), BA: reading()}
    still = {AB: reading(**{counter: 7}), BA: reading(**{counter: 9})}
    grown = {AB: reading(**{counter: 8}), BA: reading()}
    assert not of_links(fault, before, still).in_effect
    found = of_links(fault, before, grown)
    assert found.in_effect
    assert found.observed["frames"][counter] == 1
    for other in {"dropped", "duplicated", "reordered", "delayed", "corrupted"} - {counter}:
        assert not of_links(fault, before, {AB: reading(**{counter: 7, other: 5})}).in_effect


def test_processes_must_all_be_what_was_ordered() -> None:
    """Dead is not paused, and one of two is not both; an unreported node is unknown."""
    kill, pause = Kill(nodes=("n1", "n2")), Pause(nodes=("n1", "n2"))
    assert of_processes(kill, {"n1": "dead", "n2": "dead", "n3": "running"}).in_effect
    assert not of_processes(kill, {"n1": "dead", "n2": "paused"}).in_effect
    assert of_processes(pause, {"n1": "paused", "n2": "paused"}).in_effect
    assert of_processes(pause, {"n1": "paused"}).observed == {
        "states": {"n1": "paused", "n2": "unknown"}
    }
    assert not of_states({}, {"n1": "running"}).in_effect


def test_a_healed_link_carries_again() -> None:
    """Links that should be open are; what the fault did in its life is told."""
    cut = Partition(links=(AB, BA))
    before = {AB: reading(), BA: reading(dropped=2)}
    now = {AB: reading(dropped=40), BA: reading(dropped=4, reachable=False)}
    partly = of_healing(cut, [AB], before, now)
    assert partly.in_effect
    assert partly.observed["frames"]["dropped"] == 42
    wholly = of_healing(cut, [AB, BA], before, now)
    assert not wholly.in_effect
    assert wholly.observed["unreachable"] == ("n2>n1",)
