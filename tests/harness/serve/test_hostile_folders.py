"""Run folders that somebody made to harm whoever looks at them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from harness.serve import opening
from harness.serve.growth import Growth, driven_by
from harness.serve.reading import TRIAL_BYTES, facts_of, notices_of
from harness.serve.run_page import commands, settings_shown
from harness.store.folder import RunFolder

NAME = "20260101T000000Z-1"
PARTS = ("trial.yaml", "verdict.json", "history.jsonl", "notices.json", "ledger.jsonl", "run.log")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "store" / "label" / NAME
    run.mkdir(parents=True)
    (run / "case.json").touch()
    return run


def looked_at(run: Path) -> str:
    """All that pages read of it, as text."""
    folder, growth = RunFolder(run), Growth(run)
    growth.read()
    facts = facts_of(run.parents[1], "label", NAME)
    seen = [facts, settings_shown(folder), notices_of(folder), growth.told(), driven_by(run)]
    return repr([*seen, commands(folder)])


def test_pipes_hold_nobody(run: Path) -> None:
    """Whoever opens a pipe to read it waits for somebody who writes; here nobody does."""
    for part in PARTS:
        os.mkfifo(run / part)
    assert "cannot be read" in looked_at(run) or "no trial.yaml" in looked_at(run)


def test_links_show_nothing_of_the_rest_of_the_disk(run: Path, tmp_path: Path) -> None:
    """Not in the settings, not in the notices, not in the log."""
    (tmp_path / "secret.yaml").write_text("password: hunter2\n")
    (tmp_path / "secret.json").write_text('["hunter2"]')
    for part in PARTS:
        name = "secret.json" if part == "notices.json" else "secret.yaml"
        (run / part).symlink_to(tmp_path / name)
    assert "hunter2" not in looked_at(run)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 20_000,
        "- " * 20_000 + "a",
        "a: &a [x, x]\nb: &b [*a, *a]\nsystem: [*b, *b]\n",
        "seed: 1" + ":1" * 20_000 + ".5",
        "name: x\n" * (TRIAL_BYTES // 8 + 1),
        "a: !!python/object/apply:os.system [id]",
    ],
    ids=["flow", "sequences", "aliases", "float", "long", "object"],
)
def test_yaml_that_harms_its_reader_is_refused(run: Path, text: str) -> None:
    """The first of these ends the process where libyaml composes it: a segmentation fault."""
    (run / "trial.yaml").write_text(text)
    facts = facts_of(run.parents[1], "label", NAME)
    assert facts is not None
    assert "cannot be read" in facts.trouble
    assert ({}, {}) == settings_shown(RunFolder(run))


def test_looking_imports_no_system(run: Path) -> None:
    """Neither that of the trial nor that of the scenario which the trial names."""
    (run / "evil.py").write_text(f"open({str(run / 'ran')!r}, 'w')\ndef build(*a): ...\n")
    system = f"{run / 'evil.py'}:build"
    (run / "scenario.yaml").write_text(yaml.safe_dump({"system": system, "steps": []}))
    settings = {"system": system, "seed": 1, "scenario": str(run / "scenario.yaml")}
    (run / "trial.yaml").write_text(yaml.safe_dump(settings))
    assert "--scenario" in looked_at(run)
    assert not (run / "ran").exists()


def test_names_that_no_address_has_are_left_out(run: Path) -> None:
    """Bytes that are no UTF-8 stand in no page."""
    Path(os.fsdecode(os.fsencode(run) + b"/\xff\xfe.log")).touch()
    found, left_out = opening.listed(run)
    assert (["case.json"], True) == ([entry.path for entry in found], left_out)


def test_a_folder_that_is_a_link_by_now_is_none(run: Path, tmp_path: Path) -> None:
    """A run's folder, exchanged for a link after it was listed."""
    moved = tmp_path / "elsewhere"
    run.rename(moved)
    run.symlink_to(moved)
    assert facts_of(run.parents[1], "label", NAME) is None
    with pytest.raises(FileNotFoundError):
        opening.part(run / "case.json").close()
