"""PySyncObj as a system under test: its options, how a node is started, how clients speak to it.

Rules
1. A node's program is handed over with the command: hosts need Python and pysyncobj, and nothing of
   ours lies on the disk that faults break.
2. Nodes know one another by address, and an address is an identity in PySyncObj: all must agree on
   one for each, so there is no running behind links that have one for every pair.
3. A client of a lock is its process: the owner travels with the command, since a connection may be
   lost between an acquire and its release.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from checkers.history import COMPARE_FAILED, Operation
from harness.contracts import Address, Client, Command, Completion, Digest, Framing, NodePlan
from harness.machine import Machine, NodeId, Random
from harness.systems.jsonlines import JsonLinesClient, ProtocolError, ask_once
from harness.systems.specification import CLIENT, PEER, Call, Dialect
from harness.trial import TrialError, nearest

STATUS_TIMEOUT_S = 0.5
AGREE_LIMIT_S = 5.0  # for the nodes to reach one index, before their states are compared
_POLL_S = 0.1
CLIENT_PORT, PEER_PORT = 4320, 4321
COMPACTION_MIN = 2  # the library refuses less

CALLS: Mapping[str, Mapping[str, Call]] = MappingProxyType(
    {
        "register": {"read": Call("get"), "write": Call("put"), "cas": Call("cas")},
        "log": {"append": Call("append"), "read": Call("entries", [])},
        "set": {"add": Call("add"), "read": Call("members", [])},
        "queue": {"enqueue": Call("enqueue"), "dequeue": Call("dequeue")},
        "counter": {"add": Call("increase"), "read": Call("count", 0)},
        "lock": {"acquire": Call("acquire"), "release": Call("release")},
    }
)
# Of the library's reasons only three say that the command went nowhere: the queue was full, nobody
# led and it was not kept, or the leader refused it. After LEADER_CHANGED, NOT_LEADER, DISCARDED,
# UNKNOWN_OUTCOME and no answer at all the entry may be in a log, to be committed later.
DIALECT = Dialect(
    reads=frozenset({"get", "entries", "members", "count"}),
    errors={
        COMPARE_FAILED: "fail",
        "held": "fail",
        "not-held": "fail",
        "queue-full": "fail",
        "missing-leader": "fail",
        "request-denied": "fail",
        "malformed": "fail",
        "unsupported": "fail",
    },
    status="status",
)
_CHOICES = MappingProxyType(
    {"journal": ("yes", "no"), "reads": ("replicated", "local"), "fast": ("no", "yes")}
)
# The program is read from the environment: an argument vector is shown to people.
_PROGRAM = "ANTIPAXOS_NODE"
_BOOT = f"import os; exec(compile(os.environ['{_PROGRAM}'], 'node.py', 'exec'))"
_LAUNCH = """
python=$1; shift
command -v "$python" > /dev/null 2>&1 || python=python3
exec "$python" -u -c "$@"
"""


class PySyncObj:
    """Implements harness.contracts.System and Comparable."""

    name = "pysyncobj"
    workloads: Sequence[str] = tuple(CALLS)
    framings: Mapping[str, Framing] = MappingProxyType(
        {
            CLIENT: Framing(kind="line", port=CLIENT_PORT),
            PEER: Framing(kind="stream", port=PEER_PORT),
        }
    )
    defaults: Mapping[str, str] = MappingProxyType(
        {name: choices[0] for name, choices in _CHOICES.items()}
    )
    clusters: Sequence[str] = ("namespaces", "ssh")
    simulable = False

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        sentences = []
        for name, value in options.items():
            if name == "compaction":
                if not value.isdecimal() or int(value) < COMPACTION_MIN:
                    sentences.append(
                        f"option compaction is {value!r}. Give the number of log entries beyond "
                        f"which PySyncObj compacts, {COMPACTION_MIN} or more."
                    )
            elif name not in _CHOICES:
                known = (*_CHOICES, "compaction")
                sentences.append(f"system pysyncobj has no option {name!r}. {nearest(name, known)}")
            elif value not in _CHOICES[name]:
                sentences.append(f"option {name} is {value!r}. {nearest(value, _CHOICES[name])}")
        return sentences

    def command(self, plan: NodePlan) -> Command:
        options = {**self.defaults, **plan.options}
        arguments = [f"--name={plan.name}", f"--trace={plan.trace}", f"--reads={options['reads']}"]
        arguments += [f"--listen-{port}={_text(a)}" for port, a in plan.listen.items()]
        arguments += [f"--peer={_text(address)}" for address in plan.peers.values()]
        arguments += [f"--{name}" for name in ("journal", "fast") if options[name] == "yes"]
        if "compaction" in options:
            arguments.append(f"--compaction={options['compaction']}")
        return Command(
            argv=("sh", "-c", _LAUNCH, "pysyncobj", sys.executable, _BOOT, *arguments),
            env={_PROGRAM: _program()},
        )

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:
        client = JsonLinesClient(node, address, DIALECT, CALLS[workload], timeout_s)
        return LockClient(client) if workload == "lock" else client

    async def ready(self, node: str, address: Address) -> bool:  # noqa: ARG002
        status = await _asked(address, "status")
        return status is not None and status.get("ready") is True

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        answers = await asyncio.gather(*(_asked(a, "status") for a in addresses.values()))
        told = zip(addresses, answers, strict=True)
        return tuple(node for node, status in told if status and status.get("leading") is True)

    async def digests(self, addresses: Mapping[str, Address]) -> Sequence[Digest]:
        """Of all that answer, at one index if they come to one in time: a follower learns with the
        next message of its leader what was committed with the last."""
        loop = asyncio.get_running_loop()
        end = loop.time() + AGREE_LIMIT_S
        while True:
            answers = await asyncio.gather(*(_asked(a, "digest") for a in addresses.values()))
            told = zip(addresses, answers, strict=True)
            found = tuple(Digest(node=node, **digest) for node, digest in told if digest)
            if len({digest.position for digest in found}) <= 1 or loop.time() > end:
                return found
            await asyncio.sleep(_POLL_S)

    def machine(
        self,
        node: NodeId,
        peers: Sequence[NodeId],  # noqa: ARG002
        random: Random,  # noqa: ARG002
        workload: str,  # noqa: ARG002
        options: Mapping[str, str],  # noqa: ARG002
    ) -> Machine:
        raise TrialError([f"{node}: pysyncobj is a program. It has no machine to simulate."])


class LockClient:
    """A client of the line protocol whose values are owners (rule 3)."""

    def __init__(self, client: JsonLinesClient) -> None:
        self._client = client

    async def open(self) -> None:
        await self._client.open()

    async def invoke(self, operation: Operation) -> Completion:
        owned = msgspec.structs.replace(operation, value=f"process {operation.process}")
        return await self._client.invoke(owned)

    async def close(self) -> None:
        await self._client.close()


async def _asked(address: Address, f: str) -> dict[str, Any] | None:
    """None where there is no answer, or none that is one."""
    try:
        answer = await ask_once(address, f, STATUS_TIMEOUT_S)
    except ProtocolError:
        return None
    return answer if isinstance(answer, dict) else None


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


@cache
def _program() -> str:
    return Path(__file__).with_name("node.py").read_text(encoding="utf-8")
