"""Hosts with sshd, made of namespaces, for tests: to be used inside a world (see run_inside).

Host n<i> is 10.99.0.<i>, with sshd on port 22, its own process tree, host name and /var/tmp; we are
10.99.0.254. Root may log in with `key`, or with PASSWORD.

    with SshHosts(3) as hosts:
        cluster = SshCluster(system, hosts.names, ..., cluster_options=hosts.options())
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import TracebackType

import psutil

from tests.harness.ssh import seccomp

SSHD = "/usr/sbin/sshd"
BRIDGE, OURS = "br0", "10.99.0.254"
PASSWORD = "correct horse"
HASH = (
    "$6$antipaxos$NScn4rhWxRAjmsV0hJ0tC748DPV.Qy97nIxTnWhdQ4Ik1Rj"
    "lx0NivdpAsvYfOshc2pVtjW5wDz661qngrQF7L/"
)
LIMIT_S, POLL_S = 10.0, 0.005

ACCOUNTS = {
    "passwd": "root:x:0:0:root:{home}:/bin/bash\nsshd:x:0:0:sshd:/run/sshd:/usr/sbin/nologin\n",
    "shadow": f"root:{HASH}:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n",
}
SETTINGS = """
Port 22
HostKey {folder}/{name}.key
PidFile none
UsePAM no
StrictModes no
UseDNS no
PermitRootLogin yes
MaxStartups 100
AuthorizedKeysFile {folder}/key.pub
SetEnv PATH={folder}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Subsystem sftp internal-sftp
"""
# A host's own mounts and processes; `hidden` are programs that it lacks.
BOOT = """
hostname "$1" && mount -t tmpfs -o size=$2 tmpfs /var/tmp && mount -t tmpfs tmpfs /dev/shm || exit 1
settings=$3; shift 3
for hidden; do mount --bind /dev/null "$hidden" || exit 1; done
exec @SSHD@ -D -e -f "$settings"
"""


class SshHosts:
    """`lacking`: by host, the programs that it must do without. `disk`: the size of each host's
    /var/tmp, as mount takes it. `ahead_s`: by host, how far its monotonic clock is ahead of ours.
    """

    def __init__(
        self,
        count: int,
        *,
        lacking: dict[str, list[str]] | None = None,
        disk: str = "512m",
        ahead_s: dict[str, int] | None = None,
    ) -> None:
        self.names = tuple(f"n{i}" for i in range(1, count + 1))
        self.addresses = {name: f"10.99.0.{i}" for i, name in enumerate(self.names, 1)}
        self.folder = Path(tempfile.mkdtemp(prefix="ssh-hosts-"))
        self.key = self.folder / "key"
        self.known_hosts = self.folder / "known_hosts"
        self._lacking = lacking or {}
        self._disk = disk
        self._ahead_s = ahead_s or {}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> SshHosts:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._accounts(stack)
            self._network(stack)
            for name in ("key", *(f"{name}.key" for name in self.names)):
                self.new_key(name)
            for name in self.names:
                self.trust(name)
                stack.callback(self.down, name)
                self.up(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        wrong: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def options(self, **more: str) -> dict[str, str]:
        """The cluster options by which these hosts are reached."""
        return {
            "hosts": ",".join(self.addresses.values()),
            "user": "root",
            "key": str(self.key),
            "known_hosts": str(self.known_hosts),
            **more,
        }

    def new_key(self, name: str) -> None:
        """A key, in place of the one that was there."""
        (self.folder / name).unlink(missing_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
        subprocess.run(argv, check=True)

    def trust(self, name: str) -> None:
        """Add the host's key to the known ones."""
        kind, key, *_ = (self.folder / f"{name}.key.pub").read_text().split()
        with self.known_hosts.open("a") as known:
            known.write(f"{self.addresses[name]} {kind} {key}\n")

    def program(self, name: str, text: str) -> None:
        """A program that all hosts find before any other of that name."""
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def up(self, name: str) -> None:
        """Start the host, and wait until its sshd listens."""
        settings = self.folder / f"{name}.conf"
        settings.write_text(SETTINGS.format(folder=self.folder, name=name))
        boot = BOOT.replace("@SSHD@", SSHD)
        own = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
        own += ["--time", "--monotonic", str(self._ahead_s.get(name, 0))]
        words = [name, self._disk, str(settings), *self._lacking.get(name, [])]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{name}", *own, "sh", "-c", boot, "boot", *words],
                preexec_fn=seccomp.pretend_setgroups if seccomp.is_needed() else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._until(lambda: self._listens(name), f"the sshd of {name} does not listen", name)

    def down(self, name: str) -> None:
        """The host is gone, as by a power failure: with all its processes."""
        daemon = self._daemons.pop(name, None)
        if daemon is not None:
            daemon.kill()
            daemon.wait(LIMIT_S)

    def processes(self, name: str) -> list[psutil.Process]:
        """All that run on the host, its sshd first."""
        return psutil.Process(self._daemons[name].pid).children(recursive=True)

    def commands(self, name: str) -> list[str]:
        """What they run. One that ends while it is asked runs nothing any more."""
        told = []
        for process in self.processes(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                told.append(" ".join(process.cmdline()))
        return told

    def cut_connections(self, name: str) -> int:
        """End the sessions of sshd, by which whoever is logged in is cut off; how many."""
        sshd, *_ = self.processes(name)
        sessions = [child for child in sshd.children() if child.name().startswith("sshd")]
        for session in sessions:
            session.send_signal(signal.SIGKILL)
        return len(sessions)

    def on(self, name: str, *argv: str) -> str:
        """What a command prints, run in the network and mounts of the host."""
        sshd, *_ = self.processes(name)
        enter = ["nsenter", "-t", str(sshd.pid), "-m", "-n", "-u", "-p", "-T"]
        ran = subprocess.run([*enter, *argv], check=False, capture_output=True)
        return (ran.stdout + ran.stderr).decode(errors="replace")

    def _accounts(self, stack: contextlib.ExitStack) -> None:
        """Root, and the user that sshd wants, whoever they are outside."""
        Path("/run/sshd").mkdir(exist_ok=True)
        (self.folder / "home").mkdir()
        (self.folder / "bin").mkdir()
        for name, text in ACCOUNTS.items():
            path = self.folder / name
            path.write_text(text.format(home=self.folder / "home"))
            subprocess.run(["mount", "--bind", str(path), f"/etc/{name}"], check=True)
            stack.callback(subprocess.run, ["umount", "-l", f"/etc/{name}"], check=False)

    def _network(self, stack: contextlib.ExitStack) -> None:
        hosts = [
            f"netns add {n}\nlink add v-{n} type veth peer name eth0 netns {n}\n"
            f"link set v-{n} master {BRIDGE} up\n"
            for n in self.names
        ]
        bridge = (
            f"link add {BRIDGE} type bridge\nlink set {BRIDGE} up\n"
            f"addr add {OURS}/24 dev {BRIDGE}\nlink set lo up\n"
        )
        _ip(bridge + "".join(hosts))
        stack.callback(_ip, f"link del {BRIDGE}\n")
        for name, address in self.addresses.items():
            # The link by itself: a network that is deleted goes later, and its links with it.
            stack.callback(_ip, f"link del v-{name}\nnetns del {name}\n")
            _ip(f"addr add {address}/24 dev eth0\nlink set eth0 up\nlink set lo up\n", name)

    def _listens(self, name: str) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.addresses[name], 22)) == 0

    def _until(self, condition: Callable[[], bool], what: str, name: str) -> None:
        for _ in range(int(LIMIT_S / POLL_S)):
            if condition():
                return
            if self._daemons[name].poll() is not None:
                break
            Event().wait(POLL_S)
        raise AssertionError(f"{what}: {(self.folder / f'{name}.log').read_text()}")


def _ip(commands: str, netns: str | None = None) -> None:
    where = [] if netns is None else ["-n", netns]
    argv = ["ip", *where, "-batch", "-"]
    subprocess.run(argv, input=commands, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
