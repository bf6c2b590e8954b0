"""Options of the ssh cluster: what they mean, and what is wrong with them, all at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.clusters.ssh.host import Host
from harness.clusters.ssh.options import Target, mistakes_of, settings

GIVEN = {"hosts": "10.0.0.1, me@10.0.0.2 ,you@db-3.example:2222", "user": "us"}


def test_hosts_say_whom_and_where() -> None:
    """user@ and :port where given, else the option user and 22; the directory is the user's."""
    chosen = settings(GIVEN)
    expected = (
        Target("us", "10.0.0.1", 22),
        Target("me", "10.0.0.2", 22),
        Target("you", "db-3.example", 2222),
    )
    assert expected == chosen.targets
    assert ["us@10.0.0.1", "me@10.0.0.2", "you@db-3.example:2222"] == [str(t) for t in expected]
    assert chosen.home_on(expected[1]) == "/var/tmp/antipaxos-me"
    assert settings({**GIVEN, "directory": "/srv/a/"}).home_on(expected[1]) == "/srv/a"


def test_no_mistakes() -> None:
    """Every option has a default but hosts."""
    assert mistakes_of(GIVEN, nodes=3) == []
    (needed,) = mistakes_of({})
    assert "needs the option hosts" in needed


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sudoo": "yes"}, "no option 'sudoo'. Did you mean 'sudo'?"),
        ({"sudo": "true"}, "sudo is 'true'. Valid are: no, yes. The default is 'no'."),
        ({"accept_new_host_keys": "y"}, "accept_new_host_keys is 'y'."),
        ({"lease_s": "1"}, "lease_s is '1'."),
        ({"clock": "machin"}, "Did you mean 'machine'?"),
        ({"hosts": "10.0.0.1;reboot,b"}, "'10.0.0.1;reboot', which is no address"),
        ({"hosts": "-oProxyCommand=x"}, "which is no address"),
        ({"hosts": "a:70000"}, "'a:70000', which is no address"),
        ({"hosts": "a,x@a:23"}, "names a more than once"),
        ({"directory": "var/tmp/x"}, "Give an absolute path"),
        ({"directory": "/var/tmp/../../etc/x"}, "Give an absolute path"),
        ({"directory": "/home"}, "which others use too"),
        ({"password_env": "NO_SUCH_VARIABLE"}, "'NO_SUCH_VARIABLE', which is not set"),
        ({"key": "/no/such/key"}, "key names '/no/such/key', which is not there"),
        ({"upload": "/no/such,/nor/this"}, "upload names '/nor/this', which is not there"),
        ({"upload": "/etc/passwd,/proc/../etc/passwd"}, "two things of one name"),
    ],
)
def test_mistakes_are_told_with_the_remedy(given: dict[str, str], told: str) -> None:
    """Each names the option, what was got, and what to give; settings() raises the same."""
    all_of_it = {**GIVEN, **given}
    assert told in "\n".join(mistakes_of(all_of_it))
    with pytest.raises(ValueError, match=r"option|needs"):
        settings(all_of_it)


def test_all_mistakes_at_once() -> None:
    """Also that there are fewer hosts than nodes."""
    found = mistakes_of({"hosts": "a,b", "sudo": "1", "x": ""}, nodes=5)
    assert len(found) == 3
    assert any("names 2 of the 5 hosts that 5 nodes need. Add 3" in told for told in found)


def test_words_of_commands_mean_the_same_there(tmp_path: Path) -> None:
    """Our Python is the host's, and what was uploaded is where it was put; nothing else changes."""
    here = tmp_path / "system"
    here.mkdir()
    (tmp_path / "system-2").mkdir()
    chosen = settings({**GIVEN, "upload": f"{here},{tmp_path / 'system-2'}", "python": "python3.9"})
    host = Host("n1", chosen.targets[0], chosen)
    there = "/var/tmp/antipaxos-us/files"
    expected = {
        f"{here}/run": f"{there}/system/run",
        f"--config={here}": f"--config={there}/system",
        f"{here}-2/run": f"{there}/system-2/run",
        f"{here}x/run": f"{here}x/run",
        "python": "python",
    }
    assert expected == {word: host.translated(word) for word in expected}
    assert host.translated(sys.executable) == "python3.9"
    host.close()
