"""What the server answers, asked over a real connection."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.serve.stores import HOSTILE, client


@pytest.fixture(scope="module")
def store(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("server") / "store"
    shutil.copytree(filled, store, symlinks=True)
    return store


@pytest.fixture(scope="module")
def asking(store: Path) -> Iterator[httpx.Client]:
    with client(["--store", str(store)]) as asking:
        yield asking


def runs(asking: httpx.Client, **asked: str) -> list[dict[str, Any]]:
    answer = asking.get("/api/runs", params=asked)
    assert 200 == answer.status_code, answer.text
    found: list[dict[str, Any]] = answer.json()["runs"]
    return found


def path_of(run: dict[str, Any]) -> str:
    return f"/runs/{run['label']}/{run['name']}"


def invalid(asking: httpx.Client) -> dict[str, Any]:
    (found,) = runs(asking, verdict="invalid")
    return found


def test_runs_are_listed_filtered_and_searched(asking: httpx.Client) -> None:
    """By every filter, by words, and in the order that is asked for."""
    assert 5 == len(runs(asking))
    assert ["consensus"] == [r["workload"] for r in runs(asking, workload="consensus")]
    assert [9] == [int(r["name"].split("-")[1]) for r in runs(asking, verdict="none")]
    assert [1, 2, 3, 4, 4] == [r["seed"] for r in runs(asking, sort="seed")]
    assert ["broken", "broken"] == [r["label"] for r in runs(asking, q="LOCAL-reads")]
    assert [] == runs(asking, q="nothing-of-this-kind")
    found = invalid(asking)
    assert found["fingerprint"].startswith(found["law"])
    assert found["operations"] > 100
    assert [found] == runs(asking, fingerprint=found["fingerprint"])


@pytest.mark.parametrize(
    "query",
    ["sort=searched", "order=up", "page=0", "page=x", "limit=99999", "nonsense=1", "page=²"],
)
def test_a_query_that_means_nothing_is_told(asking: httpx.Client, query: str) -> None:
    """With status 400 and what would mean something."""
    answer = asking.get(f"/api/runs?{query}")
    assert 400 == answer.status_code
    assert "error" in answer.json()
    assert 400 == asking.get(f"/runs?{query}").status_code


@pytest.mark.parametrize(
    "path",
    ["/runs", "/nights", "/nights/20261121T220000Z", "/failures", "/live", "/api", "/latest"],
)
def test_pages_are_there(asking: httpx.Client, path: str) -> None:
    """Each with a policy that runs no script but ours, and escaped."""
    answer = asking.get(path, follow_redirects=True)
    assert 200 == answer.status_code
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert HOSTILE not in answer.text or path == "/api"


def test_a_run_and_its_files(asking: httpx.Client, store: Path) -> None:
    """Its page, its report in a sandbox, its files as text that no browser runs."""
    run = invalid(asking)
    page = asking.get(path_of(run))
    assert run["summary"][:40] in page.text.replace("&#39;", "'").replace("&gt;", ">")
    report = asking.get(f"{path_of(run)}/report")
    assert "sandbox allow-scripts" in report.headers["content-security-policy"]
    assert "allow-same-origin" not in report.headers["content-security-policy"]
    text = asking.get(f"{path_of(run)}/files/trial.yaml")
    assert (store / run["label"] / run["name"] / "trial.yaml").read_text() == text.text
    assert text.headers["content-type"].startswith("text/plain")
    page = asking.get(f"{path_of(run)}/files/report.html")
    assert page.headers["content-type"].startswith("text/plain")
    kept = asking.get(f"{path_of(run)}/files/trial.yaml?download")
    assert kept.headers["content-disposition"].startswith("attachment")
    told = asking.get(f"/api{path_of(run)}").json()
    assert "invalid" == told["verdict"]["kind"]


def test_a_killed_run_says_so(asking: httpx.Client) -> None:
    """No verdict.json and no process: how far it came, and how to judge it."""
    (run,) = runs(asking, verdict="none")
    page = asking.get(path_of(run)).text
    assert "ended before it was judged" in page
    assert "antipaxos check" in page
    events = asking.get(f"{path_of(run)}/events").text
    assert "event: end" in events
    assert json.loads(events.split("data: ")[1].splitlines()[0])["operations"] > 100


def test_comparing(asking: httpx.Client) -> None:
    """What differs, and only that, is marked."""
    one, other = runs(asking, workload="register", sort="seed")[:2]
    query = "&".join(f"run={r['label']}/{r['name']}" for r in (one, other))
    told = asking.get(f"/api/compare?{query}").json()
    differing = {row["name"] for row in told["settings"] if row["one"] != row["other"]}
    assert {"seed"} == differing
    assert {"operations", "latency, median"} <= {row["name"] for row in told["numbers"]}
    assert 200 == asking.get(f"/compare?{query}").status_code
    assert 400 == asking.get("/compare?run=a/b").status_code
    assert 404 == asking.get("/compare?run=a/b&run=c/d").status_code


def test_nights_and_failures(asking: httpx.Client) -> None:
    """As the archive has them, joined with stored runs."""
    assert 3 == len(asking.get("/api/nights").json()["nights"])
    night = asking.get("/api/nights/20261121T220000Z").json()
    assert HOSTILE == night["runs"][0]["sentence"]
    failures = {f["fingerprint"]: f for f in asking.get("/api/failures").json()["failures"]}
    assert {"20261121T220000Z": 1, "20261122T220000Z": 2} == failures["reads-old-abc123"]["nights"]
    assert 1 == failures[invalid(asking)["fingerprint"]]["kept"]
    summary = asking.get("/nights/20261121T220000Z/files/summary.md")
    assert HOSTILE in summary.text
    assert summary.headers["content-type"].startswith("text/plain")
    assert 404 == asking.get("/nights/20261121T220000Z/files/../../groups.json").status_code
    assert 404 == asking.get("/nights/nothing").status_code


def test_nights_are_drawn_from_their_trends(asking: httpx.Client) -> None:
    """What no night measured is a gap in a chart and null for programs, and never nothing or 0."""
    told = asking.get("/api/nights").json()["trends"]
    assert [None, 60.0, 120.0] == [night["first_failure_s"] for night in told["nights"]]
    assert [None, 0.04, 0.08] == [(n["to_failure_s"] or {}).get("median") for n in told["nights"]]
    page = asking.get("/nights").text
    for shown in ("Time to failure", "First failure", "Coverage", "Operations that succeeded"):
        assert f"<strong>{shown}</strong>" in page
    table = page.partition('>As a table<span class="unseen"> (Time to failure)')[2].partition(
        "</table>"
    )[0]
    values = [cell.partition("<")[0] for cell in table.split('<td class="right">')[1:]]
    assert ["–", "0.04", "0.08"] == values
    figure = page.partition("<strong>Time to failure</strong>")[2].partition("</figure>")[0]
    assert 2 == figure.count('class="dot"')
    group = page.partition("<strong>reads-old-abc123</strong>")[2].partition("</figure>")[0]
    assert 3 == group.count("<rect"), "the first night judged its cell: nought is no gap"


@pytest.mark.parametrize(
    "tail",
    [
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/index.sqlite",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "nodes/../../../index.sqlite",
        "trial.yaml%00",
        "leak",
        "leaks/passwd",
        "pipe",
        "nodes",
        "",
        "a" * 5000,
        "a/" * 400,
        "%ff%fe",
    ],
)
def test_nothing_outside_a_run_is_read(asking: httpx.Client, store: Path, tail: str) -> None:
    """Not by dots, plain or encoded, not by absolute paths, not through links, and no pipe."""
    run = invalid(asking)
    folder = store / run["label"] / run["name"]
    if not (folder / "leak").is_symlink():
        (folder / "leak").symlink_to("/etc/passwd")
        (folder / "leaks").symlink_to("/etc")
        os.mkfifo(folder / "pipe")
    # Past the client, which would tidy the path.
    host, port = asking.base_url.host, asking.base_url.port
    assert port is not None
    with socket.create_connection((host, port), timeout=10) as raw:
        request = f"GET {path_of(run)}/files/{tail} HTTP/1.1\r\nHost: localhost\r\n"
        raw.sendall(f"{request}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split(b" ", 2)[1] in (b"404", b"400", b"414"), answer[:200]
    assert b"root:" not in answer


def test_a_label_that_leads_elsewhere_is_none(asking: httpx.Client, store: Path) -> None:
    """A link in the store's place of a label or a run is not followed."""
    elsewhere = store.parent / "elsewhere" / "20260101T000000Z-1"
    elsewhere.mkdir(parents=True, exist_ok=True)
    (elsewhere / "trial.yaml").write_text("secret: 1\n")
    (store / "linked").symlink_to(elsewhere.parent)
    assert 404 == asking.get(f"/runs/linked/{elsewhere.name}").status_code
    assert 404 == asking.get("/runs/../elsewhere").status_code
    assert 404 == asking.get(f"/runs/%2e%2e/{elsewhere.name}").status_code
    assert 404 == asking.get("/latest/linked").status_code


def test_hosts_of_other_sites_are_refused(asking: httpx.Client) -> None:
    """A name that was made to point here is not ours."""
    for host in ("evil.example", "evil.example:8123", "127.0.0.1.evil.example", "", "[::1"):
        assert asking.get("/runs", headers={"Host": host}).status_code in (400, 421), host
    for host in ("localhost:9", "127.0.0.1", "[::1]:8123"):
        assert 200 == asking.get("/runs", headers={"Host": host}).status_code, host


def test_what_changes_something_is_asked_by_our_pages_only(asking: httpx.Client) -> None:
    """No other site can start a replay: by its origin, and by the secret that it cannot read."""
    run = invalid(asking)
    secret = asking.get("/api").json()["secret"]
    named = {"run": f"{run['label']}/{run['name']}", "kind": "replay"}
    post = asking.post
    assert 403 == post("/live", data=named).status_code
    assert 403 == post("/live", data=named | {"secret": "x"}).status_code
    good = named | {"secret": secret}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert 403 == post("/live", data=good, headers=headers).status_code
    assert 404 == post("/live", data=good | {"run": "../../etc"}).status_code
    assert 400 == post("/live", data=good | {"kind": "heal"}).status_code
    assert 413 == post("/live", data=good | {"more": "x" * 100_000}).status_code
    assert 405 == post("/runs", data=good).status_code
    assert [] == asking.get("/api/live").json()


def test_a_replay_is_watched_to_its_end(asking: httpx.Client) -> None:
    """Lines come as events, with numbers to go on from; then the verdict."""
    run = invalid(asking)
    secret = {"X-Antipaxos-Secret": asking.get("/api").json()["secret"]}
    named = {"run": f"{run['label']}/{run['name']}", "kind": "replay"}
    started = asking.post("/api/live", json=named, headers=secret)
    assert 201 == started.status_code, started.text
    number = started.json()["id"]
    events = asking.get(f"/live/{number}/events").text
    assert "the same, byte for byte" in events
    assert '"outcome":"invalid","exit_code":1' in events
    rest = asking.get(f"/live/{number}/events", headers={"Last-Event-ID": "2"}).text
    assert "id: 1\n" not in rest
    assert "id: 3\n" in rest
    assert "INVALID" in asking.get(f"/live/{number}").text
    assert 404 == asking.get("/live/99/events").status_code


def test_what_is_started_leads_to_its_run(asking: httpx.Client) -> None:
    """While it goes on and afterwards, for programs and on the page."""
    run = invalid(asking)
    secret = {"X-Antipaxos-Secret": asking.get("/api").json()["secret"]}
    named = {"run": f"{run['label']}/{run['name']}", "kind": "run"}
    number = asking.post("/api/live", json=named, headers=secret).json()["id"]
    events = asking.get(f"/live/{number}/events").text
    (told,) = (one for one in asking.get("/api/live").json() if one["id"] == number)
    assert 1 == len(told["runs"]), events
    path = f"/runs/{told['runs'][0]}"
    assert f'["{told["runs"][0]}","{path}"]' in events
    assert f'<a href="{path}">' in asking.get(f"/live/{number}").text
    assert 200 == asking.get(path).status_code
    assert run["name"] != told["runs"][0].split("/")[1]
