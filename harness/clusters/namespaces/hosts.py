"""Hosts in a world: a network namespace each, joined by a bridge, and a keeper in each.

Rules
1. The harness is at CLIENT_IP on the bridge, host number i at 10.99.0.i; a world is alone in its
   network, so the addresses are never in use.
2. The end of a host's cable that the world holds is called `v-<host>`; its own end is eth0.

Sources: ip-netns(8), veth(4), bridge(8).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.clusters.namespaces.system_calls import NETS
from harness.clusters.readiness import all_or_none
from harness.clusters.supervisor import PLAIN, Life, OnProcess, Supervisor
from harness.contracts import EnvironmentTrouble

BRIDGE = "br0"
PREFIX = "10.99.0"
CLIENT_IP = f"{PREFIX}.254"
TEMPORARY = Path("/tmp")
HOST = Path(__file__).with_name("host.py")
CONFIGURING_LIMIT_S = 10.0


def addresses(names: Sequence[str]) -> dict[str, str]:
    """The address of each host."""
    return {name: f"{PREFIX}.{number}" for number, name in enumerate(names, start=1)}


def cable(name: str) -> str:
    """The device at which the world holds a host's cable."""
    return f"v-{name}"


async def wire(hosts: Mapping[str, str]) -> None:
    """Make the networks of the hosts (name to address) and join them by a bridge."""
    lines = [f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up"]
    lines += [f"addr add {CLIENT_IP}/24 dev {BRIDGE}"]
    for name in hosts:
        lines += [
            f"netns add {name}",
            f"link add {cable(name)} type veth peer name eth0 netns {name}",
            f"link set {cable(name)} master {BRIDGE} up",
        ]
    await configure(["ip", "-batch", "-"], lines)
    await asyncio.gather(*(_address(name, ip) for name, ip in hosts.items()))


async def unwire() -> None:
    """Take down what this world has of hosts, by whomever made."""
    # A network that is deleted lets its end of a cable go later; deleting the cable is at once.
    devices = [name for _, name in socket.if_nameindex() if name == BRIDGE or name.startswith("v-")]
    networks = sorted(file.name for file in Path(NETS).iterdir())
    lines = [f"link del {name}" for name in devices] + [f"netns del {name}" for name in networks]
    if lines:
        await configure(["ip", "-batch", "-"], lines)


async def _address(name: str, ip: str) -> None:
    lines = [f"addr add {ip}/24 dev eth0", "link set eth0 up", "link set lo up"]
    await configure(["ip", "-n", name, "-batch", "-"], lines)


async def configure(argv: Sequence[str], lines: Sequence[str]) -> bytes:
    """Feed lines to a program that configures; what it prints. Raises EnvironmentTrouble."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C at the terminal is not for it
    )
    text = "\n".join((*lines, "")).encode()
    try:
        async with asyncio.timeout(CONFIGURING_LIMIT_S):
            said, complaint = await process.communicate(text)
    except TimeoutError:
        raise EnvironmentTrouble(
            f"{argv[0]} did not configure the network of the world within "
            f"{CONFIGURING_LIMIT_S:g} s: is the machine overloaded?"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise EnvironmentTrouble(
            f"{argv[0]} refused to configure the network of the world: "
            f"{complaint.decode(errors='replace').strip()}. Run 'antipaxos doctor'."
        )
    return said


class Hosts:
    """The keepers of all hosts, by name, between `open` and `close`."""

    def __init__(self, on_process: OnProcess | None, on_gone: Callable[[str, Life], None]) -> None:
        self._on_process = on_process
        self._on_gone = on_gone
        self._supervisors: dict[str, Supervisor] = {}

    def __getitem__(self, name: str) -> Supervisor:
        return self._supervisors[name]

    @property
    def lost(self) -> dict[str, str]:
        """Why there is no keeper any more, of each host that was lost."""
        return {name: s.lost for name, s in self._supervisors.items() if s.lost}

    async def open(
        self, folders: Mapping[str, Path], hosts: Mapping[str, str], needed: Iterable[Path]
    ) -> None:
        """Furnish each host and start its keeper. `folders`: of each node in the run's folder;
        `needed`: other paths that its programs need."""
        keep = _below_temporary(*folders.values(), *needed)
        table = "".join(f"{ip}\t{name}\n" for name, ip in hosts.items())
        names = f"127.0.0.1\tlocalhost\n{CLIENT_IP}\tclient\n{table}"
        await all_or_none(self._open(name, folder, names, keep) for name, folder in folders.items())

    async def _open(self, name: str, folder: Path, names: str, keep: Sequence[str]) -> None:
        temporary, hosts = folder / "tmp", folder / "hosts"
        temporary.mkdir(exist_ok=True)
        hosts.write_text(names, encoding="utf-8")
        spec = {
            "name": name,
            "net": f"{NETS}/{name}",
            "hosts": str(hosts),
            "temporary": str(temporary),
            "keep": keep,
        }
        argv = (*PLAIN, str(HOST), msgspec.json.encode(spec).decode())
        self._supervisors[name] = supervisor = Supervisor(self._on_process, self._on_gone, argv)
        await supervisor.open(folder / "keeper.log")

    async def close(self) -> None:
        await asyncio.gather(*(s.close() for s in self._supervisors.values()))


def _below_temporary(*paths: Path) -> list[str]:
    """What of /tmp a host keeps: the whole of whatever a path of the run lies in, or leads to."""
    ways = {way for path in paths for way in (path, path.resolve())}
    inside = [way.relative_to(TEMPORARY) for way in ways if way.is_relative_to(TEMPORARY)]
    return sorted({str(TEMPORARY / path.parts[0]) for path in inside if path.parts})
