"""Which failures of etcd are definite, and which are not; guards, quotas, stale reads."""

import asyncio
import signal
from pathlib import Path

import pytest

from checkers.history import Error
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.asking import ask
from harness.systems.etcd.client import EtcdClient
from harness.systems.etcd.errors import DEFINITE, code_of, is_definite
from harness.systems.etcd.session import Settings
from harness.systems.etcd.wire import RangeAnswer, Refused
from tests.harness.etcd.members import Members, operation, running
from tests.harness.real import free_ports

SHORT_S = 0.3


def outcome(completion: Completion) -> tuple[str, str]:
    return completion.type, "" if completion.error is None else completion.error.code


def test_silence_is_doubt_for_changes_and_none_for_reads(member: Members) -> None:
    """Rule: a member that is stopped may have taken a write in; a read has no effect. The client
    that was in doubt is not confused by a late answer."""

    async def main() -> list[Completion]:
        clients = [
            EtcdClient("n1", member.addresses["n1"], "register", SHORT_S, Settings())
            for _ in range(2)
        ]
        for client in clients:
            await client.open()
        member.programs["n1"].signal(signal.SIGSTOP)
        try:
            done = [
                await clients[0].invoke(operation("write", 1)),
                await clients[1].invoke(operation("read")),
            ]
        finally:
            member.programs["n1"].signal(signal.SIGCONT)
        done.append(await clients[1].invoke(operation("read", key="other")))
        for client in clients:
            await client.close()
        return done

    write, read, after = asyncio.run(main())

    assert [("info", "timeout"), ("fail", "timeout")] == [outcome(write), outcome(read)]
    assert Completion("ok", None) == after


def test_a_dead_member_is_a_definite_fail(member: Members) -> None:
    """Rule: no connection, so nothing was sent; opening a client raises."""

    async def main() -> Completion:
        address = member.addresses["n1"]
        client = EtcdClient("n1", address, "register", SHORT_S, Settings())
        await client.open()
        member.programs["n1"].kill()
        done = await client.invoke(operation("write", 1))
        if done.type == "info":  # the kernel took the request before it told of the end
            assert outcome(done) == ("info", "connection-lost")
            done = await client.invoke(operation("write", 1))
        with pytest.raises(ConnectionRefusedError):
            await client.open()
        await client.close()
        return done

    assert ("fail", "unreachable") == outcome(asyncio.run(main()))


def test_something_that_only_accepts_is_no_member() -> None:
    """Rule: a connection counts once the member answered on it, so nothing was sent."""

    async def main() -> Completion:
        (port,) = free_ports(1)
        accepted: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _, w: accepted.append(w), "127.0.0.1", port)
        client = EtcdClient("n1", ("127.0.0.1", port), "register", SHORT_S, Settings())
        done = await client.invoke(operation("write", 1))
        await client.close()
        for writer in accepted:
            writer.close()
        server.close()
        await server.wait_closed()
        return done

    assert ("fail", "unreachable") == outcome(asyncio.run(main()))


def test_etcds_own_words_are_the_code() -> None:
    """Rule: codes are etcd's, so that a reader of a history finds them in its sources."""
    texts = {
        "etcdserver: request timed out, possibly due to connection lost": "request-timed-out",
        "etcdserver: mvcc: required revision has been compacted": (
            "required-revision-has-been-compacted"
        ),
        "etcdserver: leader changed": "leader-changed",
        "raft proposal dropped": "raft-proposal-dropped",
        "transport is closing": "unavailable",
    }
    assert texts == {text: code_of(Refused(14, text)) for text in texts}
    assert "grpc-99" == code_of(Refused(99, "?"))


@pytest.mark.parametrize(
    "text",
    [
        "etcdserver: request timed out",
        "etcdserver: request timed out, possibly due to connection lost",
        "etcdserver: leader changed",
        "etcdserver: no leader",
        "etcdserver: server stopped",
        "etcdserver: mvcc: database space exceeded",
        "context deadline exceeded",
        "transport is closing",
    ],
)
def test_what_may_have_happened_is_not_called_a_fail(text: str) -> None:
    """Rules 1 to 3 of the table: a wrong 'fail' makes a correct system look broken."""
    assert not is_definite(Refused(14, text))


def test_what_etcd_refuses_outright_is_a_fail(shared: Members) -> None:
    """Rule: a request that is too large was refused before anything was proposed."""
    text = "x" * 2_000_000

    (done,) = asyncio.run(shared.invoke("register", operation("write", text)))

    assert ("fail", "request-is-too-large") == outcome(done)
    assert done.error is not None
    assert done.error.text in DEFINITE


def test_a_full_store_is_doubt(version: str, tmp_path: Path) -> None:
    """Rule 2 of the table: the words of a put that was refused are those of one that was applied
    and crossed the quota, so they are no certain fail."""
    with running(tmp_path, 1, version=version, quota_mib="2") as member:

        async def fill() -> Completion:
            write = operation("write", "x" * 500_000)
            for _ in range(100):
                (done,) = await member.invoke("register", write)
                if done.type != "ok":
                    return done
            raise AssertionError("the quota was never reached")

        assert ("info", "database-space-exceeded") == outcome(asyncio.run(fill()))


def test_a_guard_is_written_once_and_compared_by_every_change(version: str, tmp_path: Path) -> None:
    """Rule: with a guard of n keys every change is a transaction over n keys, which holds; where
    one of them is gone it does not, and that is a definite fail which is no evidence of a value."""
    with running(tmp_path, 1, version=version, guard="250") as member:
        first = operation("write", 1), operation("cas", [1, 2]), operation("cas", [1, 3])
        later = operation("write", 5), operation("cas", [2, 3]), operation("read")

        async def main() -> tuple[list[Completion], int, list[Completion]]:
            address = member.addresses["n1"]
            held = await asyncio.gather(
                *(member.invoke("register", operation("read")) for _ in range(4))
            )
            assert [Completion("ok", None)] == held[0]
            done = await member.invoke("register", *first)
            count = await _versions(member)
            client = member.system.client("n1", address, "register", 5.0)
            await client.open()
            gone = {"key": b"guard/", "range_end": b"guard0"}
            await ask(address, "/v3/kv/deleterange", gone, wire.PutAnswer, 5.0)
            after = [await client.invoke(one) for one in later]
            await client.close()
            return done, count, after

        done, versions, after = asyncio.run(main())

    assert [("ok", ""), ("ok", ""), ("fail", "compare-failed")] == [outcome(d) for d in done]
    assert 250 == versions
    guard_failed = ("fail", "guard-failed")
    assert [guard_failed, guard_failed, ("ok", "")] == [outcome(d) for d in after]
    assert 2 == after[-1].value


async def _versions(member: Members) -> int:
    """The sum of the versions of the keys of the guard: each was written once."""
    request = {"key": b"guard/", "range_end": b"guard0"}
    found = await ask(member.addresses["n1"], "/v3/kv/range", request, RangeAnswer, 5.0)
    return sum(kv.version for kv in found.kvs)


def test_serializable_reads_need_no_quorum_and_linearizable_ones_do(
    version: str, tmp_path: Path
) -> None:
    """Rule: reads=serializable reads what the member has, though nobody else is there; that is how
    it becomes stale."""
    with running(tmp_path, 2, version=version) as members:

        async def alone() -> list[tuple[str, str]]:
            await members.invoke("register", operation("write", 1))
            members.programs["n2"].kill()
            done = []
            for serializable in (False, True):
                settings = Settings(serializable=serializable)
                client = EtcdClient("n1", members.addresses["n1"], "register", SHORT_S, settings)
                await client.open()
                done.append(outcome(await client.invoke(operation("read"))))
                await client.close()
            return done

        assert [("fail", "timeout"), ("ok", "")] == asyncio.run(alone())


def test_a_lease_that_ran_out_took_the_lock_away(version: str, tmp_path: Path) -> None:
    """Rule: with lease_ttl_s a lock is held so long; its holder finds at the release that it lost
    it, and the next has a greater token."""
    with running(tmp_path, 1, version=version, lease_ttl_s="1") as member:
        take, give = operation("acquire"), operation("release")

        async def main() -> tuple[Completion, Completion, Completion]:
            client = member.system.client("n1", member.addresses["n1"], "lock", 5.0)
            await client.open()
            mine = await client.invoke(take)
            (other,) = await member.invoke("lock", take)
            while other.error == Error("held", "another holds it"):
                (other,) = await member.invoke("lock", take)
            lost = await client.invoke(give)
            await client.close()
            return mine, other, lost

        mine, other, lost = asyncio.run(main())

    assert [("ok", ""), ("ok", "")] == [outcome(mine), outcome(other)]
    assert mine.value["token"] < other.value["token"]
    assert ("fail", "not-held") == outcome(lost)
