"""Choices: named streams of one seed, given, recorded and given again."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.choices import MACHINE, Choices, ChosenRandom

LOTS = 1_000_000


def drawn(choices: Choices, name: str, count: int = 5) -> list[int]:
    return [choices.stream(name).below(LOTS) for _ in range(count)]


def test_streams_do_not_disturb_each_other() -> None:
    """Rule 1: what one part draws does not shift what others do."""
    alone = drawn(Choices(7), "b")
    choices = Choices(7)
    drawn(choices, "a", 100)
    assert alone == drawn(choices, "b")
    assert drawn(Choices(7), "a") != alone != drawn(Choices(8), "b")


def test_given_numbers_come_first_and_then_the_plainest() -> None:
    """Rule 2: zeros where they end, and in streams that are not given at all."""
    choices = Choices(1, {"a": [4, 5]})
    assert [4, 5, 0, 0, 0] == drawn(choices, "a")
    assert [0] * 5 == drawn(choices, "b")


def test_given_numbers_may_be_followed_by_drawn_ones() -> None:
    """`then_drawn`: the seed goes on, from its beginning."""
    choices = Choices(1, {"a": [4, 5]}, then_drawn=True)
    assert [4, 5, *drawn(Choices(1), "a", 3)] == drawn(choices, "a")
    assert drawn(Choices(1), "b") == drawn(choices, "b")


def test_machines_draw_from_the_seed_where_nothing_is_given() -> None:
    """Rule 2: nodes that all took the least of their time-outs would stand again and again."""
    name = f"{MACHINE}n1 1"
    explicit = Choices(3, {"a": [1]})
    assert drawn(Choices(3), name) == drawn(explicit, name)
    assert {} == explicit.taken()
    assert [9, *drawn(Choices(3), name, 4)] == drawn(Choices(3, {name: [9]}), name)


def test_numbers_beyond_an_end_wrap() -> None:
    """A number that was shrunk, or came from another place, is still a choice."""
    assert [1, 2] == [Choices(1, {"a": [n]}).stream("a").below(3) for n in (10**9, 5)]


names = st.sampled_from(["a", "b", f"{MACHINE}n1 1", f"{MACHINE}n2 1"])
numbers = st.lists(st.sampled_from([0, 0, 1, 7]), max_size=6)


@given(
    given_=st.none() | st.dictionaries(names, numbers),
    then_drawn=st.booleans(),
    takes=st.lists(names, max_size=30),
)
def test_what_was_taken_gives_the_same_again(
    given_: dict[str, list[int]] | None, then_drawn: bool, takes: list[str]
) -> None:
    """Rule 3, whatever was given: a run is repeated by its choices, and those are stable."""
    first = Choices(5, given_, then_drawn)
    seen = [first.stream(name).below(LOTS) for name in takes]
    again = Choices(5, first.taken())
    assert seen == [again.stream(name).below(LOTS) for name in takes]
    assert first.taken() == again.taken()


def test_the_randomness_of_a_machine_is_a_stream_of_choices() -> None:
    """All that Random offers is drawn from random() and getrandbits(), which are recorded."""
    choices = Choices(2)
    random = ChosenRandom(choices.stream(f"{MACHINE}n1 1"))
    first = [random.uniform(1, 2), random.choice("abc"), random.sample(range(9), 3), random.gauss()]
    taken = choices.stream(f"{MACHINE}n1 1").taken
    again = ChosenRandom(Choices(99, {f"{MACHINE}n1 1": taken}).stream(f"{MACHINE}n1 1"))
    second = [again.uniform(1, 2), again.choice("abc"), again.sample(range(9), 3), again.gauss()]
    assert first == second
    assert isinstance(random, Random)


def test_the_plainest_machine_ends_its_draws() -> None:
    """Zeros are an answer to every question, also to those asked until the answer fits."""
    random = ChosenRandom(Choices(1, {f"{MACHINE}n1 1": [0] * 99}).stream(f"{MACHINE}n1 1"))
    assert (0.0, 0, [0, 1]) == (random.random(), random.randrange(1000), random.sample([0, 1], 2))
