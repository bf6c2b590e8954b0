"""The client of etcd against the real thing, both versions: what each operation does."""

import asyncio

import pytest

from checkers.history import COMPARE_FAILED, Operation
from harness.contracts import Completion
from tests.harness.etcd.members import Members, operation


def asked(shared: Members, workload: str, *operations: Operation) -> list[Completion]:
    return asyncio.run(shared.invoke(workload, *operations))


def values(completions: list[Completion]) -> list[object]:
    assert {"ok"} == {completion.type for completion in completions}, completions
    return [completion.value for completion in completions]


def codes(completions: list[Completion]) -> list[tuple[str, str]]:
    return [(c.type, "" if c.error is None else c.error.code) for c in completions]


def test_a_register_holds_what_was_written_last(shared: Members, key: str) -> None:
    """Rule: absent is null; any JSON value comes back as it was written."""
    written = [1, "zwei", [3, None], {"four": 4.5}]
    operations = [operation("read", key=key)]
    for value in written:
        operations += [operation("write", value, key), operation("read", key=key)]

    read = values(asked(shared, "register", *operations))[::2]

    assert [None, *written] == read


def test_compare_and_set_changes_what_is_as_expected_and_nothing_else(
    shared: Members, key: str
) -> None:
    """Rule: null as the expected value is 'absent'; a mismatch is evidence, with its own code."""
    done = asked(
        shared,
        "register",
        operation("cas", [1, 2], key),
        operation("cas", [None, 1], key),
        operation("cas", [None, 5], key),
        operation("cas", [1, 2], key),
        operation("cas", [1, 3], key),
        operation("read", key=key),
    )

    no_match = ("fail", COMPARE_FAILED)
    assert [no_match, ("ok", ""), no_match, ("ok", ""), no_match, ("ok", "")] == codes(done)
    assert done[4].error is not None
    assert "it was 2" == done[4].error.text
    assert 2 == done[-1].value


def test_a_set_lists_its_own_elements(shared: Members, key: str) -> None:
    """Rule: elements are keys of their own; a set whose name begins alike is another."""
    read = asked(
        shared,
        "set",
        operation("read", key=key),
        *(operation("add", n, key) for n in (3, 1, 20, 3)),
        operation("add", 99, f"{key}x"),
        operation("read", key=key),
    )

    assert [] == read[0].value
    assert [1, 3, 20] == sorted(values(read)[-1])  # type: ignore[call-overload]


def test_a_long_set_is_read_in_parts_of_one_revision(
    shared: Members, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: answers have a limit; what is added between two of them is in neither."""
    monkeypatch.setattr("harness.systems.etcd.session._PAGE", 2)

    read = asked(
        shared, "set", *(operation("add", n, key) for n in range(7)), operation("read", key=key)
    )

    assert list(range(7)) == sorted(values(read)[-1])  # type: ignore[call-overload]


def test_a_queue_gives_each_element_once_in_order(shared: Members, key: str) -> None:
    """Rule: first in, first out, by the revision of creation; null where it is empty."""
    done = asked(
        shared,
        "queue",
        operation("dequeue", key=key),
        *(operation("enqueue", n, key) for n in (9, 10, 1)),
        *[operation("dequeue", key=key)] * 4,
    )

    assert [None, 9, 10, 1, 9, 10, 1, None] == values(done)


def test_clients_of_a_queue_never_get_the_same(shared: Members, key: str) -> None:
    """Rule: a dequeue that lost the race takes the next."""

    async def race() -> list[Completion]:
        await shared.invoke("queue", *(operation("enqueue", n, key) for n in range(12)))
        takes = [operation("dequeue", key=key)] * 3
        done = await asyncio.gather(*(shared.invoke("queue", *takes) for _ in range(4)))
        return [completion for of_one in done for completion in of_one]

    assert list(range(12)) == sorted(values(asyncio.run(race())))  # type: ignore[type-var]


def test_counters_lose_no_increment(shared: Members, key: str) -> None:
    """Rule: one that lost the race adds to the newer value."""

    async def race() -> object:
        adds = [operation("add", n, key) for n in (1, 2, -1)]
        await asyncio.gather(*(shared.invoke("counter", *adds) for _ in range(4)))
        return (await shared.invoke("counter", operation("read", key=key)))[0].value

    assert [0] == values(asked(shared, "counter", operation("read", key=key)))
    assert 8 == asyncio.run(race())


def test_a_lock_has_one_holder_and_growing_tokens(shared: Members, key: str) -> None:
    """Rule: held is a definite fail, and so is a release by another; tokens are fencing tokens."""
    take, give = operation("acquire", key=key), operation("release", key=key)

    async def two() -> tuple[list[Completion], list[Completion], list[Completion]]:
        client = shared.system.client("n1", shared.addresses["n1"], "lock", 5.0)
        await client.open()
        try:
            mine = [await client.invoke(take), await client.invoke(take)]
            other = await shared.invoke("lock", take, give)
            mine.append(await client.invoke(give))
        finally:
            await client.close()
        return mine, other, await shared.invoke("lock", take, give)

    mine, other, after = asyncio.run(two())

    assert [("ok", ""), ("fail", "held"), ("ok", "")] == codes(mine)
    assert [("fail", "held"), ("fail", "not-held")] == codes(other)
    assert [("ok", ""), ("ok", "")] == codes(after)
    assert mine[0].value["token"] < after[0].value["token"]


def test_transactions_append_and_read_at_one_moment(shared: Members, key: str) -> None:
    """Rule: a transaction sees its own appends; what it reads is as of one moment."""
    x, y = f"{key}x", f"{key}y"
    steps = [["append", x, 1], ["r", x, None], ["append", y, 2], ["append", x, 3], ["r", y, None]]

    done = asked(
        shared,
        "txn-list-append",
        operation("txn", steps, None),
        operation("txn", [["r", x, None], ["r", y, None]], None),
    )

    first = [["append", x, 1], ["r", x, [1]], ["append", y, 2], ["append", x, 3], ["r", y, [2]]]
    assert [first, [["r", x, [1, 3]], ["r", y, [2]]]] == values(done)


def test_concurrent_transactions_lose_no_append(shared: Members, key: str) -> None:
    """Rule: one that lost the race reads again before it writes."""

    async def race() -> object:
        def steps(n: int) -> list[list[object]]:
            return [["append", key, n], ["append", f"{key}y", n]]

        clients = [
            [operation("txn", steps(10 * client + n), None) for n in range(3)]
            for client in range(4)
        ]
        await asyncio.gather(*(shared.invoke("txn-list-append", *ops) for ops in clients))
        reads = operation("txn", [["r", key, None], ["r", f"{key}y", None]], None)
        return (await shared.invoke("txn-list-append", reads))[0].value

    (_, _, x), (_, _, y) = asyncio.run(race())  # type: ignore[misc]

    assert x == y
    assert sorted(10 * client + n for client in range(4) for n in range(3)) == sorted(x)


def test_an_operation_that_a_workload_lacks_is_a_definite_fail(shared: Members) -> None:
    """Rule: nothing was sent; the sentence names what there is."""
    (done,) = asked(shared, "queue", operation("peek"))

    assert [("fail", "unsupported")] == codes([done])
    assert done.error is not None
    assert "'peek' is no operation of 'queue' here: enqueue, dequeue" == done.error.text
