"""What a host offers, looked at once before anything is done there.

Rules
1. Looking changes nothing but makes our directory: what must be tried out is tried in a network
   namespace of its own, which ends with the try.
2. What every run needs and is not there is trouble, told of all hosts at once. What only some
   faults need is kept as a reason, and told if a schedule has such a fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.clusters.ssh.connection import Connection
from harness.contracts import EnvironmentTrouble

SURVEY_LIMIT_S = 8.0
FREE_KIB_MIN = 1024

# Each line is a word and what was found; an empty answer says that there is nothing.
LOOK = r"""
sudo=$1 directory=$2 python=$3
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
echo system $(uname -s)
echo uid $(id -u)
echo connection $SSH_CONNECTION
for tool in setsid nft tc bash unshare systemctl date; do
  command -v $tool > /dev/null 2>&1 && echo tool $tool
done
complaint=$($sudo true 2>&1) && echo root yes || echo complaint $complaint
[ -d "$directory" ] || { mkdir -p "${directory%/*}" && mkdir -m 700 "$directory"; } 2> /dev/null
[ -O "$directory" ] && [ -w "$directory" ] && echo directory yes
echo free $(df -Pk "$directory" 2>/dev/null | { read -r _; read -r _ _ _ free _; echo "$free"; })
command -v "$python" > /dev/null 2>&1 && echo python yes
command -v perl > /dev/null 2>&1 && echo perl yes
nft=$($sudo nft list tables 2>&1 > /dev/null) && echo nft yes || echo nft-complaint $nft
netem=$($sudo unshare -n tc qdisc add dev lo root netem delay 1ms 2>&1) &&
  echo netem yes || echo netem-complaint $netem
htb=$($sudo unshare -n tc qdisc add dev lo root handle 1: htb 2>&1) &&
  echo htb yes || echo htb-complaint $htb
"""


class Facts(msgspec.Struct, frozen=True):
    """Of one host. `seen_from`, `address`: the two ends of our connection, as the host sees them;
    `port`: where its sshd listens. `lacking_*`: why not, empty if nothing is lacking."""

    seen_from: str
    address: str
    port: int
    tools: frozenset[str]
    root: bool
    has_python: bool
    has_perl: bool
    lacking_nft: str = ""
    lacking_netem: str = ""
    lacking_htb: str = ""


def look(connection: Connection, sudo: Sequence[str], home: str, python: str) -> Facts:
    """Connect and look. Blocks. Raises EnvironmentTrouble with what is wrong with the host."""
    ended = connection.run(
        ["sh", "-c", LOOK, "look", " ".join(sudo), home, python], limit_s=SURVEY_LIMIT_S
    )
    answers: dict[str, list[str]] = {}
    for line in ended.text.splitlines():
        word, _, rest = line.partition(" ")
        answers.setdefault(word, []).append(rest.strip())
    us = f"node {connection.name}'s host {connection.target}"
    wrong = _wrong(answers, bool(sudo), home)
    if wrong:
        raise EnvironmentTrouble(f"{us} {wrong}")
    ends = answers["connection"][0].split()
    if len(ends) != 4 or ":" in ends[2]:
        raise EnvironmentTrouble(
            f"{us} sees our connection as {' '.join(ends)!r}; expected two IPv4 addresses. Name it "
            "by its IPv4 address in the cluster option hosts."
        )
    return _facts(answers, ends, bool(sudo))


def _wrong(answers: Mapping[str, list[str]], with_sudo: bool, home: str) -> str:
    """Why no run is possible on this host; empty if one is."""
    if answers.get("system") != ["Linux"]:
        return (
            f"is {answers.get('system', ['nothing that answers a POSIX shell'])[0]}; the ssh "
            "cluster needs Linux, and a POSIX shell as the login shell."
        )
    if with_sudo and "root" not in answers:
        return (
            f"refuses 'sudo -n true': {_said(answers, 'complaint')}. Let the user run sudo without "
            "a password (a line 'NAME ALL=(ALL) NOPASSWD: ALL' in /etc/sudoers.d), log in as "
            "root, or leave sudo=yes out and break no networks."
        )
    if "directory" not in answers:
        return (
            f"does not let us make and own the directory {home}. Name another with the cluster "
            "option directory."
        )
    if "setsid" not in answers.get("tool", []):
        return "has no setsid, without which no node is started. Install util-linux there."
    free = answers.get("free", [""])[0]
    if free.isdigit() and int(free) < FREE_KIB_MIN:
        return (
            f"has {free} KiB free where {home} is. Free its disk, or name a directory on another "
            "with the cluster option directory."
        )
    return ""


def _facts(answers: Mapping[str, list[str]], ends: Sequence[str], with_sudo: bool) -> Facts:
    root = with_sudo or answers.get("uid") == ["0"]
    rootless = "" if root else "needs root: log in as root, or set the cluster option sudo=yes"

    def lacking(what: str, remedy: str) -> str:
        if what in answers:
            return ""
        return rootless or f"{_said(answers, f'{what}-complaint')}; {remedy}"

    tools = frozenset(answers.get("tool", []))
    nft = lacking("nft", "install nftables there")
    if not nft and "bash" not in tools:
        nft = "bash, with which probes are sent, is not there: install it"
    return Facts(
        seen_from=ends[0],
        address=ends[2],
        port=int(ends[3]),
        tools=tools,
        root=root,
        has_python="python" in answers,
        has_perl="perl" in answers,
        lacking_nft=nft,
        lacking_netem=lacking("netem", "use a kernel with sch_netem, and iproute2"),
        lacking_htb=lacking("htb", "use a kernel with sch_htb, and iproute2"),
    )


def _said(answers: Mapping[str, list[str]], word: str) -> str:
    return (answers.get(word) or [""])[0] or "it says nothing"
