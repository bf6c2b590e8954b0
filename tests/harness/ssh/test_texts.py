"""What is sent to hosts as text: rules, queues, the script; and what is made of their answers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import msgspec
import paramiko
import pytest

from harness.clock import monotonic_ns
from harness.clusters.ssh import clockwork, firewall, shaping
from harness.clusters.ssh.clockwork import Offset
from harness.clusters.ssh.firewall import Place
from harness.clusters.ssh.hostkeys import KnownHosts
from harness.clusters.ssh.options import Target
from harness.clusters.ssh.script import SCRIPT
from harness.contracts import EnvironmentTrouble
from nemesis.faults import CLIENT, Lose, Partition, Slow, Throttle

LINK = ("n2", "n1")
PLACE = Place("n1", {"n2": "10.0.0.2"}, "10.0.0.9", 2222)


# --- the firewall


def test_our_own_connection_passes_before_every_rule() -> None:
    """On its port and from our address only; and then each link's chain is entered by address."""
    lines = [line.strip() for line in firewall.table(PLACE).splitlines()]
    own, *jumps = lines[lines.index("chain input {") + 2 :][:3]
    assert own == "ip saddr 10.0.0.9 tcp dport 2222 accept"
    assert jumps == [
        "ip saddr 10.0.0.2 jump from_n2_to_n1",
        "ip saddr 10.0.0.9 jump from_client_to_n1",
    ]
    out = lines[lines.index("chain output {") + 2 :][:3]
    assert out[0] == "ip daddr 10.0.0.9 tcp sport 2222 accept"
    assert out[2] == "ip daddr 10.0.0.9 jump from_n1_to_client"


def test_only_our_own_table_is_replaced() -> None:
    """Declared, deleted and made anew in one transaction; nobody else's is named."""
    text = firewall.table(PLACE)
    assert text.startswith(
        "table inet antipaxos\ndelete table inet antipaxos\ntable inet antipaxos"
    )
    assert text.count("table ") == 3
    assert "flush ruleset" not in text


def test_a_link_does_what_its_faults_sum_up_to() -> None:
    """Losses each draw for themselves; any silent cut drops the rest; else one that resets, which
    lets resets through."""
    lose, cut = Lose(links=(LINK,), probability=0.25), Partition(links=(LINK,))
    reset = Partition(links=(LINK,), mode="reset")
    healthy = firewall.rules(LINK, ())
    assert [rule.rsplit(" ", 1)[-1] for rule in healthy] == [
        "drop",
        "from_n2_to_n1_forwarded",
    ]
    twice = firewall.rules(LINK, (lose, lose))
    assert sum("numgen random mod 1000000 < 250000" in rule for rule in twice) == 6
    assert twice[6:] == healthy
    assert all(rule.endswith("drop") for rule in firewall.rules(LINK, (reset, cut)))
    first, second, *rest = firewall.rules(LINK, (reset,))
    assert first.endswith("rst accept")
    assert second.endswith("reject with tcp reset")
    assert all(rule.endswith("drop") for rule in rest)


def test_a_change_is_one_chain_replaced() -> None:
    """So counters outlive it, and an order twice is as good as once."""
    text = firewall.replacement(LINK, (Partition(links=(LINK,)),))
    first, *rest = text.splitlines()
    assert first == "flush chain inet antipaxos from_n2_to_n1"
    assert all(line.startswith("add rule inet antipaxos from_n2_to_n1 ") for line in rest)


def test_counters_are_read_by_name() -> None:
    """From nft's JSON; what is not that is an error, not zero packets."""
    entries = [
        {"metainfo": {"version": "1.0"}},
        {"counter": {"name": "from_n2_to_n1_dropped", "packets": 7, "bytes": 1}},
    ]
    counted = firewall.counters(msgspec.json.encode({"nftables": entries}))
    assert firewall.of_link(LINK, counted)["dropped"] == 7
    assert firewall.of_link(LINK, counted)["forwarded"] == 0
    with pytest.raises(msgspec.MsgspecError):
        firewall.counters(b"")


# --- queues


def test_queues_do_what_faults_sum_up_to() -> None:
    """The least width; delays added, their variances too; without delays a plain queue."""
    narrow = [Throttle(bytes_per_s=9000), Throttle(bytes_per_s=5000)]
    assert "rate 5000bps" in shaping.leaf("eth0", 3, narrow)
    assert "pfifo" in shaping.leaf("eth0", 3, narrow)
    slow = [Slow(mean_ms=30, jitter_ms=3), Slow(mean_ms=20, jitter_ms=4)]
    assert "delay 50000us 5000us distribution normal" in shaping.leaf("eth0", 3, slow)
    constant = [Slow(mean_ms=1.5, distribution="constant")]
    assert shaping.leaf("eth0", 3, constant).split("delay ")[1].startswith("1500us ||")
    assert "rate 10gbit" in shaping.leaf("eth0", 3, constant)


def test_marks_lead_into_classes() -> None:
    """tc reads the minor number as hexadecimal."""
    text = shaping.marks({"10.0.0.2": 2, CLIENT: 17})
    assert "ip daddr 10.0.0.2 meta priority set 1:2" in text
    assert "meta priority set 1:11" in text


def test_waits_are_read_by_class() -> None:
    """From what tc prints, where the numbers are hexadecimal again."""
    shown = """class htb 1:11 root leaf 8001: prio 0 rate 160Kbit ceil 160Kbit
 Sent 62912 bytes 44 pkt (dropped 0, overlimits 11 requeues 0)
class htb 1:2 root leaf 8002: prio 0
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0)
"""
    assert shaping.waited(shown) == {17: 11, 2: 0}


# --- clocks


def test_an_offset_within_its_error_is_none() -> None:
    """Hosts of one machine share its clock; others are told in ours, with what they gained between
    the two ends as error."""
    assert clockwork.over(Offset(900, 1000), Offset(-700, 800)) == Offset(0, 1800)
    assert clockwork.over(Offset(10_000, 100), Offset(10_200, 300)) == Offset(10_100, 400)


def test_traces_are_told_in_our_time(tmp_path: Path) -> None:
    """Times of whole events are shifted; a line that a kill cut short stays as it is."""
    trace = tmp_path / "trace.jsonl"
    trace.write_bytes(b'{"time":1500,"event":"restart","node":"n1"}\n{"time":17')
    clockwork.rewrite(trace, Offset(1000, 1))
    assert trace.read_bytes() == b'{"time":500,"event":"restart","node":"n1"}\n{"time":17'


@pytest.mark.parametrize("language", ["python3", "perl"])
def test_hosts_tell_their_monotonic_clock(language: str) -> None:
    """In nanoseconds, the one that nodes trace by; by either language."""
    if shutil.which(language) is None:
        pytest.skip(f"needs {language}")
    argv = (
        ["python3", "-ISc", clockwork.PYTHON]
        if language == "python3"
        else ["perl", "-e", clockwork.PERL]
    )
    before_ns = monotonic_ns()
    told = subprocess.run(argv, input="?\n", capture_output=True, text=True, check=True)
    assert before_ns <= int(told.stdout) <= monotonic_ns()


# It is 2001-09-09T01:46:40Z until somebody sets it; chrony is who keeps it.
DATE = """#!/bin/sh
case $1 in
  +%s%N) echo 1000000000000000000 ;;
  -s) echo "$2" >> "$STATE/set" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
[ "$1" = is-active ] || echo "$*" >> "$STATE/acts"
[ "$1" != is-active ] || [ "$3" = chrony ]
"""


def test_a_clock_is_set_and_put_right(tmp_path: Path) -> None:
    """Its keeper is stopped first and started last; it is set by what was right, so that two faults
    do not add up their errors, and putting it right once more does nothing."""
    for name, text in (("date", DATE), ("systemctl", SYSTEMCTL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "host").write_text(SCRIPT)

    def order(*words: str) -> str:
        path = f"{tmp_path}:/usr/bin:/bin"
        argv = ["sh", str(tmp_path / "host"), *words]
        env = {"PATH": path, "STATE": str(tmp_path)}
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout

    assert order("clock_ahead") == "0\n"
    order("clock_set", "5000")
    order("clock_set", "-2000")
    order("clock_back")
    order("clock_back")
    first, second, third = (
        float(line.removeprefix("@")) for line in (tmp_path / "set").read_text().split()
    )
    assert first - 5 == pytest.approx(third, abs=0.5)
    assert second + 2 == pytest.approx(third, abs=0.5)
    assert 1e9 <= third < 1e9 + 1
    assert (tmp_path / "acts").read_text() == "stop chrony\nstart chrony\n"


# --- the script, and host keys


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_script_is_plain_sh(shell: str) -> None:
    """Every shell that calls itself sh reads it."""
    subprocess.run([shell, "-n"], input=SCRIPT, text=True, check=True)


@pytest.mark.skipif(shutil.which("setsid") is None, reason="no setsid: not a Linux host")
def test_a_node_is_paused_when_all_its_processes_are(tmp_path: Path) -> None:
    """The stop of the first of them alone is not enough."""
    script = tmp_path / "host"
    script.write_text(SCRIPT)

    def order(*words: str) -> subprocess.CompletedProcess[str]:
        argv = ["sh", str(script), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    order("fresh", "n1")
    (tmp_path / "nodes" / "n1").mkdir(parents=True, exist_ok=True)
    started = order("start", "n1", str(tmp_path), "sh", "-c", "sleep 600 & sleep 600")
    assert started.returncode == 0, started.stderr
    first = int((tmp_path / "nodes" / "n1" / "pid").read_text().split()[0])
    try:
        os.kill(first, signal.SIGSTOP)
        assert order("restless", "n1").returncode == 0
        assert order("move", "n1", "STOP", "paused", "500").stdout == "paused\n"
        assert order("restless", "n1").returncode == 1
        assert order("move", "n1", "CONT", "running", "500").stdout == "running\n"
        assert order("restless", "n1").returncode == 0
    finally:
        assert order("finish", "n1", "KILL", "500").stdout == "dead\n"


def test_a_new_kind_of_key_is_a_changed_key(tmp_path: Path) -> None:
    """Who sits between could always offer a kind that is not known yet: accept-new must not take
    it. The same host at another port is another host."""
    known = tmp_path / "deep" / "known_hosts"
    first, other = paramiko.ECDSAKey.generate(), paramiko.RSAKey.generate(2048)
    here, port = Target("me", "10.0.0.1", 22), Target("me", "10.0.0.1", 2222)
    keys = KnownHosts(known, accept_new=True)
    for _ in range(2):
        keys.verify(here, first)
    assert keys.kinds(here) == [first.get_name()]
    with pytest.raises(EnvironmentTrouble, match="not the known one"):
        keys.verify(here, other)
    keys.verify(port, other)
    assert keys.kinds(port) == ["ssh-rsa"]
    assert len(known.read_text().splitlines()) == 2
    assert known.stat().st_mode & 0o777 == 0o600
    with pytest.raises(EnvironmentTrouble, match="not among the known hosts"):
        KnownHosts(tmp_path / "none", accept_new=False).verify(here, first)
