"""What can be told to a model by name, and how a model is spelled so that another can be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checkers.history import Call, HistoryError, Operation
from checkers.models import (
    MODELS,
    OPTIONS,
    Bank,
    Effect,
    Learns,
    Model,
    Register,
    Requires,
    model,
    spelled,
)


def call(f: str, value: Any = None, output: Any = None) -> Call:
    """An ok call."""
    return Call(
        Operation(index=0, time=0, process=0, type="invoke", f=f, value=value),
        Operation(index=1, time=0, process=0, type="ok", f=f, value=output),
    )


def allows(m: Model, *calls: Call) -> bool:
    states = {m.init()}
    for c in calls:
        step = m.read(c)
        assert step is not None
        states = {after for state in states for after in m.step(state, step)}
    return bool(states)


PAY = call("transfer", {"from": "0", "to": 1, "amount": 4})


def test_a_register_may_begin_with_a_value() -> None:
    """`initial` is any JSON value."""
    m = model("cas-register", {"initial": [1]})

    assert allows(m, call("cas", [[1], 2]), call("read", output=2))
    assert not allows(m, call("read", output=None))


def test_a_bank_that_knows_its_balances_judges_the_first_read() -> None:
    """Whether by account or the same in each; without them the first read tells."""
    for options in ({"balances": {"0": 10, 1: 10}}, {"accounts": 2, "balance": 10}):
        m = model("bank", options)
        assert allows(m, PAY, call("read", output={"0": 6, "1": 14}))
        assert not allows(m, PAY, call("read", output=[10, 10]))
    assert allows(model("bank"), PAY, call("read", output=[10, 10]))


def test_a_bank_may_forbid_to_overdraw() -> None:
    """Then a transfer that would leave less than nothing did not happen."""
    balances = {"accounts": 2, "balance": 5}

    assert allows(model("bank", balances), PAY, PAY)
    assert not allows(model("bank", {**balances, "overdraft": False}), PAY, PAY)


def test_reads_of_a_bank_are_anchors_where_the_start_is_known() -> None:
    """A read that tells the start changes what is known, so it neither observes nor requires."""
    read = call("read", output=[1])
    for options, effect in (({}, Effect.ANY), ({"balances": {}}, Effect.OBSERVES)):
        m = model("bank", options)
        assert isinstance(m, Requires)
        step = m.read(read)
        assert step is not None
        assert effect is step.effect
        assert (effect is Effect.OBSERVES) == bool(m.requires(step))


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("log", {"initial": 0}, "the model log has no options, and got 'initial'"),
        ("register", {"inital": 0}, "has no option 'inital': did you mean initial"),
        ("bank", {"account": 3}, "did you mean accounts"),
        ("bank", {"balances": {"a": 1}, "accounts": 3}, "leave out accounts and balance"),
        ("bank", {"balances": {"a": "1"}}, r"balances is \{'a': '1'\}"),
        ("bank", {"balances": 7}, "balances is 7"),
        ("bank", {"balance": 3}, "say how many accounts"),
        ("bank", {"accounts": 0, "balance": 1}, "accounts is 0"),
        ("bank", {"accounts": True, "balance": 1}, "accounts is True"),
        ("bank", {"accounts": 2}, "balance is None"),
        ("bank", {"accounts": 2, "balance": "1"}, "balance is '1'"),
        ("bank", {"accounts": 2, "balance": 1, "overdraft": "no"}, "overdraft is 'no'"),
        ("bank", {"overdraft": False}, "give balances as well"),
    ],
)
def test_what_a_model_cannot_be_told_is_refused(
    name: str, options: dict[str, Any], says: str
) -> None:
    """A wrong option is named, with what would be right."""
    with pytest.raises(ValueError, match=says):
        model(name, options)


def test_every_model_is_spelled_as_it_is_made() -> None:
    """Name and options make an equal model; this is how a model crosses into the engine."""
    models = [model(name) for name in MODELS]
    models += [
        Register(initial=[1]),
        Register(initial=0, compare_and_set=True),
        Bank(balances={"a": 3, "b": 0}, overdraft=False),
        Bank(accounts=2, balance=7),
    ]
    for m in models:
        name, options = spelled(m) or ("", {})
        again = model(name, options)
        assert type(m) is type(again)
        assert m.name == again.name
        assert m.init() == again.init()
        assert spelled(m) == spelled(again)
        assert set(options) <= set(OPTIONS.get(name, ()))


def test_a_model_that_somebody_derived_is_not_taken_for_its_ancestor() -> None:
    """What it changes must be asked of itself."""

    class Other(Register):
        pass

    assert spelled(Other()) is None


def test_a_read_after_one_has_returned_observes() -> None:
    """What a bank began with is known by then, so the model that saw the calls promises more."""
    first, second = call("read", output=[5]), call("read", output=[5])
    later = Call(
        Operation(index=3, time=0, process=0, type="invoke", f="read"),
        Operation(index=4, time=0, process=0, type="ok", f="read", value=[5]),
    )
    bank = model("bank")
    assert isinstance(bank, Learns)

    effects = []
    for c in (first, second, later):
        step = bank.given([first, second, later]).read(c)
        assert step is not None
        effects.append(step.effect)

    assert [Effect.ANY, Effect.ANY, Effect.OBSERVES] == effects
    assert allows(bank.given([first, later]), first, later)


def test_the_page_shows_a_model_that_works() -> None:
    """The example of docs/models.md, taken from there, judges; the page names every model."""
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[2].split("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)
    m = names["MaxRegister"]()

    assert allows(m, call("raise", 3), call("raise", 2), call("read", output=3))
    assert not allows(m, call("raise", 3), call("read", output=2))
    with pytest.raises(HistoryError, match="not an operation of the model max-register"):
        m.read(call("write", 1))
    assert [name for name in MODELS if f"`{name}`" not in page] == []
    assert [o for known in OPTIONS.values() for o in known if f"`{o}" not in page] == []
