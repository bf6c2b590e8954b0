"""The first process of a host: puts itself into the namespaces of the host and keeps its node.

Called as `python -IS host.py SPEC`, with SPEC a JSON object: `name`, `net` (the path of its network
namespace), `hosts` (a file that becomes /etc/hosts), `temporary` (the directory that becomes /tmp),
`keep` (entries of /tmp that stay as they are, since the run lives in them).

Rules
1. The host has its own network, hostname, process tree, System V and POSIX queues, /proc, /tmp and
   /etc/hosts. The rest of the file system is that of the world, whose later mounts appear here.
2. The outer process only waits: it and the inner one, which is pid 1 of the host, die together.
3. Standard library only, like the keeper, which pid 1 becomes.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))  # isolated: nothing of ours is found otherwise

from harness.clusters import keeper
from harness.clusters.namespaces import system_calls as calls


def main() -> None:
    spec = json.loads(sys.argv[1])
    calls.join_net(spec["net"])
    calls.unshare(calls.CLONE_NEWNS | calls.CLONE_NEWUTS | calls.CLONE_NEWIPC | calls.CLONE_NEWPID)
    parent = os.getpid()
    child = os.fork()
    if child:
        _wait(child)
    calls.die_with_parent(signal.SIGKILL)
    if os.getppid() not in (0, parent):  # 0: of another pid namespace, as it should be
        os._exit(1)
    _furnish(spec)
    keeper.main()


def _wait(child: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the keeper hears of its end by its input
    os.closerange(0, 2)
    _, status = os.waitpid(child, 0)
    os._exit(max(0, os.waitstatus_to_exitcode(status)))


def _furnish(spec: dict[str, object]) -> None:
    name, hosts, temporary = str(spec["name"]), str(spec["hosts"]), str(spec["temporary"])
    calls.mount("none", "/", flags=calls.MS_REC | calls.MS_SLAVE)
    calls.mount("proc", "/proc", "proc")
    if Path("/etc/hosts").exists():  # else names are nobody's business here
        calls.mount(hosts, "/etc/hosts", flags=calls.MS_BIND)
    keep = spec["keep"]
    assert isinstance(keep, list)
    files = [(path, os.open(path, os.O_PATH)) for path in keep]
    calls.mount(temporary, "/tmp", flags=calls.MS_BIND)
    for path, file in files:
        place = Path(path)
        place.mkdir(exist_ok=True) if stat.S_ISDIR(os.fstat(file).st_mode) else place.touch()
        calls.mount(f"/proc/self/fd/{file}", path, flags=calls.MS_BIND | calls.MS_REC)
        os.close(file)
    calls.set_hostname(name)


if __name__ == "__main__":
    main()
