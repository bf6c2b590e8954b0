"""The doctor: what is missing is said in whole sentences with what to do, and raises nothing."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from harness import doctor, doctor_hosts
from harness.clusters.namespaces import netem, world
from harness.doctor_hosts import Finding

linux = pytest.mark.skipif(sys.platform != "linux", reason="hosts are a matter of Linux")


def by_subject() -> dict[str, Finding]:
    return {finding.subject: finding for finding in doctor.examine()}


def test_every_finding_is_said_and_every_lack_has_a_remedy() -> None:
    """In sentences: nothing doubled, nothing cut off."""
    for finding in doctor.examine():
        assert finding.says, finding
        if not finding.found:
            assert re.search(r"[^.]\.$", finding.remedy), finding
            assert ".." not in finding.remedy.replace("...", ""), finding


@linux
def test_a_machine_without_the_tools_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them by name; what needs none of them is there all the same."""
    monkeypatch.setenv("PATH", "/nowhere")
    found = by_subject()
    assert not found["hosts"].found
    assert "no program unshare, ip, nft on the PATH" in found["hosts"].remedy
    assert "no program unshare, ip, tc on the PATH" in found["netem"].remedy
    assert found["Python"].found
    assert not [f for f in found.values() if f.needed and not f.found]


@linux
def test_nft_alone_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then the others are not named."""
    for name in ("unshare", "ip"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = world.obstacle()
    assert reason is not None
    assert reason.startswith("no program nft on the PATH")


@linux
@pytest.mark.parametrize(
    ("prints", "says"),
    [("", "namespaces cannot be made here"), ("echo entered;", "but not be furnished")],
    ids=["not entered", "entered"],
)
def test_a_refusal_is_told_with_what_was_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prints: str, says: str
) -> None:
    """Rights and missing modules are different troubles, with different remedies."""
    script = f"#!/bin/sh\n{prints} echo 'Error: Not permitted.' >&2; exit 1\n"
    for name in ("unshare", "ip", "nft", "tc"):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reason = world.obstacle()
    assert reason is not None
    assert says in reason
    assert "Not permitted. " in reason or "Not permitted. The" in reason
    assert "netem: Not permitted. It takes" in (netem.obstacle() or "")


def test_json_has_what_the_text_has() -> None:
    """The same findings, in the same order."""
    findings = [
        Finding("thing", False, True, "is not there", "Get one."),
        Finding("x", True, False, "y"),
    ]
    told = json.loads(doctor.as_json(findings))
    assert ["thing", "x"] == [finding["subject"] for finding in told]
    assert "Get one." == told[0]["remedy"]
    assert doctor.as_text(findings).splitlines() == [
        "MISSING  thing: is not there",
        "         Get one.",
        "ok       x: y",
    ]


@linux
def test_a_system_that_cannot_start_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own sentence."""

    class Names:
        names = ("no-such-system",)

    monkeypatch.setattr(doctor_hosts, "entry_points", lambda **_: Names)
    finding = by_subject()["system no-such-system"]
    assert (False, False) == (finding.found, finding.needed)
    assert "no-such-system" in finding.remedy
