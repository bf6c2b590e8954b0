"""One connection to one host: kept, renewed, and refused where it must be."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.clock import monotonic_ns
from harness.clusters.ssh import connection
from harness.clusters.ssh.connection import Connection
from harness.clusters.ssh.options import Settings, settings
from harness.contracts import EnvironmentTrouble
from tests.harness.namespaces.inside import run_inside
from tests.harness.ssh.hosts import PASSWORD, SshHosts

HOSTILE = [
    "", " ", "$(touch /var/tmp/broken)", "`id`", "'", '"', "'; touch /var/tmp/broken; '", "a\nb",
    "-n", "*", "~", "\\", "é", "!!", "&& false", "#", "%s", "$HOME", "\t", "x y",
]  # fmt: skip

SILENCE = """
table inet silence {
  chain out {
    type filter hook output priority 0
    ip daddr 10.99.0.1 tcp dport 22 drop
  }
}
"""


@contextlib.contextmanager
def connected(hosts: SshHosts, changes: Settings | None = None) -> Iterator[Connection]:
    chosen = changes or settings(hosts.options())
    opened = Connection("n1", chosen.targets[0], chosen)
    try:
        yield opened
    finally:
        opened.close()


def arguments_arrive_as_they_are() -> None:
    with SshHosts(1) as hosts, connected(hosts) as connection:
        ended = connection.run(["printf", "%s\\0", *HOSTILE])
        assert [*HOSTILE, ""] == ended.out.decode().split("\0")
        assert connection.run(["test", "-e", "/var/tmp/broken"]).status == 1
        given = bytes(range(256)) * 4096
        assert given == connection.run(["cat"], given=given).out
        assert (7, b"", b"oh\n") == _ended(connection, "echo oh >&2; exit 7")


def _ended(connection: Connection, script: str) -> tuple[int, bytes, bytes]:
    ended = connection.run(["sh", "-c", script])
    return ended.status, ended.out, ended.err


def test_arguments_arrive_as_they_are() -> None:
    """Commands are lists of words, quoted by construction; input, output and status are whole."""
    run_inside(arguments_arrive_as_they_are)


def a_cut_connection_is_made_anew() -> None:
    with SshHosts(1) as hosts, connected(hosts) as connection:
        for renewals in range(3):
            assert connection.run(["echo", "here"]).text == "here\n"
            assert renewals == connection.renewals
            assert hosts.cut_connections("n1") == 1
        counting = "echo x >> /var/tmp/times; sleep 30"
        with pytest.raises(EnvironmentTrouble, match=r"broke while .*is not known"):
            _cut_during(hosts, connection, counting)
        assert connection.run(["cat", "/var/tmp/times"]).text == "x\n"


def _cut_during(hosts: SshHosts, connection: Connection, script: str) -> None:
    """Run a script that must not be repeated, and cut the connection once it has begun."""
    with ThreadPoolExecutor(1) as beside:
        run = beside.submit(connection.run, ["sh", "-c", script], limit_s=20, idempotent=False)
        while "x" not in hosts.on("n1", "cat", "/var/tmp/times"):
            assert not run.done()
        hosts.cut_connections("n1")
        run.result()


def test_a_cut_connection_is_made_anew() -> None:
    """The next order finds a connection; one that was on its way is not carried out twice if that
    might do harm, and then nobody pretends to know."""
    run_inside(a_cut_connection_is_made_anew)


def a_host_that_comes_back_is_found_again() -> None:
    with SshHosts(1) as hosts, connected(hosts) as kept:
        assert kept.run(["true"]).status == 0
        hosts.down("n1")
        connection.RENEW_LIMIT_S = 0.3
        with pytest.raises(EnvironmentTrouble, match=r"root@10\.99\.0\.1 cannot be reached"):
            kept.run(["true"])
        hosts.up("n1")
        assert kept.run(["true"]).status == 0


def test_a_host_that_comes_back_is_found_again() -> None:
    """While it is away each order fails within a bound, and names it."""
    run_inside(a_host_that_comes_back_is_found_again)


def silence_counts_as_a_cut() -> None:
    with SshHosts(1) as hosts, connected(hosts) as kept:
        assert kept.run(["true"]).status == 0
        connection.RENEW_LIMIT_S = connection.CONNECT_LIMIT_S = 0.3
        subprocess.run(["nft", "-f", "-"], input=SILENCE, text=True, check=True)
        began_ns = monotonic_ns()
        with pytest.raises(EnvironmentTrouble, match="cannot be reached: timed out"):
            kept.run(["true"], limit_s=0.3)
        assert monotonic_ns() - began_ns < 5e9
        subprocess.run(["nft", "delete", "table", "inet", "silence"], check=True)
        assert kept.run(["true"]).status == 0


def test_silence_counts_as_a_cut() -> None:
    """Behind a network that drops everything an order ends in time; afterwards all is well."""
    run_inside(silence_counts_as_a_cut)


def host_keys_are_verified() -> None:
    with SshHosts(1) as hosts:
        known = hosts.known_hosts.read_text()
        hosts.known_hosts.write_text("")
        with connected(hosts) as unknown, pytest.raises(EnvironmentTrouble) as refused:
            unknown.run(["true"])
        assert "not among the known hosts" in str(refused.value)
        assert "accept_new_host_keys=yes" in str(refused.value)
        accepting = settings(hosts.options(accept_new_host_keys="yes"))
        with connected(hosts, accepting) as new:
            assert new.run(["true"]).status == 0
        assert known == hosts.known_hosts.read_text()

        hosts.down("n1")
        hosts.new_key("n1.key")
        hosts.up("n1")
        for chosen in (accepting, settings(hosts.options())):
            with connected(hosts, chosen) as changed, pytest.raises(EnvironmentTrouble) as refused:
                changed.run(["true"])
            assert "shows a host key that is not the known one" in str(refused.value)
            assert "ssh-keygen" in str(refused.value)
        assert known == hosts.known_hosts.read_text()


def test_host_keys_are_verified() -> None:
    """Unknown: refused, or accepted where that was chosen, and known from then on. Changed: always
    refused."""
    run_inside(host_keys_are_verified)


def passwords_come_from_the_environment() -> None:
    with SshHosts(1) as hosts:
        os.environ["HOME"] = str(hosts.folder)  # no keys of anybody's
        os.environ.pop("SSH_AUTH_SOCK", None)
        shutil.move(hosts.key, hosts.folder / "not-ours")
        for password, lets_in in (("wrong horse", False), (PASSWORD, True)):
            os.environ["ANTIPAXOS_TEST_PASSWORD"] = password
            options = hosts.options(password_env="ANTIPAXOS_TEST_PASSWORD")
            del options["key"]
            with connected(hosts, settings(options)) as kept:
                if lets_in:
                    assert kept.run(["true"]).status == 0
                    continue
                with pytest.raises(EnvironmentTrouble) as refused:
                    kept.run(["true"])
                assert "lets nobody in as root" in str(refused.value)
                assert "the password in $ANTIPAXOS_TEST_PASSWORD" in str(refused.value)
                assert password not in str(refused.value)


def test_passwords_come_from_the_environment() -> None:
    """The right one lets in; a wrong one is told at once, by the name of its variable."""
    run_inside(passwords_come_from_the_environment)


def the_agent_knows_the_key() -> None:
    with SshHosts(1) as hosts:
        os.environ["HOME"] = str(hosts.folder)
        address = str(hosts.folder / "agent")
        with subprocess.Popen(
            ["ssh-agent", "-D", "-a", address], stdout=subprocess.DEVNULL
        ) as agent:
            try:
                os.environ["SSH_AUTH_SOCK"] = address
                while subprocess.run(["ssh-add", "-q", str(hosts.key)], check=False).returncode:
                    assert agent.poll() is None
                hosts.key.unlink()
                options = hosts.options()
                del options["key"]
                with connected(hosts, settings(options)) as kept:
                    assert kept.run(["true"]).status == 0
            finally:
                agent.terminate()


def test_the_agent_knows_the_key() -> None:
    """A key that only the agent holds lets in."""
    run_inside(the_agent_knows_the_key)


def files_go_there_and_come_back() -> None:
    with SshHosts(1, disk="4m") as hosts, connected(hosts) as kept:
        folder = hosts.folder / "tree"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "run").write_text("#!/bin/sh\necho ran")
        (folder / "deep" / "run").chmod(0o755)
        for _ in range(2):
            kept.upload(folder, "/var/tmp/tree")
        assert kept.run(["/var/tmp/tree/deep/run"]).text == "ran\n"
        back = hosts.folder / "back"
        assert kept.download("/var/tmp/tree/deep/run", back)
        assert back.read_bytes() == (folder / "deep" / "run").read_bytes()
        assert not kept.download("/var/tmp/nothing", back)
        assert not back.exists()
        big = hosts.folder / "big"
        big.write_bytes(bytes(8 << 20))
        with pytest.raises(OSError, match="Failure"):
            kept.upload(big, "/var/tmp/big")
        assert kept.renewals == 0


def test_files_go_there_and_come_back() -> None:
    """Whole, with their permissions; a full disk is no broken connection."""
    run_inside(files_go_there_and_come_back)


def test_nobody_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port at which nobody listens is named, with what may be wrong, after a bounded time."""
    monkeypatch.setattr(connection, "RENEW_LIMIT_S", 0.1)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        chosen = settings({"hosts": f"me@127.0.0.1:{port}", "known_hosts": str(tmp_path / "none")})
        nobody = Connection("n1", chosen.targets[0], chosen)
        with pytest.raises(EnvironmentTrouble, match=rf"node n1's host me@127\.0\.0\.1:{port}"):
            nobody.run(["true"])
        nobody.close()
