"""Laws that hold for every generator, however composed."""

from __future__ import annotations

import os
import subprocess
import sys

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from checkers.history import History, Operation
from harness.generators import (
    Context,
    Generator,
    GeneratorError,
    Invocation,
    Request,
    Roster,
    concurrency_limit,
    constant,
    delay,
    each_process,
    each_worker,
    generate,
    limit,
    mix,
    phases,
    process_limit,
    repeat,
    reserve,
    rotate_keys,
    sequence,
    stagger,
    synchronize,
    time_limit,
    until_ok,
    weighted,
)
from harness.generators.contract import Answer
from harness.generators.simulate import perfect, refuses, simulate, times_out, unreliable

NS = 1e-9
SYSTEMS = (perfect, refuses, times_out, unreliable)

leaves = st.sampled_from(
    [
        constant("read"),
        limit(3, constant("write", 1)),
        generate(lambda n, context: Request("w", [n, context.random.randrange(9)])),
    ]
)


def composed(inner: st.SearchStrategy[Generator]) -> st.SearchStrategy[Generator]:
    some = st.lists(inner, min_size=1, max_size=3)
    number = st.integers(1, 5)
    return st.one_of(
        some.map(lambda g: mix(*g)),
        some.map(lambda g: sequence(*g)),
        some.map(lambda g: phases(*g)),
        st.tuples(inner, inner).map(lambda g: weighted((1, g[0]), (5, g[1]))),
        st.tuples(inner, inner).map(lambda g: reserve((1, g[0]), rest=g[1])),
        st.tuples(number, inner).map(lambda g: limit(*g)),
        st.tuples(number, inner).map(lambda g: delay(g[0] * 7 * NS, g[1])),
        st.tuples(number, inner).map(lambda g: stagger(g[0] * 7 * NS, g[1])),
        st.tuples(number, inner).map(lambda g: time_limit(g[0] * 40 * NS, g[1])),
        st.tuples(number, inner).map(lambda g: process_limit(*g)),
        st.tuples(number, inner).map(lambda g: concurrency_limit(*g)),
        inner.map(until_ok),
        inner.map(synchronize),
        inner.map(lambda g: repeat(g, 2)),
        inner.map(
            lambda g: rotate_keys(
                lambda _k: sequence(constant("first"), g), live=2, operations_per_key=4
            )
        ),
    )


trees = st.recursive(leaves, composed, max_leaves=6)
# Each copy needs a context of one worker, in which reserve has nothing to divide.
generators = st.one_of(
    trees, st.sampled_from([each_worker, each_process]).flatmap(lambda each: leaves.map(each))
)


class AskedTwice:
    """Asks every question twice with the same chance, and wants the same answer."""

    def __init__(self, inner: Generator) -> None:
        self.inner = inner

    def op(self, context: Context) -> tuple[Answer, Generator]:
        state = context.random.getstate()
        first, _ = self.inner.op(context)
        context.random.setstate(state)
        again, after = self.inner.op(context)
        assert first == again
        return again, AskedTwice(after)

    def update(self, context: Context, event: Operation) -> Generator:
        self.inner.update(context, event)
        return AskedTwice(self.inner.update(context, event))


def run(generator: Generator, seed: int, system: int) -> list[Operation]:
    return simulate(generator, workers=8, seed=seed, system=SYSTEMS[system], operations_max=60)


@settings(max_examples=150, deadline=None)
@given(generators, st.integers(0, 9), st.integers(0, len(SYSTEMS) - 1))
def test_every_history_is_well_formed_and_repeats_itself(
    generator: Generator, seed: int, system: int
) -> None:
    """A process has one operation open at a time, time never goes back, and the same seed gives
    the same history though every question is asked twice."""
    try:
        history = run(generator, seed, system)
    except GeneratorError as wrong:
        if "reserve wants" in str(wrong):  # nested too deep for eight workers
            reject()
        raise
    assert len(History(history).calls()) <= 60
    assert history == run(AskedTwice(generator), seed, system)


def keys_of(history: list[Operation]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for o in history:
        if o.type == "invoke":
            counts[o.key] = counts.get(o.key, 0) + 1
    return counts


def test_rotating_keys_are_bounded_and_do_not_line_up() -> None:
    """A retired key has between half of its operations and all; several live at once; the moments
    of retirement differ."""
    g = rotate_keys(lambda _k: constant("a"), live=3, operations_per_key=20)
    history = simulate(limit(900, g), workers=10)
    counts = keys_of(history)
    retired = list(counts.values())[:-3]
    assert all(10 <= n <= 20 for n in retired)
    assert len(set(retired)) > 3
    last = {o.key: o.index for o in history if o.type == "invoke"}
    first = {o.key: o.index for o in reversed(history) if o.type == "invoke"}
    live = [sum(first[k] <= i <= last[k] for k in counts) for i in range(200, 1600)]
    assert max(live) == 3


def test_a_key_with_many_unknown_outcomes_is_retired() -> None:
    """The number of infos on a key is bounded by its own limit plus what was in flight."""
    g = rotate_keys(lambda _k: constant("a"), live=2, operations_per_key=1000, unknown_per_key=5)
    history = simulate(limit(400, g), workers=6, system=times_out)
    assert max(keys_of(history).values()) <= 5 + 6


def test_a_key_generator_sees_its_own_events_only() -> None:
    """until_ok on a key ends by a success on that key, and the key is then replaced."""
    g = rotate_keys(lambda _k: until_ok(constant("a")), live=3, operations_per_key=50)
    history = simulate(limit(60, g), workers=3)
    oks: dict[str, int] = {}
    for o in history:
        if o.type == "invoke":
            assert oks.get(o.key, 0) == 0
        else:
            oks[o.key] = oks.get(o.key, 0) + 1
    assert len(oks) > 20


SCRIPT = """
from harness.generators import *
from harness.generators.simulate import simulate, unreliable
g = stagger(3e-8, mix(reserve((2, constant("r")), rest=generate(
    lambda n, c: Request("w", [n, c.random.random()]))), constant("x")))
keys = rotate_keys(lambda k: g, live=3, operations_per_key=9)
for o in simulate(limit(300, keys), workers=7, seed=11, system=unreliable):
    print(o)
"""


def test_another_process_with_another_hash_seed_gives_the_same_history() -> None:
    """Determinism: the same seed gives the same operations byte for byte."""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in ("0", "1")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\n") == 600


def test_another_seed_gives_another_history() -> None:
    """Chance is the seed's."""
    g = limit(50, mix(constant("a"), constant("b")))
    assert simulate(g, seed=1) != simulate(g, seed=2)


def test_a_question_asked_again_has_the_same_answer() -> None:
    """Chance belongs to the place of an operation in the run, not to the moment of asking."""
    roster = Roster(8, seed=4)
    g = generate(lambda n, context: Request("w", [n, context.random.random()]))
    first, _ = roster.ask(g, 0)
    again, after = roster.ask(g, 1)
    assert first == again
    assert isinstance(again, Invocation)
    roster.take(again.worker)
    following, _ = roster.ask(after, 2)
    assert isinstance(following, Invocation)
    assert following.value[1] != again.value[1]


def test_how_often_a_generator_is_polled_leaves_no_mark() -> None:
    """The choices of a run depend on its seed and on what was taken, not on how often it woke."""
    g = limit(40, stagger(50 * NS, mix(constant("a"), constant("b"), constant("c"))))
    few = [o.f for o in simulate(g, workers=1, seed=3) if o.type == "invoke"]
    many = [o.f for o in simulate(g, workers=9, seed=3, system=unreliable) if o.type == "invoke"]
    assert few == many
