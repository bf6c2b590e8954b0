"""ZooKeeper as a system under test: its options, how a server is started and asked what it is.

Rules
1. A server writes its own configuration when it starts, each time anew: hosts need nothing of ours,
   and what a fault did to the file says nothing about ZooKeeper.
2. Servers have the ports that everyone knows (2181, 2888, 3888) and one address each, on which all
   agree; there is no running them behind links that have an address for every pair.
3. A server is ready when it has a mode, as leader or follower: one that only answers `ruok` has a
   process and no quorum.

Sources: ZooKeeper 3.8 Administrator's Guide (configuration, the four letter words).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from types import MappingProxyType
from typing import Literal, cast, get_args

from harness.contracts import Address, Client, Command, Framing, NodePlan
from harness.machine import Machine, NodeId, Random
from harness.trial import TrialError, nearest

CLIENT, PEER, ELECTION = "client", "peer", "election"
ASK_LIMIT_S = 0.5
# What goes before a read: a write of nothing, a `sync`, which a leader answers its own clients
# without waiting for anything, or nothing.
Order = Literal["write", "yes", "no"]
ORDERS: tuple[Order, ...] = get_args(Order)

# Its manifest names what it needs, all but a place to log to.
_DEBIAN = tuple(f"/usr/share/java/{jar}.jar" for jar in ("zookeeper", "slf4j-log4j12", "log4j-1.2"))
_HEAP = re.compile(r"[1-9]\d*[mg]")
# Ticks are short, so that a server that is cut off stops serving within two seconds and not ten; a
# session may outlive a longer trouble than twenty of them. All clients come from one address.
_SETTINGS = """\
tickTime=500
initLimit=10
syncLimit=4
maxSessionTimeout=60000
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=srvr,mntr
preAllocSize=1024
"""
_LOGGING = """\
log4j.rootLogger=INFO, OUT
log4j.appender.OUT=org.apache.log4j.ConsoleAppender
log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
log4j.appender.OUT.layout.ConversionPattern=%d{ISO8601} %-5p [%t:%C{1}] %m%n
"""
# Debian's logs through log4j, Apache's own archive through logback.
_LOGBACK = """\
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5p [%t:%C{1}] %m%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"""
_LAUNCH = """
set -e
classpath=$1; heap=$2
if ! command -v java > /dev/null; then
  echo "There is no program 'java' on this host. Install one: apt-get install default-jre" >&2
  exit 127
fi
first=${classpath%%:*}
case $first in
  *'*') ;;
  *) if [ ! -r "$first" ]; then
       echo "ZooKeeper is not at $first on this host. Install it (apt-get install zookeeper)," \
         "or say where it is: --option classpath='/opt/zookeeper/lib/*'" >&2
       exit 127
     fi ;;
esac
printf '%s' "$3" > zoo.cfg
printf '%s' "$4" > myid
printf '%s' "$5" > log4j.properties
printf '%s' "$6" > logback.xml
exec java "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$PWD:$classpath" \
  org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg
"""


class ZooKeeper:
    """Implements System and Leasing of harness.contracts. What its clients know of its options,
    `sync`, they learn from the plans of nodes: all of a run have the same."""

    name = "zookeeper"
    workloads: Sequence[str] = ("register", "log", "set", "queue", "counter", "lock")
    framings: Mapping[str, Framing] = MappingProxyType(
        {
            CLIENT: Framing(kind="stream", port=2181),
            PEER: Framing(kind="stream", port=2888),
            ELECTION: Framing(kind="stream", port=3888),
        }
    )
    defaults: Mapping[str, str] = MappingProxyType(
        {"sync": ORDERS[0], "heap": "256m", "classpath": ":".join(_DEBIAN)}
    )
    clusters: Sequence[str] = ("namespaces", "ssh")
    simulable = False

    def __init__(self) -> None:
        self._order: Order = ORDERS[0]

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        sentences = []
        if find_spec("kazoo") is None:
            sentences.append(
                "system zookeeper is spoken to through kazoo, which is not installed here. "
                "Install it: pip install 'antipaxos[systems]'."
            )
        for name, value in options.items():
            if name not in self.defaults:
                sentences.append(
                    f"system zookeeper has no option {name!r}. {nearest(name, self.defaults)}"
                )
            elif name == "sync" and value not in ORDERS:
                sentences.append(f"option sync is {value!r}. {nearest(value, ORDERS)}")
            elif name == "heap" and not _HEAP.fullmatch(value):
                sentences.append(f"option heap is {value!r}. Give a size as Java has it, as 256m.")
        return sentences

    def command(self, plan: NodePlan) -> Command:
        options = {**self.defaults, **plan.options}
        self._order = cast(Order, options["sync"])
        number = list(plan.hosts).index(plan.name) + 1
        return Command(
            argv=(
                *("sh", "-c", _LAUNCH, "zookeeper", options["classpath"], options["heap"]),
                *(configuration(plan), str(number), _LOGGING, _LOGBACK),
            )
        )

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:  # noqa: ARG002
        from harness.systems.zookeeper.client import ZooKeeperClient  # needs kazoo

        return ZooKeeperClient(address, workload, timeout_s, self._order)  # type: ignore[return-value]

    async def ready(self, node: str, address: Address) -> bool:  # noqa: ARG002
        return await mode(address) is not None

    def leases(self, options: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Leasing of harness.contracts: a lock ends with its session, and a client that was left
        without an answer closes it, with all the locks that it held."""
        return True

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        modes = await asyncio.gather(*(mode(address) for address in addresses.values()))
        told = zip(addresses, modes, strict=True)
        return tuple(node for node, said in told if said in ("leader", "standalone"))

    def machine(
        self,
        node: NodeId,
        peers: Sequence[NodeId],  # noqa: ARG002
        random: Random,  # noqa: ARG002
        workload: str,  # noqa: ARG002
        options: Mapping[str, str],  # noqa: ARG002
    ) -> Machine:
        raise TrialError([f"{node}: zookeeper is a program. It has no machine to simulate."])


def configuration(plan: NodePlan) -> str:
    """The zoo.cfg of a node."""
    ip, port = plan.listen[CLIENT]
    lines = [f"dataDir={plan.data}", f"clientPortAddress={ip}", f"clientPort={port}"]
    if len(plan.hosts) > 1:  # one server that is told of itself alone warns, and stands alone
        ports = f"{plan.listen[PEER][1]}:{plan.listen[ELECTION][1]}"
        lines += [f"server.{n}={host}:{ports}" for n, host in enumerate(plan.hosts.values(), 1)]
    return _SETTINGS + "\n".join(lines) + "\n"


async def mode(address: Address) -> str | None:
    """leader, follower or standalone; None of a server that does not answer or does not serve."""
    try:
        async with asyncio.timeout(ASK_LIMIT_S):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(b"srvr")
                answer = await reader.read()
            finally:
                writer.transport.abort()
    except OSError:  # refused, unreachable, reset or timed out
        return None
    found = re.search(rb"^Mode: (\w+)", answer, re.MULTILINE)
    return None if found is None else found[1].decode()
