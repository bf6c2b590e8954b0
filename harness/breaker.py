"""Breaks and mends a cluster, one fault at a time, and measures what came of it.

Rules
1. What a node should be is the sum of the open faults: dead while one holds it dead (kill,
   lose-unsynced, corrupt-disk, truncate-disk, remove-member), else paused while one pauses it, else
   running. Undoing one fault leaves the others in force, and starts whoever died of it and is held
   dead by none: nodes may die of a full or failing disk too.
2. While its disk is full or failing a node may run or be dead; either is no trouble of another
   fault.
3. A node that does not run again after its disk was damaged on purpose is lost, not ill: it is
   right to refuse damaged storage. Healing does without it, and says so.
4. Other options are given by a polite restart, which also starts nodes that another fault holds
   dead or paused: these are put back at once.
5. Every call to the cluster has a time limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar

import msgspec

from harness.clock import Clock, sleep
from harness.probes import CALL_LIMIT_S, Measured, Probes, limited
from nemesis import evidence, symptoms
from nemesis.capabilities import (
    Breakable,
    ProcessState,
    needs,
)
from nemesis.evidence import Evidence
from nemesis.faults import (
    Betray,
    ClientFault,
    ClockFault,
    CorruptDisk,
    DeadlyFault,
    DiskFault,
    FailDisk,
    Fault,
    FillDisk,
    Hold,
    Link,
    LinkFault,
    MemberFault,
    NodeFault,
    Partition,
    Pause,
    ProcessFault,
    SlowDisk,
    TraitorFault,
    TruncateDisk,
    VersionFault,
    link_names,
    struck,
    tag,
)
from nemesis.targets import View

POLITE_LIMIT_S = 30.0  # for one that waits for votes, or for nodes to stop in their own time
HONEST_S = 0.05  # how long a node must have told no lie

T = TypeVar("T")
Damage = CorruptDisk | TruncateDisk
Ailment = FillDisk | FailDisk  # of disks: nodes may die of them, or live with them
Kinds = type[Fault] | UnionType  # as isinstance takes them


class Open(msgspec.Struct):
    """A fault that is, or may be, in force. `before` was measured before it was applied."""

    id: int
    intended: Fault
    applied: Fault
    entry: int  # its number in the ledger
    before: Measured


class Breaker:
    """The one who touches the cluster. `open` are the faults in force, by id, oldest first; whoever
    opens and closes them there is the caller."""

    def __init__(self, cluster: Breakable, clock: Clock) -> None:
        self.open: dict[int, Open] = {}
        self._cluster = cluster
        self._clock = clock
        self._probes = Probes(cluster)
        self._damaged: set[str] = set()  # whose disks were damaged on purpose

    async def view(self, *, leaders: bool) -> View:
        """The cluster as targets see it; who leads is asked only where it matters."""
        return View(
            nodes=self._cluster.nodes,
            leaders=await self._probes.leaders() if leaders else (),
            states=await self._probes.states(),
            cut=frozenset(self._links_under(Partition | Hold)),
            damaged=frozenset(self._damaged),
        )

    async def before(self, fault: Fault) -> Measured:
        """What the effect of the fault will be compared with."""
        return Measured() if isinstance(fault, ProcessFault) else await self._probes.measured(fault)

    async def apply(self, fault: Open) -> None:
        """Raises what the cluster raises, and TimeoutError; then it may be in force in part."""
        applied = fault.applied
        if isinstance(applied, Damage):
            self._damaged.update(applied.nodes)
        await limited(self._applied(fault), _limit_s(applied))

    async def undo(self, fault: Open) -> None:
        """Idempotent. Raises as `apply` does."""
        await limited(self._undone(fault), _limit_s(fault.applied))

    async def effect(self, fault: Open) -> Evidence:
        """Is the fault, which was applied, in force?"""
        applied, now = fault.applied, await self._probes.measured(fault.applied)
        if isinstance(applied, LinkFault):
            return evidence.of_links(applied, fault.before.links, now.links)
        if isinstance(applied, ProcessFault):
            return evidence.of_processes(applied, now.states)
        if isinstance(applied, DiskFault):
            return symptoms.of_disks(applied, fault.before.disks, now.disks, now.states)
        if isinstance(applied, ClockFault):
            return symptoms.of_clocks(applied, fault.before.clocks, now.clocks)
        if isinstance(applied, ClientFault):
            return symptoms.of_clients(fault.before.clients, now.clients)
        if isinstance(applied, MemberFault):
            return symptoms.of_members(applied, now.members, now.states)
        if isinstance(applied, VersionFault):
            return symptoms.of_versions(applied, now.versions)
        return symptoms.of_traitors(applied, fault.before.traitors, now.traitors)

    async def absence(self, fault: Open) -> Evidence:
        """Is the fault, which was undone, gone?"""
        applied, now = fault.applied, await self._probes.measured(fault.applied)
        if isinstance(applied, LinkFault):
            busy = self._links_under(LinkFault, fault)
            free = [link for link in applied.links if link not in busy]
            return evidence.of_healing(applied, free, fault.before.links, now.links)
        if isinstance(applied, SlowDisk):
            return self._freed(fault, applied, now)
        if isinstance(applied, ClockFault):
            nodes = self._free_of(ClockFault, fault)
            return symptoms.of_right_clocks(nodes, now.clocks, on_the_way=True)
        if isinstance(applied, ClientFault):
            return Evidence(in_effect=True, observed={})  # others have taken their places
        if isinstance(applied, TraitorFault):
            await sleep(self._clock, HONEST_S)
            later = await self._probes.measured(applied)
            return symptoms.of_honesty(self._free_of(Betray, fault), now.traitors, later.traitors)
        wanted = self._as_wanted(fault, now.states)
        if isinstance(applied, Ailment):
            return _both(wanted, self._freed(fault, applied, now))
        if isinstance(applied, MemberFault):
            nodes = self._free_of(MemberFault, fault)
            return _both(wanted, symptoms.of_return(nodes, now.members))
        if isinstance(applied, VersionFault):
            nodes, before = self._free_of(VersionFault, fault), fault.before.versions
            return _both(wanted, symptoms.of_former_versions(applied, nodes, before, now.versions))
        return wanted

    async def wholeness(self) -> Evidence:
        """Does every node run that is not lost, is every link open, every disk free, every clock
        right?"""
        states, links = await self._probes.states(), await self._probes.links()
        shut = [link for link, reading in links.items() if not reading.reachable]
        lost = [node for node, state in states.items() if self._is_lost(node, state)]
        ill = {n: s for n, s in states.items() if s != "running" and n not in lost}
        disks = await self._probes.disks()
        full = [node for node, disk in disks.items() if disk.full]
        failing = [node for node, disk in disks.items() if disk.failing > 0]
        out = [node for node, is_one in (await self._probes.members()).items() if not is_one]
        clocks = await self._probes.clocks()
        wrong = [node for node, clock in clocks.items() if not symptoms.is_right(clock)]
        seen: dict[str, Any] = {
            "states": ill,
            "unreachable": list(link_names(shut)),
            "links": len(links),
        }
        seen |= _named(lost=lost, full=full, failing=failing, strangers=out)
        if wrong:
            seen["clocks"] = symptoms.of_right_clocks(wrong, clocks).observed["clocks"]
        return Evidence(not (ill or shut or full or failing or out or wrong), seen)

    async def revive(self) -> None:
        """Also what no fault of ours paused or ended: final reads want every node."""
        processes = self._cluster.processes
        if processes is None:
            return
        states = await self._probes.states()
        await limited(processes.resume([n for n, s in states.items() if s == "paused"]))
        await limited(processes.restart([n for n, s in states.items() if s == "dead"]))

    async def _applied(self, opened: Open) -> None:
        id_, fault, cluster = opened.id, opened.applied, self._cluster
        if isinstance(fault, LinkFault):
            await _offered(cluster.network, fault).apply(id_, fault)
        elif isinstance(fault, Pause):
            await _offered(cluster.processes, fault).pause(fault.nodes)
        elif isinstance(fault, ProcessFault):
            await _offered(cluster.processes, fault).kill(fault.nodes)
        elif isinstance(fault, DiskFault):
            await _offered(cluster.disks, fault).apply(id_, fault)
        elif isinstance(fault, ClockFault):
            await _offered(cluster.clocks, fault).apply(id_, fault)
        elif isinstance(fault, ClientFault):
            await _offered(cluster.clients, fault).crash(fault.share)
        elif isinstance(fault, MemberFault):
            await _offered(cluster.members, fault).apply(id_, fault)
        elif isinstance(fault, VersionFault):
            await _offered(cluster.versions, fault).apply(id_, fault)
            await self._put_back(opened)
        else:
            await _offered(cluster.traitors, fault).apply(id_, fault)

    async def _undone(self, fault: Open) -> None:
        applied, cluster = fault.applied, self._cluster
        if isinstance(applied, LinkFault):
            await _offered(cluster.network, applied).undo(fault.id)
        elif isinstance(applied, ClockFault):
            await _offered(cluster.clocks, applied).undo(fault.id)
        elif isinstance(applied, Betray):
            await _offered(cluster.traitors, applied).undo(fault.id)
        elif isinstance(applied, DiskFault):
            await _offered(cluster.disks, applied).undo(fault.id)
        elif isinstance(applied, MemberFault):
            await _offered(cluster.members, applied).undo(fault.id)
        elif isinstance(applied, VersionFault):
            await _offered(cluster.versions, applied).undo(fault.id)
            await self._put_back(fault)
        if isinstance(applied, ProcessFault | Ailment | DeadlyFault):
            await self._moved(fault)

    async def _moved(self, fault: Open) -> None:
        """Make the nodes of a fault, which holds them no more, what the others want them to be."""
        processes, wanted = _offered(self._cluster.processes, fault.applied), self._wanted(fault)
        alive = [node for node, state in wanted.items() if state != "dead"]
        if isinstance(fault.applied, Pause):
            await processes.resume([node for node in alive if wanted[node] == "running"])
            return
        await processes.restart(alive)
        stalled = [node for node in alive if wanted[node] == "paused"]
        if stalled:  # a new process knows nothing of the pause that its predecessor was under
            await processes.pause(stalled)

    async def _put_back(self, fault: Open) -> None:
        """Its nodes run anew: those that other faults hold dead or paused must not."""
        wanted, processes = self._wanted(fault), self._cluster.processes
        dead = [node for node, state in wanted.items() if state == "dead"]
        paused = [node for node, state in wanted.items() if state == "paused"]
        if processes is not None:
            await processes.kill(dead)
            await processes.pause(paused)

    def _wanted(self, without: Open) -> dict[str, ProcessState]:
        """What the nodes of a fault should be by the others that are open."""
        dead = self._nodes_under(DeadlyFault, without)
        paused = self._nodes_under(Pause, without)
        return {
            node: "dead" if node in dead else "paused" if node in paused else "running"
            for node in struck(without.applied)
        }

    def _as_wanted(self, fault: Open, states: Mapping[str, ProcessState]) -> Evidence:
        """Are the nodes of a fault, which was undone, what they should be?"""
        wanted = self._wanted(fault)
        ailing = self._nodes_under(Ailment, fault)
        dead = [n for n, s in wanted.items() if s != "dead" and states.get(n) == "dead"]
        lost = [n for n in dead if self._is_lost(n, "dead")]
        if isinstance(fault.applied, Damage):
            lost = []  # the end of this very fault is asked for, and it has not come to one
        excused = {*lost, *(n for n in dead if n in ailing)}
        expected = {n: s for n, s in wanted.items() if n not in excused}
        found = evidence.of_states(expected, states)
        observed = found.observed | ({"lost": lost} if lost else {})
        return Evidence(found.in_effect or not expected, observed)

    def _is_lost(self, node: str, state: ProcessState | None) -> bool:
        return node in self._damaged and state == "dead"

    def _freed(self, fault: Open, applied: Ailment | SlowDisk, now: Measured) -> Evidence:
        nodes = self._free_of(type(applied), fault)
        return symptoms.of_freed_disks(applied, nodes, fault.before.disks, now.disks)

    def _free_of(self, kind: Kinds, fault: Open) -> list[str]:
        """The nodes of a fault that no other open fault of these kinds strikes."""
        busy = self._nodes_under(kind, fault)
        return [node for node in struck(fault.applied) if node not in busy]

    def _nodes_under(self, kind: Kinds, without: Open | None = None) -> set[str]:
        """The nodes that open faults of these kinds strike, one fault left out."""
        faults = [o.applied for o in self.open.values() if o is not without]
        of_kind = [f for f in faults if isinstance(f, kind) and isinstance(f, NodeFault)]
        return {node for fault in of_kind for node in fault.nodes}

    def _links_under(self, kind: Kinds, without: Open | None = None) -> set[Link]:
        """The links that open faults of these kinds strike, one fault left out."""
        faults = [o.applied for o in self.open.values() if o is not without]
        of_kind = [f for f in faults if isinstance(f, kind) and isinstance(f, LinkFault)]
        return {link for fault in of_kind for link in fault.links}


def _limit_s(fault: Fault) -> float:
    restarts = isinstance(fault, ClockFault) and fault.clock == "monotonic"
    polite = restarts or isinstance(fault, MemberFault | VersionFault)
    return POLITE_LIMIT_S if polite else CALL_LIMIT_S


def _offered(capability: T | None, fault: Fault) -> T:
    if capability is None:
        raise ValueError(f"this cluster offers no {needs(fault)} to break, as {tag(fault)} needs")
    return capability


def _named(**ills: list[str]) -> dict[str, list[str]]:
    return {ill: nodes for ill, nodes in ills.items() if nodes}


def _both(one: Evidence, other: Evidence) -> Evidence:
    return Evidence(one.in_effect and other.in_effect, one.observed | other.observed)
