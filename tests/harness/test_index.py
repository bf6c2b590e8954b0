"""The index of a store: never more than a memory of its folders."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from harness.store.index import FACETS, NAME, Asked, Facts, Index

LABELS = ("alpha", "beta")


class Reading:
    """Stands for what reads a folder; counts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read: list[str] = []

    def __call__(self, label: str, name: str) -> Facts | None:
        self.read.append(f"{label}/{name}")
        path = self.root / label / name / "verdict"
        if not path.parent.is_dir() or (path.parent / "foreign").exists():
            return None
        verdict = path.read_text() if path.exists() else ""
        seed = int(name.rsplit("-", 1)[1])
        started = f"{name[:4]}-{name[4:6]}-{name[6:8]} {name[9:11]}:{name[11:13]}:{name[13:15]}"
        return Facts(
            label=label,
            name=name,
            started=started,
            seed=seed,
            verdict=verdict,
            summary=f"100% of run_{seed} went",
            fingerprint="law-1" if verdict == "invalid" else "",
            law="law" if verdict == "invalid" else "",
        )


def add(root: Path, label: str, seed: int, verdict: str = "valid") -> Path:
    folder = root / label / f"202601{seed:02d}T000000Z-{seed}"
    folder.mkdir(parents=True)
    if verdict:
        (folder / "verdict").write_text(verdict)
    os.utime(folder, ns=(seed, 1_700_000_000_000_000_000 + seed))  # long settled
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for seed, verdict in enumerate(("valid", "invalid", "", "unknown"), 1):
        add(tmp_path, LABELS[seed % 2], seed, verdict)
    return tmp_path


def opened(store: Path) -> tuple[Index, Reading]:
    reading = Reading(store)
    return Index(store, reading), reading


def seeds(index: Index, **asked: object) -> list[int | None]:
    return [facts.seed for facts in index.runs(Asked(**asked))]  # type: ignore[arg-type]


def test_what_has_not_changed_is_not_read_again(store: Path) -> None:
    """A scan reads a folder once, also over starts, and again only when it has changed."""
    index, reading = opened(store)
    assert index.refresh() == 0
    assert 4 == len(reading.read)
    index.refresh()
    index.close()
    again, second = opened(store)
    again.refresh()
    assert [] == second.read
    add(store, "beta", 9)
    again.refresh()
    assert ["beta/20260109T000000Z-9"] == second.read
    again.close()


def test_a_run_that_gets_its_verdict_is_read_again(store: Path) -> None:
    """Parts come by renaming, which changes the folder's time."""
    index, _ = opened(store)
    index.refresh()
    folder = next(store.glob("*/*-3"))
    (folder / ".draft").write_text("invalid")
    (folder / ".draft").replace(folder / "verdict")
    index.refresh()
    assert [3, 2] == seeds(index, equal={"verdict": "invalid"})
    index.close()


def test_a_folder_of_this_moment_is_not_trusted(store: Path) -> None:
    """Two changes within one tick of the clock of files look like one: it is read again."""
    index, reading = opened(store)
    folder = add(store, "beta", 8)
    os.utime(folder)  # now
    index.refresh()
    before = len(reading.read)
    index.refresh()
    assert before + 1 == len(reading.read)
    index.close()


def test_runs_that_go_away_go_from_the_list(store: Path) -> None:
    """Folders are the truth."""
    index, _ = opened(store)
    index.refresh()
    (next(store.glob("*/*-1")) / "verdict").unlink()
    next(store.glob("*/*-1")).rmdir()
    index.refresh()
    assert [4, 3, 2] == seeds(index)
    index.close()


def test_only_folders_of_runs_count(store: Path) -> None:
    """Links, files, hidden and reserved folders, and folders that are no runs, are passed over."""
    (store / "latest").symlink_to("beta")
    (store / "beta" / "latest").symlink_to(next(store.glob("beta/2*")).name)
    (store / "report.html").write_text("")
    (store / "beta" / "notes.txt").write_text("")
    add(store, "nights", 5)
    add(store, ".hidden", 6)
    (add(store, "beta", 7) / "foreign").touch()
    index, _ = opened(store)
    index.refresh()
    assert [4, 3, 2, 1] == seeds(index)
    index.close()


@pytest.mark.parametrize(
    "damage", [b"", b"not a database at all", b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_index_is_made_anew(store: Path, damage: bytes) -> None:
    """Whoever damages it loses the time of one scan."""
    (store / NAME).write_bytes(damage)
    index, _ = opened(store)
    assert 0 == index.refresh()
    assert 4 == index.count(Asked())
    index.close()
    again, reading = opened(store)
    again.refresh()
    assert [] == reading.read, "it was made anew on the disk"
    again.close()


def test_an_index_of_another_layout_is_made_anew(store: Path) -> None:
    """An older or newer program left it."""
    with sqlite3.connect(store / NAME) as other:
        other.execute("CREATE TABLE runs (other)")
        other.execute("PRAGMA user_version = 99")
    other.close()
    index, _ = opened(store)
    index.refresh()
    assert 4 == index.count(Asked())
    index.close()


def test_an_index_that_goes_bad_under_the_server(store: Path) -> None:
    """It goes on in memory, and answers."""
    index, _ = opened(store)
    index.refresh()
    index._database.execute("DROP TABLE runs")  # as good as a damaged page
    index._database.commit()
    assert 4 == index.count(Asked())
    add(store, "beta", 9)
    assert 0 == index.refresh()
    assert 5 == index.count(Asked())
    index.close()


def test_a_store_that_cannot_be_written(store: Path) -> None:
    """The index is then kept in memory: here its name is taken by a folder."""
    (store / NAME).mkdir()
    index, _ = opened(store)
    index.refresh()
    assert 4 == index.count(Asked())
    index.close()


def test_a_store_that_is_not_there_yet(tmp_path: Path) -> None:
    """It has no runs; those that come are found."""
    index, _ = opened(tmp_path / "later")
    assert 0 == index.refresh()
    add(tmp_path / "later", "beta", 1)
    index.refresh()
    assert [1] == seeds(index)
    index.close()


def test_two_at_once(store: Path) -> None:
    """Two servers of one store see the same."""
    one, _ = opened(store)
    two, _ = opened(store)
    one.refresh()
    two.refresh()
    add(store, "beta", 9)
    two.refresh()
    one.refresh()
    assert seeds(one) == seeds(two) == [9, 4, 3, 2, 1]
    one.close()
    two.close()


def test_a_scan_can_be_cut_short(store: Path) -> None:
    """The newest come first, what is left comes next."""
    index, _ = opened(store)
    assert 3 == index.refresh(limit_ms=0)
    assert [4] == seeds(index)
    assert 2 == index.refresh(limit_ms=0)
    assert [4, 3] == seeds(index)
    index.close()


def test_asking(store: Path) -> None:
    """Words must all occur and are no patterns; filters, times and orders do what they say."""
    index, _ = opened(store)
    index.refresh()
    assert [4, 2] == seeds(index, equal={"label": "alpha"})
    assert [3] == seeds(index, equal={"verdict": ""})
    assert [2] == seeds(index, words=("RUN_2", "100%"))
    assert [] == seeds(index, words=("run%2",))
    assert [] == seeds(index, words=("' OR 1=1 --",))
    assert [3, 2] == seeds(index, since="2026-01-02", until="2026-01-03")
    assert [1, 2] == seeds(index, descending=False, limit=2)
    assert [2, 1] == seeds(index, limit=2, offset=2)
    assert [2, 4, 1, 3] == seeds(index, sort="verdict", descending=False)
    assert {"alpha": 2, "beta": 2} == index.counted("label")
    assert {name: index.counted(name) for name in FACETS} == index.facets()
    assert {"alpha": [2, 4], "beta": [1, 3]} == {
        label: [run.seed for run in runs] for label, runs in index.strips(5, 5).items()
    }
    assert [("law-1", "law", "", 1)] == [tuple(group[:4]) for group in index.failures()]
    before, after = index.neighbours(index.runs(Asked(equal={"label": "alpha"}))[0])
    assert (2, None) == (before.seed if before else None, after)
    index.close()
