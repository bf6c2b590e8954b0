"""A crashed call that writes the value that is there already: it hides what is open."""

from __future__ import annotations

import pytest

from checkers.history import History, Operation
from checkers.linearizability import engine
from checkers.linearizability.brute import linearizable
from checkers.linearizability.search import Search, compile_calls
from checkers.models import model

WRITES = (
    (0, "invoke", "write", 1),
    (0, "ok", "write", None),
    (1, "invoke", "write", 1),  # never returns
    (2, "invoke", "cas", [1, 2]),  # neither
    (3, "invoke", "write", 0),
    (0, "invoke", "read", None),
    (0, "ok", "read", 2),
    (3, "ok", "write", None),
    (0, "invoke", "read", None),
    (0, "ok", "read", 2),
)
# write 1, write 0, write 1 (crashed), cas 1 to 2 (crashed), read 2, read 2
HISTORY = History(Operation(i, i, p, t, f, v) for i, (p, t, f, v) in enumerate(WRITES))  # type: ignore[arg-type]
MODEL = model("cas-register")


def test_the_plain_search_wants_what_is_there_already() -> None:
    """Rule: what overwrites with the present state is worth trying, for what it hides."""
    search = Search(compile_calls(MODEL, HISTORY.calls()))
    for _ in search.run():
        pass
    assert linearizable(MODEL, HISTORY.calls())
    assert search.linearizable


@pytest.mark.skipif(not engine.available(), reason="the engine is not built")
@pytest.mark.parametrize("witness", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_the_engine_wants_what_is_there_already(native: bool, witness: bool) -> None:
    """The same, of a built-in model and of one that is taken for a user's."""
    from checkers import _engine

    table = _engine.Table.of(HISTORY)
    asked = engine.native(MODEL) if native else MODEL
    found = _engine.search(table, asked, witness=witness)
    assert (1, []) == (found.linearizable, found.refuted)


@pytest.mark.skipif(not engine.available(), reason="the engine is not built")
def test_a_stream_wants_what_is_there_already() -> None:
    """The same, while the history grows."""
    from checkers import _engine

    built_in = engine.native(MODEL)
    assert isinstance(built_in, tuple)
    stream = _engine.Stream(built_in)
    assert [] == [*stream.feed(HISTORY), *stream.finish()]
