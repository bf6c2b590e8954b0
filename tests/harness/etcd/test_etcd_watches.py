"""Watches of the real etcd: what they cover, where they begin, how they end."""

import asyncio
from typing import Any

from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.asking import ask
from harness.systems.etcd.client import EtcdClient
from harness.systems.etcd.session import Settings
from tests.harness.etcd.members import Members, operation
from tests.harness.real import LIMIT_S

FOR_S = 0.2
Told = list[tuple[int, str, Any]]


async def written(member: Members, key: str, *values: int) -> list[int]:
    """The revisions of writes, one after the other."""
    done = await member.invoke("watch", *(operation("write", value, key) for value in values))
    return [completion.value["revision"] for completion in done]


async def watched(member: Members, key: str | None, behind: int | None) -> Completion:
    value = {"from": behind, "for_s": FOR_S}
    return (await member.invoke("watch", operation("watch", value, key)))[0]


def told(completion: Completion) -> Told:
    assert "ok" == completion.type, completion
    return [(e["revision"], e["key"], e["value"]) for e in completion.value["events"]]


async def gathered(member: Members, key: str | None, behind: int, count: int) -> Told:
    """So many events, of one watch after the other, each behind what the last one covered."""
    events: Told = []
    async with asyncio.timeout(LIMIT_S):
        while len(events) < count:
            part = await watched(member, key, behind)
            events += told(part)
            assert behind == part.value["from"] <= part.value["to"]
            assert [] == [event for event in events if not event[0] <= part.value["to"]]
            behind = part.value["to"]
    return events


def test_watches_that_are_resumed_tell_all_once_in_order(shared: Members, key: str) -> None:
    """Rules 1 and 3: what was before `from` and at it is left out, what comes meanwhile is told,
    and a watch behind `to` goes on where the last one ended."""

    async def main() -> tuple[list[int], Told]:
        revisions = await written(shared, key, 0, 1, 2)
        watching = asyncio.create_task(gathered(shared, key, revisions[0], 12))
        for n in range(3, 13):
            revisions += await written(shared, key, n)
        return revisions, await watching

    revisions, events = asyncio.run(main())

    assert [(revisions[n], key, n) for n in range(1, 13)] == events


def test_a_watch_from_now_covers_nothing_before_it(shared: Members, key: str) -> None:
    """Rule 3: from null is behind the revision of its creation; with no event it covers nothing."""

    async def main() -> tuple[int, Completion]:
        (revision,) = await written(shared, key, 1)
        return revision, await watched(shared, key, None)

    revision, watch = asyncio.run(main())

    assert {"from": revision, "to": revision, "events": []} == watch.value


def test_a_watch_is_of_one_key_or_of_all(shared: Members, key: str) -> None:
    """Rule: an operation without a key watches all keys of the workload, deletions too."""
    other = f"{key}x"

    async def main() -> tuple[int, Told, Told]:
        (first,) = await written(shared, key, 1)
        await written(shared, other, 2)
        gone = {"key": f"watch/{key}".encode()}
        await ask(shared.addresses["n1"], "/v3/kv/deleterange", gone, wire.PutAnswer, 5.0)
        one = await gathered(shared, key, first - 1, 2)
        return first, one, await gathered(shared, None, first - 1, 3)

    first, one, every = asyncio.run(main())

    assert [(first, key, 1), (first + 2, key, None)] == one
    assert [(first, key, 1), (first + 1, other, 2), (first + 2, key, None)] == every


def test_a_watch_that_is_too_old_says_what_is_left(member: Members) -> None:
    """Rule 4: what was compacted cannot be watched; that is told and not taken for silence."""

    async def main() -> tuple[int, Completion]:
        revisions = await written(member, "k", 1, 2, 3)
        path, request = "/v3/kv/compaction", {"revision": revisions[1]}
        await ask(member.addresses["n1"], path, request, wire.PutAnswer, 5.0)
        return revisions[1], await watched(member, "k", 1)

    left, watch = asyncio.run(main())

    assert watch.error is not None
    assert ("fail", "compacted") == (watch.type, watch.error.code)
    assert watch.error.text.endswith(f" {left}")


def test_a_watch_that_is_cut_is_a_shorter_watch(member: Members) -> None:
    """Rule 2: what came as a whole before the member died stands."""

    async def main() -> tuple[list[int], Completion]:
        revisions = await written(member, "k", 1, 2)
        long = operation("watch", {"from": revisions[0] - 1, "for_s": 60.0})
        client = EtcdClient("n1", member.addresses["n1"], "watch", 5.0, Settings())
        await client.open()
        watch = asyncio.create_task(client.invoke(long))
        await gathered(member, "k", revisions[0] - 1, 2)
        member.programs["n1"].kill()
        done = await watch
        await client.close()
        return revisions, done

    revisions, watch = asyncio.run(main())

    assert [(revisions[0], "k", 1), (revisions[1], "k", 2)] == told(watch)
    assert revisions[1] == watch.value["to"]


def test_a_watch_until_progress_stops_at_the_mark(member: Members) -> None:
    """Rule 5: it believes the mark. What it tells is at most what there was until then."""
    settings = Settings(watch_until="progress")

    async def main() -> tuple[int, Completion]:
        revision = (await written(member, "k", 1, 2, 3))[-1]
        client = EtcdClient("n1", member.addresses["n1"], "watch", 5.0, settings)
        await client.open()
        done = await client.invoke(operation("watch", {"from": 0, "for_s": 60.0}))
        await client.close()
        return revision, done

    revision, watch = asyncio.run(main())

    assert revision == watch.value["to"]
    assert {revision for revision, _, _ in told(watch)} <= {revision - 2, revision - 1, revision}


def test_a_read_tells_the_revision_of_its_value(shared: Members, key: str) -> None:
    """Rule: a value and the revision that wrote it, to be found among the events."""

    async def main() -> tuple[int, list[Completion]]:
        (revision,) = await written(shared, key, 7)
        await written(shared, f"{key}x", 1)
        reads = operation("read", key=key), operation("read", key=f"{key}y")
        return revision, await shared.invoke("watch", *reads)

    revision, (read, none) = asyncio.run(main())

    assert {"value": 7, "revision": revision} == read.value
    assert {"value": None, "revision": None} == none.value


def test_a_member_that_is_gone_is_not_watched(member: Members) -> None:
    """Rule: a watch that was never created is a definite fail."""
    member.programs["n1"].kill()

    async def main() -> Completion:
        address = member.plans["n1"].listen["client"]
        client = EtcdClient("n1", address, "watch", 1.0, Settings())
        return await client.invoke(operation("watch", {"from": 1, "for_s": FOR_S}))

    done = asyncio.run(main())

    assert done.error is not None
    assert ("fail", "unreachable") == (done.type, done.error.code)
