"""What the rooms of the harness promise one another: clients, systems, clusters, workloads.

A cluster is where nodes live, a system is what runs there, a client speaks to one node of it, a
workload says what clients do and who judges it. None of them knows another's module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from checkers.history import Error, Operation
from checkers.verdict import Checker
from harness.generators import Generator
from harness.machine import Machine, NodeId, Random
from nemesis.capabilities import Breakable

Address = tuple[str, int]  # host, port


class EnvironmentTrouble(Exception):
    """The machine or the system's set-up failed us: exit code 255, never a verdict.

    The message is a sentence: what was tried, what came, what to do.
    """


class BrokenClient(Exception):
    """A client broke its own contract: its author is at fault, and the run ends (exit code 255).

    The message is a sentence: which client, what it did, what was expected.
    """


class Completion(msgspec.Struct, frozen=True):
    """How one operation ended, as a client reports it."""

    type: Literal["ok", "fail", "info"]
    value: Any = None
    error: Error | None = None


class Client(Protocol):
    """Speaks to one node, one operation at a time. Coroutines or plain functions: the worker runs
    plain ones in a thread. Whatever `invoke` raises is recorded as info, but BrokenClient, which
    ends the run; a failed `open` is a definite fail, since nothing was sent. After an info the
    client is closed and opened anew."""

    async def open(self) -> None: ...

    async def invoke(self, operation: Operation) -> Completion: ...

    async def close(self) -> None: ...


class Framing(msgspec.Struct, frozen=True):
    """How a byte stream falls into messages, so that links lose and reorder whole ones.

    length: a big-endian length of `prefix_bytes` before each message; line: newline-delimited;
    stream: unknown, so links may only delay, hold, throttle and reset. (Links of whole hosts carry
    packets, and care for none of this.)

    `port`: the number that the port has where a node has an address of its own; None: any.
    """

    kind: Literal["length", "line", "stream"] = "stream"
    prefix_bytes: int = 4
    port: int | None = None


class NodePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a system needs to know to start one node.

    `listen`: port name ('peer', 'client') to the address the node must listen on. `peers`: for
    every other node, the address under which this node reaches its peer port (a link, not the
    node itself). `hosts`: the address (no port) of every node by name, its own included, where
    each is a host of its own, all ports alike; empty where nodes share one. `options`: the
    system's options of the trial (a mutant's name, say).
    """

    name: str
    data: Path
    listen: Mapping[str, Address]
    peers: Mapping[str, Address]
    trace: Path
    seed: int
    workload: str
    options: Mapping[str, str]
    hosts: Mapping[str, str] = {}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A process to start: argument vector, extra environment, working directory (None: the data
    directory of the node)."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    cwd: Path | None = None


class System(Protocol):
    """A system under test: how one node is started, found ready and spoken to."""

    @property
    def name(self) -> str: ...

    @property
    def workloads(self) -> Sequence[str]: ...

    @property
    def framings(self) -> Mapping[str, Framing]:
        """By port name; the port names of a node are its keys ('peer', 'client')."""
        ...

    @property
    def defaults(self) -> Mapping[str, str]:
        """The options that a trial need not give, with the values they then have."""
        ...

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        """Sentences about unknown or unusable options, naming the nearest valid; empty if none."""
        ...

    def command(self, plan: NodePlan) -> Command: ...

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client: ...

    async def ready(self, node: str, address: Address) -> bool:
        """Does the node serve clients? False while it does not; never raises for a refused
        connection."""
        ...

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        """The nodes that say they lead, asked directly; empty where the system has no leader."""
        ...

    @property
    def clusters(self) -> Sequence[str]:
        """The kinds of clusters that it can run on, its default first. A system whose nodes must
        agree on one address for each cannot run on 'local', where every link has its own."""
        ...

    @property
    def simulable(self) -> bool:
        """Does it offer its nodes as machines, for the simulated cluster?"""
        ...

    def machine(
        self,
        node: NodeId,
        peers: Sequence[NodeId],
        random: Random,
        workload: str,
        options: Mapping[str, str],
    ) -> Machine:
        """A node without I/O, where the system is simulable."""
        ...


Chore = Literal["install", "stop", "wipe"]


@runtime_checkable
class Housekeeping(Protocol):
    """What a system may offer besides: commands around the life of a node, on its host."""

    def commands(self, chore: Chore, plan: NodePlan) -> Sequence[Command]:
        """To run one after the other, each to its end: before the first start; instead of SIGTERM;
        before the data directory is emptied. Exit status 0 is success."""
        ...

    def logs(self, plan: NodePlan) -> Sequence[Path]:
        """Files that the node writes beside its standard output, to be kept with the run."""
        ...


class Digest(msgspec.Struct, frozen=True):
    """The state of a replica: at equal `position`s (a revision, an applied index) all nodes must
    have equal `value`s."""

    node: str
    position: int
    value: str


@runtime_checkable
class Comparable(Protocol):
    """What a system may offer besides: replicas that can be compared at the end of a run."""

    async def digests(self, addresses: Mapping[str, Address]) -> Sequence[Digest]:
        """Asked of each node by itself, when everything is healed and the final reads are done.
        Nodes that do not answer are left out."""
        ...


@runtime_checkable
class Leasing(Protocol):
    """What a system may offer besides: locks that it takes away, by time or with a session."""

    def leases(self, options: Mapping[str, str]) -> bool:
        """Does it, with these options of a trial? Then no two holders at once are no violation."""
        ...


@runtime_checkable
class Membered(Protocol):
    """What a system may offer besides: a membership that can be changed while it runs."""

    async def remove(self, node: str, addresses: Mapping[str, Address]) -> None:
        """Vote a node out, through any of `addresses`. Raises EnvironmentTrouble if refused."""
        ...

    async def add(self, plan: NodePlan, addresses: Mapping[str, Address]) -> Mapping[str, str]:
        """Vote a node in, before it is started; the options with which it must then be started."""
        ...

    async def members(self, addresses: Mapping[str, Address]) -> Mapping[str, tuple[str, ...]]:
        """The members, as each node that answers sees them."""
        ...


class Cluster(Breakable, Protocol):
    """Where nodes live, and through what they can be broken. Construction starts nothing."""

    async def start(self) -> None:
        """Wipe leftovers, start all nodes, wait until each is ready. Raises EnvironmentTrouble,
        with the last log lines of the node that failed; what did start is stopped first."""
        ...

    async def stop(self) -> None:
        """Stop everything; idempotent, and never raises for a node that is already gone."""
        ...

    def address(self, node: str) -> Address:
        """Where clients reach the node: the client link, through which faults act."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What else a reader of the report should know, as sentences; complete after `stop`."""
        ...

    def crashes(self) -> Sequence[str]:
        """Sentences about nodes that ended though nobody ended them, with their last log lines."""
        ...


class Workload(Protocol):
    """What clients do, and who judges it. One file each in harness/workloads."""

    @property
    def name(self) -> str: ...

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of its operations; coverage wants an ok of each."""
        ...

    def generator(self) -> Generator:
        """The main phase, without rate and time limits: the run adds those."""
        ...

    def final_generator(self) -> Generator:
        """After healing: final reads, by every worker until one succeeds."""
        ...

    def checkers(self) -> Sequence[Checker]: ...
