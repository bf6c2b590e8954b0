"""etcd as a system under test: one member started, found ready, spoken to, compared, voted on.

Rules
1. All members know each by one URL, so each needs an address of its own: several run only where
   nodes are hosts. On the local cluster, where every link has an address, there is one member.
2. A member is ready when it answers a linearizable read: it has a leader, and has caught up.
3. What a client needs to know of a trial's options is that with which its member was started last:
   it is kept, by name, from the command that started it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.contracts import (
    Address,
    Client,
    Command,
    Digest,
    EnvironmentTrouble,
    Framing,
    NodePlan,
)
from harness.machine import Machine, NodeId, Random
from harness.systems.etcd import binaries, membership, options, replicas
from harness.systems.etcd.asking import statuses, try_ask
from harness.systems.etcd.client import WORKLOADS, EtcdClient
from harness.systems.etcd.wire import RangeAnswer

CLIENT, PEER = "client", "peer"
ASK_LIMIT_S = 0.5


class Etcd:
    """Implements System, Comparable, Leasing and Membered of harness.contracts."""

    name = "etcd"
    workloads: Sequence[str] = tuple(WORKLOADS)
    clusters: Sequence[str] = ("namespaces", "ssh", "local")
    simulable = False
    framings: Mapping[str, Framing] = {
        CLIENT: Framing("stream", port=2379),
        PEER: Framing("stream", port=2380),
    }

    def __init__(self) -> None:
        self._plans: dict[str, NodePlan] = {}  # by name, as last started (rule 3)

    @property
    def defaults(self) -> Mapping[str, str]:
        return options.defaults()

    def check_options(self, given: Mapping[str, str]) -> list[str]:
        return options.mistakes(given)

    def command(self, plan: NodePlan) -> Command:
        """Raises EnvironmentTrouble where this etcd is not here, or the cluster none for it."""
        if plan.peers and not plan.hosts:
            raise EnvironmentTrouble(
                "etcd's members know each other by one address each, and here every link has its "
                "own. Use --cluster namespaces, or one member (--nodes 1)."
            )
        given = plan.options
        program = given.get("binary") or binaries.binary(
            given.get("version") or binaries.default_version()
        )
        self._plans[plan.name] = plan
        client, peer = _url(plan.listen[CLIENT]), _url(plan.listen[PEER])
        return Command(
            argv=(
                program,
                f"--name={plan.name}",
                f"--data-dir={plan.data / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster={given.get(membership.CLUSTER) or _cluster(plan)}",
                f"--initial-cluster-state={given.get(membership.STATE, 'new')}",
                "--logger=zap",
                *options.flags(given),
            )
        )

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:
        plan = self._plans.get(node)
        settings = options.settings({} if plan is None else plan.options)
        return EtcdClient(node, address, workload, timeout_s, settings)

    async def ready(self, node: str, address: Address) -> bool:
        del node
        request = {"key": b"ready?", "count_only": True}
        answer = await try_ask(address, "/v3/kv/range", request, RangeAnswer, ASK_LIMIT_S)
        return answer is not None

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        found = await statuses(addresses, ASK_LIMIT_S)
        return tuple(
            node
            for node, status in found.items()
            if status.leader and status.leader == status.header.member_id
        )

    def leases(self, options: Mapping[str, str]) -> bool:
        """Leasing of harness.contracts."""
        return options.get("lease_ttl_s", "0") != "0"

    async def digests(self, addresses: Mapping[str, Address]) -> Sequence[Digest]:
        peers = {node: self._peer(node, address) for node, address in addresses.items()}
        return await replicas.digests(addresses, peers)

    async def members(self, addresses: Mapping[str, Address]) -> Mapping[str, tuple[str, ...]]:
        return await membership.members(addresses, self._urls())

    async def remove(self, node: str, addresses: Mapping[str, Address]) -> None:
        await membership.remove(node, addresses, self._urls())

    async def add(self, plan: NodePlan, addresses: Mapping[str, Address]) -> Mapping[str, str]:
        url = _url(plan.listen[PEER])
        return await membership.add(plan.name, url, addresses, {**self._urls(), url: plan.name})

    def machine(
        self,
        node: NodeId,
        peers: Sequence[NodeId],
        random: Random,
        workload: str,
        options: Mapping[str, str],
    ) -> Machine:
        raise NotImplementedError("etcd is a program: there is no machine of it to simulate")

    def _peer(self, node: str, address: Address) -> Address:
        """Where a member's peer port is: as it was started, or the standard port beside."""
        plan = self._plans.get(node)
        return (address[0], 2380) if plan is None else plan.listen[PEER]

    def _urls(self) -> dict[str, str]:
        return {_url(plan.listen[PEER]): name for name, plan in self._plans.items()}


def _url(address: Address) -> str:
    return f"http://{address[0]}:{address[1]}"


def _cluster(plan: NodePlan) -> str:
    """All members by name and URL; the port is the same on all hosts."""
    own = plan.listen[PEER]
    hosts = plan.hosts or {plan.name: own[0]}
    return ",".join(f"{name}={_url((host, own[1]))}" for name, host in sorted(hosts.items()))
