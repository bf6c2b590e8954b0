"""Several members of the real etcd: leaders, equal states and others, voting out and in."""

import asyncio
import shutil
from pathlib import Path

import pytest

from harness.contracts import Comparable, Digest, EnvironmentTrouble, Membered, System
from harness.systems.etcd import SYSTEM, membership
from tests.harness.etcd.members import Members, needs_version, operation, running
from tests.harness.real import eventually


def test_it_offers_what_the_harness_asks_for() -> None:
    """Rule: a system, whose replicas can be compared and whose members can be changed."""
    system: System = SYSTEM

    assert isinstance(system, Comparable)
    assert isinstance(system, Membered)
    assert ("namespaces", "ssh", "local") == tuple(system.clusters)
    assert {"client": 2379, "peer": 2380} == {n: f.port for n, f in system.framings.items()}


def test_one_leads_and_another_after_it_died(members: Members) -> None:
    """Rule: leaders are asked of the members themselves; the dead do not lead."""

    async def main() -> tuple[str, tuple[str, ...]]:
        (first,) = await members.system.leaders(members.addresses)
        members.programs[first].kill()

        async def another() -> bool:
            return len(await members.system.leaders(members.addresses)) == 1

        await eventually(another, "another leader")
        return first, await members.system.leaders(members.addresses)

    first, after = asyncio.run(main())

    assert {first} | set(after) <= set(members.plans)
    assert first not in after


def test_members_with_one_past_have_one_digest(members: Members) -> None:
    """Rule: at one applied index revision and HashKV are equal; a write moves both. One that was
    dead meanwhile is left out, and equal again when it has caught up."""

    async def main() -> list[list[Digest]]:
        seen = [list(await members.system.digests(members.addresses))]
        members.programs["n3"].kill()
        for node in ("n1", "n2"):
            await members.invoke("register", operation("write", node), node=node)
        seen.append(list(await members.system.digests(members.addresses)))
        members.start("n3")
        await members.until_ready("n3")
        seen.append(list(await members.system.digests(members.addresses)))
        return seen

    before, without, after = asyncio.run(main())

    for found, names in ((before, "n1 n2 n3"), (without, "n1 n2"), (after, "n1 n2 n3")):
        assert names.split() == [digest.node for digest in found]
        assert 1 == len({(digest.position, digest.value) for digest in found})
    assert before[0].value != without[0].value == after[0].value


def test_a_member_with_another_past_has_another_digest(tmp_path: Path) -> None:
    """Rule: at one revision the digest tells apart what differs in one value only. (Members of
    two clusters stand in for replicas that went apart.)"""
    needs_version("3.5")
    found = []
    for value in (1, 1, 2):
        folder = tmp_path / f"{len(found)}"
        folder.mkdir()
        with running(folder, 1, version="3.5") as one:

            async def main(one: Members = one, value: int = value) -> Digest:
                await one.invoke("register", operation("write", value))
                return (await one.system.digests(one.addresses))[0]

            found.append(asyncio.run(main()))

    alike, _, other = found
    assert {"revision 2, compacted 0"} == {digest.value.partition(", hash")[0] for digest in found}
    assert alike.value == found[1].value != other.value


def test_a_member_is_voted_out_and_in_again(members: Members) -> None:
    """Rule: removed it is known to nobody and stays away; added it starts on an empty disk, with
    the options that `add` gave, and has all that was written."""
    system, names = members.system, ("n1", "n2", "n3")

    async def main() -> None:
        await members.invoke("register", operation("write", 5))
        addresses = members.addresses
        assert dict.fromkeys(names, names) == await system.members(addresses)

        await system.remove("n3", addresses)
        await system.remove("n3", addresses)  # it is none: no error
        members.programs["n3"].kill()
        assert dict.fromkeys(("n1", "n2"), ("n1", "n2")) == await system.members(members.addresses)

        shutil.rmtree(members.plans["n3"].data)
        options = await system.add(members.plans["n3"], members.addresses)
        assert options == await system.add(members.plans["n3"], members.addresses)  # once only
        assert [] == system.check_options(options)
        assert ("n1", "n2", "n3") == (await system.members(members.addresses))["n1"]
        members.start("n3", **options)
        await members.until_ready("n3")

        assert dict.fromkeys(names, names) == await system.members(members.addresses)
        (read,) = await members.invoke("register", operation("read"), node="n3")
        assert 5 == read.value
        with pytest.raises(EnvironmentTrouble, match=r"n3 cannot be voted in: .* a member already"):
            await system.add(members.plans["n3"], members.addresses)

    asyncio.run(main())


def test_a_vote_without_a_quorum_is_trouble(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: what etcd refuses until its time is over is told with etcd's own words."""
    monkeypatch.setattr(membership, "CHANGE_LIMIT_S", 0.5)
    for name in ("n2", "n3"):
        members.programs[name].kill()

    with pytest.raises(EnvironmentTrouble, match=r"n3 cannot be voted out within 0.5 s; n1 answer"):
        asyncio.run(members.system.remove("n3", members.addresses))
