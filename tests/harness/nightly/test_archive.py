"""The archive of nights: in a folder, in a store of fsspec, and where writing fails."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import EnvironmentTrouble
from harness.nightly import nightfolder
from harness.nightly.archive import Archive
from harness.nightly.retention import prune
from harness.trial import TrialError
from tests.harness.nightly.grudging_store import GrudgingStore, grudging
from tests.harness.nightly.nights import FIRST, SECOND, THIRD, failed, known, night, run, runs


@pytest.fixture
def store() -> Iterator[type[GrudgingStore]]:
    with grudging() as opened:
        yield opened


@pytest.fixture(params=["folder", "memory", "grudging"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, store: type[GrudgingStore]) -> Archive:
    """Each of them behaves the same."""
    places = {
        "folder": str(tmp_path / "archive"),
        "memory": f"memory://{tmp_path.name}",
        "grudging": "grudging://bucket/nights",
    }
    assert {} == store.store
    return Archive(places[request.param])


def test_a_new_archive_is_empty(archive: Archive) -> None:
    """Reading where nothing was written yet is no trouble."""
    assert (None, [], []) == (archive.last_night(), archive.nights(), archive.groups())
    assert [] == archive.records(FIRST)
    assert archive.read(FIRST, "summary.md") is None


def test_what_is_written_is_read(archive: Archive) -> None:
    """Records, the night, files and groups; by this archive and by one opened anew."""
    records = runs(3, [failed(1)])
    folder = archive.begin(FIRST, "budget: 8h\n")
    for record in records:
        folder.append(record)
    assert records == folder.records()
    folder.write_night(night(FIRST, records))
    folder.write("stacks/12.txt", b"Thread 1")
    folder.close()
    folder.close()
    archive.write_groups([known()])
    for opened in (archive, Archive(archive.address)):
        assert records == opened.records(FIRST)
        assert night(FIRST, records) == opened.last_night()
        assert [known()] == opened.groups()
        assert b"Thread 1" == opened.read(FIRST, "stacks/12.txt")
        assert b"budget: 8h\n" == opened.read(FIRST, "spec.yaml")
        assert [] == opened.notices


def test_nights_come_in_their_order(archive: Archive) -> None:
    """Also two of one second; the last is the newest that can be read."""
    for name in (SECOND, FIRST, FIRST):
        folder = archive.begin(name, "")
        folder.write_night(night(folder.name))
        folder.close()
    archive.begin(THIRD, "").close()  # killed before it wrote anything
    assert [FIRST, f"{FIRST}-2", SECOND] == [found.name for found in archive.nights()]
    last = archive.last_night()
    assert last is not None
    assert SECOND == last.name


def test_run_folders_travel(archive: Archive, tmp_path: Path) -> None:
    """There and back, with a suffix where the name is taken; sockets and links stay behind."""
    local = tmp_path / "20261123T220000Z-7"
    (local / "nodes" / "n1").mkdir(parents=True)
    (local / "trial.yaml").write_text("seed: 7\n")
    (local / "nodes" / "n1" / "log").write_bytes(b"\x00\xff")
    (local / "latest").symlink_to("nodes")
    os.mkfifo(local / "nodes" / "pipe")
    first, second = archive.put_folder(local, "paxos"), archive.put_folder(local, "paxos")
    assert ("paxos/20261123T220000Z-7", "paxos/20261123T220000Z-7-2") == (first, second)
    archive.get_folder(second, tmp_path / "back")
    files = sorted(p.relative_to(tmp_path / "back") for p in (tmp_path / "back").rglob("*"))
    assert ["nodes", "nodes/n1", "nodes/n1/log", "trial.yaml"] == [str(file) for file in files]
    assert b"\x00\xff" == (tmp_path / "back/nodes/n1/log").read_bytes()
    with pytest.raises(EnvironmentTrouble, match="holds no paxos/elsewhere"):
        archive.get_folder("paxos/elsewhere", tmp_path / "none")


def test_a_run_folder_that_was_made_in_the_archive_stays(tmp_path: Path) -> None:
    """It has its address already."""
    made = tmp_path / "paxos" / "20261123T220000Z-7"
    made.mkdir(parents=True)
    assert "paxos/20261123T220000Z-7" == Archive(str(tmp_path)).put_folder(made, "paxos")


@pytest.mark.parametrize("address", ["../x", "/etc/passwd", "a/../../b", "", "a\\b", "a\0b"])
def test_no_address_leads_out_of_the_archive(
    archive: Archive, tmp_path: Path, address: str
) -> None:
    """Addresses come from files that anybody may have written."""
    with pytest.raises(TrialError, match="no address in an archive"):
        archive.get_folder(address, tmp_path / "out")
    with pytest.raises(TrialError, match="no address in an archive"):
        archive.remove_folders(FIRST, [address])


@pytest.mark.parametrize("name", ["..", "../../etc", "latest", "20261121T220000Z/..", ""])
def test_names_of_nights_and_files_are_looked_at(archive: Archive, name: str) -> None:
    """What a page of the web asks for may be anything."""
    with pytest.raises(TrialError, match="no name of a night"):
        archive.records(name)
    with pytest.raises(TrialError, match="no file of a night"):
        archive.read(FIRST, f"../{name}")


def test_the_copy_of_another_process_writes_to_the_same_place(tmp_path: Path) -> None:
    """Workers get the archive with their task; the memory of one process is no place for them."""
    copy = pickle.loads(pickle.dumps(Archive(str(tmp_path))))
    copy.write_groups([known()])
    assert [known()] == Archive(str(tmp_path)).groups()
    memory = pickle.dumps(Archive("memory://nights"))
    code = f"import pickle\npickle.loads({memory!r})"
    came = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "is the memory of one process" in came.stderr


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    """A link would show what lies elsewhere to whoever sees the page; a pipe would hold it."""
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(b"[]")
    for name, lay in (("link", lambda at: at.symlink_to(elsewhere)), ("pipe", os.mkfifo)):
        groups = tmp_path / name / "nights" / "groups.json"
        groups.parent.mkdir(parents=True)
        lay(groups)

        with pytest.raises(EnvironmentTrouble, match="cannot be read"):
            Archive(str(tmp_path / name)).groups()


def test_a_second_night_is_refused_while_one_writes(tmp_path: Path) -> None:
    """They would each forget the other's failures; after the first it may."""
    archive = Archive(str(tmp_path))
    first = archive.begin(FIRST, "")
    with pytest.raises(EnvironmentTrouble, match=f"another night .process {os.getpid()}. is"):
        Archive(str(tmp_path)).begin(SECOND, "")
    first.close()
    Archive(str(tmp_path)).begin(SECOND, "").close()


KILLED = f"""
import os, signal, sys
from harness.nightly.archive import Archive
from tests.harness.nightly.nights import failed, run
night = Archive(sys.argv[1]).begin({FIRST!r}, "")
for number in range(1, 101):
    night.append(failed(number) if number % 10 == 0 else run(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """All that `append` took is read, and the lock is free; a torn last line is told."""
    came = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path.cwd())
    assert -signal.SIGKILL == came.returncode
    archive = Archive(str(tmp_path))
    assert list(range(1, 101)) == [record.id for record in archive.records(FIRST)]
    file = tmp_path / "nights" / FIRST / "runs.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert 99 == len(archive.records(FIRST))
    assert [f"night {FIRST}: 1 torn records were dropped"] == archive.notices
    archive.begin(SECOND, "").close()


def test_a_full_disk_ends_the_writing_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a line reached the disk: it is cut off again, and nothing follows it."""
    archive = Archive(str(tmp_path))
    folder = archive.begin(FIRST, "")
    folder.append(run(1))
    monkeypatch.setattr(os, "write", _filling(os.write, 40))
    for _ in range(2):
        with pytest.raises(EnvironmentTrouble, match=r"No space left.*are\s+kept"):
            folder.append(run(2))
    folder.close()
    assert [1] == [record.id for record in archive.records(FIRST)]
    assert [] == archive.notices


def _filling(write: Any, room: int) -> Any:
    def filled(file: int, content: bytes) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = write(file, content[:room])
        room -= written
        return written

    return filled


def test_a_full_store_ends_the_writing_and_keeps_the_rest(store: type[GrudgingStore]) -> None:
    """The torn part is dropped; when there is room again, closing brings what waited."""
    archive = Archive("grudging://bucket")
    folder = archive.begin(FIRST, "")
    folder.append(run(1))
    folder.flush()
    store.room = 50
    folder.append(run(2))
    with pytest.raises(EnvironmentTrouble, match="No space left"):
        folder.flush()
    with pytest.raises(EnvironmentTrouble, match="No space left"):
        folder.append(run(3))
    with pytest.raises(EnvironmentTrouble, match="No space left"):
        archive.write_groups([known()])
    assert [1] == [record.id for record in archive.records(FIRST)]
    store.room = None
    folder.close()
    assert [1, 2] == [record.id for record in Archive("grudging://bucket").records(FIRST)]


def test_parts_are_joined_and_no_record_counts_twice(
    store: type[GrudgingStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few files for a long night; a kill between joining and removing leaves both, read once."""
    monkeypatch.setattr(nightfolder, "JOINED", 4)
    archive = Archive("grudging://bucket")
    folder = archive.begin(FIRST, "")
    for number in range(10):
        folder.append(run(number))
        folder.flush()
    early = {path: file for path, file in store.store.items() if "/runs-" in path}
    assert 4 == len(early)
    folder.close()
    store.store.update(early)
    assert list(range(10)) == [record.id for record in archive.records(FIRST)]


def test_records_reach_a_store_without_being_asked_to(
    store: type[GrudgingStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night in which nothing more comes for hours: what came is on file after FLUSH_S."""
    assert {} == store.store
    monkeypatch.setattr(nightfolder, "FLUSH_S", 0.01)
    archive = Archive("grudging://bucket")
    folder = archive.begin(FIRST, "")
    folder.append(run(1))
    timer = folder._runs._timer  # type: ignore[union-attr]
    assert timer is not None
    timer.join()
    assert [1] == [record.id for record in archive.records(FIRST)]
    folder.close()


@pytest.mark.parametrize("torn", ["groups.json", "groups.json.draft"])
def test_a_file_of_a_store_is_never_half(store: type[GrudgingStore], torn: str) -> None:
    """Wherever the connection breaks, the old groups are read or the new ones."""
    archive = Archive("grudging://bucket")
    archive.write_groups([known()])
    store.torn = torn
    with pytest.raises(EnvironmentTrouble, match="connection was reset"):
        archive.write_groups([known(), known("integrity-ffffff")])
    expected = 2 if torn == "groups.json" else 1
    assert expected == len(Archive("grudging://bucket").groups())


def test_damaged_files_are_told(tmp_path: Path) -> None:
    """A night that cannot be read is left out; groups that cannot be read end the night before it
    begins: it would call every known failure new."""
    archive = Archive(str(tmp_path))
    folder = archive.begin(FIRST, "")
    folder.write("night.json", b'{"name": 3}')
    folder.close()
    (tmp_path / "nights" / "groups.json").write_text("[{")
    assert [] == archive.nights()
    assert "night.json is left out" in archive.notices[0]
    with pytest.raises(EnvironmentTrouble, match="Restore it, or move it away"):
        archive.groups()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://bucket/nights", "needs a package that is not installed: .*s3fs"),
        ("sfpt://host/nights", "Did you mean sftp://"),
        ("nonsense://x", "A folder, or an address that fsspec knows is expected"),
    ],
)
def test_an_address_that_means_nothing_is_told(address: str, said: str) -> None:
    """With what would make it mean something."""
    with pytest.raises(TrialError, match=said):
        Archive(address)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Before anything runs."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentTrouble, match="cannot be written"):
        Archive(str(tmp_path / "file" / "archive")).begin(FIRST, "")


def test_retention_lets_go_of_passing_runs_and_never_of_evidence(archive: Archive) -> None:
    """Old nights lose the folders of runs that passed; records stay, without the folder."""
    names = (FIRST, SECOND)
    for at, name in enumerate(names):
        records = [
            run(1, folder=f"paxos/{at}-1"),
            run(2, "idle", folder=f"paxos/{at}-2"),
            failed(3, folder=f"paxos/{at}-3"),
            run(4, "hung", folder=f"paxos/{at}-4"),
            run(5, folder=f"paxos/{at}-5"),
        ]
        folder = archive.begin(name, "")
        for record in records:
            folder.append(record)
            archive._storage.write(f"{record.folder}/trial.yaml", b"seed: 1\n")
        folder.write_night(night(name, records))
        folder.close()
    archive.write_groups([known(folder="paxos/0-5")])
    assert ["paxos/0-1", "paxos/0-2"] == prune(archive, keep_nights=1)
    assert [] == prune(archive, keep_nights=1)
    kept = ["0-3", "0-4", "0-5", "1-1", "1-2", "1-3", "1-4", "1-5"]
    assert kept == archive._storage.names("paxos")
    assert ["", "", "paxos/0-3", "paxos/0-4", "paxos/0-5"] == [
        record.folder for record in archive.records(FIRST)
    ]
