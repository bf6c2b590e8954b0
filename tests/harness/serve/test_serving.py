"""The server as a process: where it listens, who may ask, how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness.serve.stores import client, command, process, trial

TOKEN = "0123456789abcdef-token"


def refused(*flags: str) -> tuple[int, str]:
    ended = subprocess.run(command(*flags), capture_output=True, text=True, timeout=20)
    return ended.returncode, ended.stderr


def test_what_cannot_be_served_is_a_sentence(tmp_path: Path) -> None:
    """254 for what was given, 255 for what the machine refuses."""
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = refused("--port", port, "--store", str(tmp_path))
    assert (255, True) == (told[0], "is in use" in told[1])
    assert (254, True) == (lambda t: (t[0], "it is a file" in t[1]))(
        refused("--store", str(tmp_path / "file"))
    )
    assert (254, True) == (lambda t: (t[0], "no address of this machine" in t[1]))(
        refused("--host", "192.0.2.1", "--port", "0")
    )
    assert (254, True) == (lambda t: (t[0], "openssl" in t[1]))(refused("--token", "short"))


def test_a_token_is_asked_for_and_kept_out_of_addresses(tmp_path: Path) -> None:
    """By header, or once by address for a cookie that scripts cannot read and sites cannot send."""
    with process(["--store", str(tmp_path), "--token", TOKEN]) as (_, url):
        base, _, given = url.partition("?token=")
        assert TOKEN == given
        with httpx.Client(base_url=base) as asking:
            for path in ("/runs", "/api/runs", "/static/serve.js", "/runs?token=wrong", "/nope"):
                assert 401 == asking.get(path).status_code
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            assert 200 == asking.get("/runs", headers=bearer).status_code
            assert 401 == asking.get("/runs", headers={"Authorization": "Bearer x"}).status_code
            assert 401 == asking.post(f"/live?token={TOKEN}").status_code
            answer = asking.get(f"{base}/evil.example/runs?q=a&token={TOKEN}")
            assert "/evil.example/runs?q=a" == answer.headers["location"]
            answer = asking.get(f"/runs?q=a&token={TOKEN}")
            assert (303, "/runs?q=a") == (answer.status_code, answer.headers["location"])
            cookie = answer.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert TOKEN not in cookie
            assert 200 == asking.get("/runs?q=a").status_code
            # A cookie of another server of this host, which is none by the letter of the law.
            both = f'odd={{"a": [1, 2]}}; {cookie.partition(";")[0]}'
            with httpx.Client(base_url=base) as other:
                assert 200 == other.get("/runs", headers={"Cookie": both}).status_code
            # A program that brings the token in its header needs no secret of a form.
            answer = asking.post("/api/live", json={"run": "a/b"}, headers=bearer)
            assert 404 == answer.status_code


def test_a_host_that_others_reach_gets_a_token(tmp_path: Path) -> None:
    """Without one given, one is made, and stands in the address that is printed."""
    with process(["--store", str(tmp_path), "--host", "0.0.0.0"]) as (_, url):
        base, _, token = url.partition("?token=")
        assert len(token) >= 32
        local = base.replace("0.0.0.0", "127.0.0.1")
        assert 401 == httpx.get(f"{local}runs").status_code
        bearer = {"Authorization": f"Bearer {token}", "Host": "my-machine.example"}
        assert 200 == httpx.get(f"{local}runs", headers=bearer).status_code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_open_streams_and_children(
    tmp_path: Path, number: signal.Signals
) -> None:
    """At once, in order, with exit code 0; what it started ends with it."""
    from harness.clock import folder_time, utc_now
    from harness.store.folder import RunFolder

    # A run that takes long: only its start matters here.
    long = trial(seed=1, time_limit_s=3000.0, nodes=5)
    RunFolder.create(tmp_path, long, folder_time(utc_now())).write_trial(long, {})
    label, name = long.label, next(tmp_path.glob(f"{long.label}/2*")).name
    with process(["--store", str(tmp_path)]) as (server, url), httpx.Client(base_url=url) as asking:
        secret = {"X-Antipaxos-Secret": asking.get("/api").json()["secret"]}
        named = {"run": f"{label}/{name}", "kind": "run"}
        started = asking.post("/api/live", json=named, headers=secret).json()
        with asking.stream("GET", f"/live/{started['id']}/events") as events:
            first = next(events.iter_lines())
            assert "event: progress" == first
            children = psutil.Process(server.pid).children(recursive=True)
            assert children, "the run is a process"
            server.send_signal(number)
            assert 0 == server.wait(15)
            assert [] == psutil.wait_procs(children, timeout=5)[1], "none is left"


def test_a_store_without_runs_says_how_to_begin(tmp_path: Path) -> None:
    """An empty page is no error."""
    with client(["--store", str(tmp_path / "none")]) as asking:
        page = asking.get("/runs")
        assert 200 == page.status_code
        assert "antipaxos run --store" in page.text
        assert 0 == asking.get("/api/runs").json()["total"]
        assert "antipaxos nightly" in asking.get("/nights").text
    assert not (tmp_path / "none").exists(), "looking makes nothing"
