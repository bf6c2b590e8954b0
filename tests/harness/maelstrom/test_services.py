"""The services: what each store may answer, and what it must not."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from checkers.history import History, Operation
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.verdict import Kind, Recording
from harness.clusters.maelstrom.services import (
    HISTORY,
    LastWriteWins,
    LinearizableStore,
    SequentialStore,
    Service,
    TimestampOracle,
    services,
)


def stores() -> list[Service]:
    return [LinearizableStore(), SequentialStore(Random(1)), LastWriteWins(Random(1))]


def read(store: Service, src: str = "n1", key: Any = "k") -> Any:
    """The value, or the code of the error."""
    answer = store.answer(src, {"type": "read", "key": key})
    return answer["value"] if answer["type"] == "read_ok" else answer["code"]


def write(store: Service, value: Any, src: str = "n1", key: Any = "k") -> None:
    body = {"type": "write", "key": key, "value": value}
    assert {"type": "write_ok"} == store.answer(src, body)


def cas(store: Service, old: Any, new: Any, src: str = "n1", **more: Any) -> int | str:
    """The type of the answer, or the code of the error."""
    body = {"type": "cas", "key": "k", "from": old, "to": new, **more}
    answer = store.answer(src, body)
    return answer.get("code", answer["type"])


def test_there_are_four() -> None:
    """By the names that nodes know."""
    assert {"lin-kv", "seq-kv", "lww-kv", "lin-tso"} == set(services(1))


@pytest.mark.parametrize("store", stores(), ids=lambda store: type(store).__name__)
def test_a_missing_key_is_20_and_cas_may_create_it(store: Service) -> None:
    """A cas of what is not there is refused, unless it says create_if_not_exists."""
    assert 20 == read(store)
    assert 20 == cas(store, 1, 2)
    assert "cas_ok" == cas(store, None, 2, create_if_not_exists=True)


@pytest.mark.parametrize("store", stores(), ids=lambda store: type(store).__name__)
def test_bad_requests_are_answered(store: Service) -> None:
    """10 for what a store does not do, 12 for a request that lacks something; no exception."""
    assert 10 == store.answer("n1", {"type": "delete", "key": "k"})["code"]
    assert 10 == store.answer("n1", {"type": ["read"]})["code"]
    assert 12 == store.answer("n1", {"type": "write", "key": "k"})["code"]
    assert 10 == TimestampOracle().answer("n1", {"type": "read"})["code"]


def test_lin_kv_compares_json() -> None:
    """1 is not true, not 1.0 and not "1"; objects are equal whatever their order."""
    store = LinearizableStore()
    write(store, 1)
    assert [22, 22, 22] == [cas(store, wrong, 0) for wrong in (True, 1.0, "1")]
    assert "cas_ok" == cas(store, 1, {"a": 1, "b": [2]})
    assert "cas_ok" == cas(store, {"b": [2], "a": 1}, None)
    assert None is read(store)
    write(store, "number", key=1)
    assert 20 == read(store, key="1")
    assert 20 == read(store, key=True)


def played(store: Service, random: Random) -> History:
    """Clients read, write and compare one after another: linearizable only if nothing is stale."""
    operations: list[Operation] = []

    def note(process: int, kind: str, f: str, value: Any) -> None:
        at = len(operations)
        operations.append(Operation(at, at, process, kind, f, value))  # type: ignore[arg-type]

    write(store, 0)
    note(0, "invoke", "write", 0)
    note(0, "ok", "write", 0)
    for value in range(1, 60):
        process = random.randrange(3)
        if random.random() < 0.5:
            note(process, "invoke", "write", value)
            write(store, value, f"n{process}")
            note(process, "ok", "write", value)
        else:
            note(process, "invoke", "read", None)
            note(process, "ok", "read", read(store, f"n{process}"))
    return History(operations)


def judged(store: Service) -> Kind:
    recording = Recording(history=played(store, Random(3)))
    return Linearizable(model("register")).check(recording).kind


def test_only_lin_kv_is_linearizable() -> None:
    """The same load: the others serve stale reads, and the checker sees it."""
    assert Kind.VALID is judged(LinearizableStore())
    assert Kind.INVALID is judged(SequentialStore(Random(1)))
    assert Kind.INVALID is judged(LastWriteWins(Random(1)))


def test_seq_kv_never_goes_back_for_a_client() -> None:
    """Each client's reads are in the order of the writes, and no older than its own last write;
    and some are stale, or it would be lin-kv."""
    store, random = SequentialStore(Random(5)), Random(6)
    seen = dict.fromkeys(("n1", "n2", "n3"), 0)
    stale = 0
    for value in range(1, 500):
        writer, reader = random.choice(list(seen)), random.choice(list(seen))
        write(store, value, writer)
        seen[writer] = value
        found = read(store, reader)
        assert seen[reader] <= found <= value
        assert value - found < HISTORY
        stale += found < value
        seen[reader] = found
    assert stale > 50


def test_seq_kv_compares_on_the_newest_state() -> None:
    """Of clients that each add one by compare-and-set, no addition is lost."""
    store, random = SequentialStore(Random(7)), Random(8)
    write(store, 0)
    done = 0
    while done < 100:
        src = random.choice(("n1", "n2", "n3"))
        old = read(store, src)
        done += cas(store, old, old + 1, src) == "cas_ok"
    write(store, "end", "n4", key="other")
    assert 100 == read(store, "n4")  # n4 is at the newest state, since it wrote


def test_lww_kv_loses_acknowledged_writes() -> None:
    """Two that write in turn find, in the end, one of them gone for good and for all."""
    store = LastWriteWins(Random(9))
    lost = 0
    for value in range(100):
        write(store, f"first {value}")
        write(store, f"second {value}")
        finally_there = [read(store) for _ in range(20)][-1]
        lost += finally_there != f"second {value}"
    assert 0 < lost < 100


def test_lin_tso_counts() -> None:
    """From 0, each once."""
    oracle = TimestampOracle()
    stamps = [oracle.answer(src, {"type": "ts"})["ts"] for src in ("n1", "n2", "n1")]
    assert [0, 1, 2] == stamps
