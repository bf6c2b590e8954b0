"""The members of an etcd cluster: who they are, voting one out, voting one in.

Rules
1. A member is known by the URL of its peer port: until it was started it has no name.
2. A change may be refused for a while: etcd wants all members connected for some seconds, and a
   quorum that stays one. It is asked for again, of one member after the other, until its time is
   over. A change whose answer was lost is looked for among the members before it is asked again.
3. A new member is started with the state 'existing' and with the members as etcd itself tells them.

Sources: etcd's docs, 'Runtime reconfiguration'; rpc.proto, service Cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from harness.contracts import Address, EnvironmentTrouble
from harness.systems.etcd.asking import ask, try_ask
from harness.systems.etcd.http import ProtocolError
from harness.systems.etcd.wire import Member, MembersAnswer, Refused

TIMEOUT_S = 2.0
CHANGE_LIMIT_S = 12.0  # more than the five seconds for which members must have been connected
_POLL_S = 0.2

# Options of a node that joins; nobody gives them by hand.
STATE, CLUSTER = "initial_cluster_state", "initial_cluster"

Urls = Mapping[str, str]  # by the URL of its peer port, the name of a node


async def members(addresses: Mapping[str, Address], urls: Urls) -> dict[str, tuple[str, ...]]:
    """As each node that answers sees them."""
    asked = (_members_at(address, TIMEOUT_S) for address in addresses.values())
    found = await asyncio.gather(*asked)
    return {
        node: tuple(sorted(_name(member, urls) for member in seen))
        for node, seen in zip(addresses, found, strict=True)
        if seen is not None
    }


async def remove(node: str, addresses: Mapping[str, Address], urls: Urls) -> None:
    """Raises EnvironmentTrouble if it is refused until its time is over. One that is no member is
    no error."""

    def gone(seen: tuple[Member, ...]) -> bool:
        return all(_name(member, urls) != node for member in seen)

    def request(seen: tuple[Member, ...]) -> dict[str, Any]:
        return {"ID": next(member.id for member in seen if _name(member, urls) == node)}

    others = {name: address for name, address in addresses.items() if name != node}
    path = "/v3/cluster/member/remove"
    await _change(others or addresses, path, request, gone, f"{node} cannot be voted out")


async def add(node: str, url: str, addresses: Mapping[str, Address], urls: Urls) -> dict[str, str]:
    """The options with which it must then be started. Raises EnvironmentTrouble if it is refused
    until its time is over, or was a member already and started."""

    def there(seen: tuple[Member, ...]) -> bool:
        old = next((member for member in seen if url in member.peer_urls), None)
        if old is not None and old.name:
            raise EnvironmentTrouble(
                f"{node} cannot be voted in: {url} is a member already and was started. Vote it "
                "out first."
            )
        return old is not None

    others = {name: address for name, address in addresses.items() if name != node}
    seen = await _change(
        others,
        "/v3/cluster/member/add",
        lambda _seen: {"peerURLs": [url]},
        there,
        f"{node} cannot be voted in",
    )
    cluster = ",".join(sorted(f"{_name(m, urls)}={u}" for m in seen for u in m.peer_urls))
    return {STATE: "existing", CLUSTER: cluster}


async def _change(
    addresses: Mapping[str, Address], path: str, request: Any, done: Any, what: str
) -> tuple[Member, ...]:
    """The members once `done(members)` holds (rule 2)."""
    loop = asyncio.get_running_loop()
    end = loop.time() + CHANGE_LIMIT_S
    last = "no member answered"
    while loop.time() < end:
        for name, address in addresses.items():
            seen = await _members_at(address, TIMEOUT_S)
            if seen is None:
                continue
            if done(seen):
                return seen
            try:
                await ask(address, path, request(seen), MembersAnswer, TIMEOUT_S)
            except (OSError, Refused, ProtocolError) as wrong:
                last = f"{name} answered: {wrong}"
                continue
            break  # the next look, of the one that answered first, should see it
        await asyncio.sleep(_POLL_S)
    raise EnvironmentTrouble(f"{what} within {CHANGE_LIMIT_S:g} s; {last}.")


async def _members_at(address: Address, timeout_s: float) -> tuple[Member, ...] | None:
    """As this member sees them; None where it does not answer."""
    path = "/v3/cluster/member/list"
    answer = await try_ask(address, path, {}, MembersAnswer, timeout_s)
    return None if answer is None else answer.members


def _name(member: Member, urls: Urls) -> str:
    """Its own, or until it has one that of the node whose URL it has."""
    known = (urls[url] for url in member.peer_urls if url in urls)
    return member.name or next(known, f"{member.id:x}")
