"""The write-ahead log: what was synced is there, what is damaged is refused."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl import storage
from reference_impl.storage import HEADER, LOG_NAME, Log, StorageError, recover

BATCHES = [
    [["promised", 1, "n2"]],
    [["accepted", 7, [1, "n2"], "x"], ["promised", 2, "n3"]],
    [{"slot": 8, "value": "y" * 30}],
]
PREFIXES = [[r for batch in BATCHES[:n] for r in batch] for n in range(len(BATCHES) + 1)]


def write(directory: Path, batches: list[list[object]]) -> bytes:
    """A log with one sync a batch; returns the file's bytes."""
    log = Log(directory)
    for batch in batches:
        log.append(batch)
        log.sync()
    log.close()
    return (directory / LOG_NAME).read_bytes()


def reopen(directory: Path) -> tuple[list[object], str | None]:
    log = Log(directory)
    log.close()
    return log.recovered, log.notice


def test_what_was_synced_is_recovered_in_order(tmp_path: Path) -> None:
    """Rule: recovery gives every synced record of earlier lives, in order, without a notice."""
    write(tmp_path, BATCHES[:2])
    write(tmp_path, BATCHES[2:])

    assert reopen(tmp_path) == (PREFIXES[-1], None)


def test_a_record_that_was_not_synced_is_not_promised(tmp_path: Path) -> None:
    """Rule: `append` alone writes nothing."""
    log = Log(tmp_path)
    log.append([1])
    log.close()

    assert reopen(tmp_path) == ([], None)


def test_a_cut_at_every_byte_recovers_the_syncs_before_it(tmp_path: Path) -> None:
    """Rule 2: a torn write is cut off whole; what was synced before it stays."""
    content = write(tmp_path, BATCHES)
    ends = [len(write(tmp_path / str(n), BATCHES[:n])) for n in range(len(BATCHES) + 1)]

    for cut in range(len(HEADER), len(content) + 1):
        whole = max(n for n, end in enumerate(ends) if end <= cut)
        assert recover(content[:cut], tmp_path) == (PREFIXES[whole], ends[whole]), cut


def test_a_log_shorter_than_its_header_is_refused(tmp_path: Path) -> None:
    """Rule 4: a log appears by a rename when its header is durable, so no crash shortens it."""
    content = write(tmp_path, BATCHES)

    for cut in range(len(HEADER)):
        with pytest.raises(StorageError, match="damaged at offset 0"):
            recover(content[:cut], tmp_path)


def test_no_flipped_bit_changes_a_record(tmp_path: Path) -> None:
    """Rules 1 and 2: with any bit flipped the log is refused, or a prefix of it is recovered that
    lacks at most the last sync."""
    content = write(tmp_path, BATCHES)
    last = len(write(tmp_path / "shorter", BATCHES[:-1]))

    for at in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            if at < last:
                with pytest.raises(StorageError, match=r"damaged at offset|format version"):
                    recover(bytes(damaged), tmp_path)
            else:
                assert recover(bytes(damaged), tmp_path) == (PREFIXES[-2], last), (at, bit)


@given(
    batches=st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=3), max_size=5),
    noise=st.binary(max_size=60),
    cut=st.integers(min_value=0, max_value=200),
)
@settings(max_examples=200, deadline=None)
def test_noise_after_a_cut_is_never_a_record(
    batches: list[list[object]], noise: bytes, cut: int
) -> None:
    """Rule 3: whatever follows a cut, recovery gives a prefix of what was synced."""
    content = HEADER
    for batch in batches:
        content += storage._frame(batch, len(content))
    flat = [record for batch in batches for record in batch]

    records, end = recover(content[: max(len(HEADER), len(content) - cut)] + noise, Path("wal"))

    assert records == flat[: len(records)]
    assert end <= len(content)


def test_a_frame_inside_a_record_is_not_taken_for_a_frame(tmp_path: Path) -> None:
    """Rule 3: a record may contain the bytes of a good frame, of this very log; a torn write that
    contains them is still cut off, and not refused as damage."""
    content = write(tmp_path, BATCHES)
    inner = content[len(HEADER) :]
    outer = write(tmp_path, [[inner]])

    for cut in range(len(content) + 1, len(outer)):
        assert recover(outer[:cut], tmp_path) == (PREFIXES[-1], len(content)), cut


def test_a_torn_tail_is_cut_with_a_notice_and_the_log_goes_on(tmp_path: Path) -> None:
    """Rule 2: the notice names file and offset; records written next follow the good part."""
    content = write(tmp_path, BATCHES)
    (tmp_path / LOG_NAME).write_bytes(content[:-3])

    records, notice = reopen(tmp_path)

    assert records == PREFIXES[2]
    assert notice is not None
    assert f"{tmp_path / LOG_NAME}: cut" in notice
    write(tmp_path, [["after"]])
    assert reopen(tmp_path) == ([*PREFIXES[2], "after"], None)


def test_damage_names_file_offset_and_remedy(tmp_path: Path) -> None:
    """Rule 1: damage before the tail stops the start, in words that a person can act on."""
    content = bytearray(write(tmp_path, BATCHES))
    content[len(HEADER) + 10] ^= 1
    (tmp_path / LOG_NAME).write_bytes(content)

    with pytest.raises(StorageError) as refused:
        Log(tmp_path)

    assert f"{tmp_path / LOG_NAME} is damaged at offset {len(HEADER)}" in str(refused.value)
    assert "Restore the file from a copy" in str(refused.value)


def test_a_log_of_another_version_is_refused(tmp_path: Path) -> None:
    """Rule: a format version that this program does not read is named."""
    content = bytearray(write(tmp_path, BATCHES))
    content[len(HEADER) - 1] = 9

    with pytest.raises(StorageError, match="format version 9, this program reads version 1"):
        recover(bytes(content), tmp_path)


def test_replace_gives_the_new_log_and_nothing_else(tmp_path: Path) -> None:
    """Rule 4: after `replace` the log is the given records and what is appended later; records
    that were waiting for a sync are covered by it."""
    log = Log(tmp_path)
    log.append(["old"])
    log.sync()
    log.append(["waiting"])
    log.replace(["snapshot", "rest"])
    log.append(["later"])
    log.sync()
    log.close()

    assert reopen(tmp_path) == (["snapshot", "rest", "later"], None)


def test_a_replacement_that_a_crash_interrupted_leaves_the_old_log(tmp_path: Path) -> None:
    """Rule 4: the new file counts from its rename on; a leftover of it is removed."""
    content = write(tmp_path, BATCHES)
    leftover = tmp_path / f"{LOG_NAME}.new"
    leftover.write_bytes(content[:20])

    assert reopen(tmp_path) == (PREFIXES[-1], None)
    assert not leftover.exists()


def test_a_second_process_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    """Rule 5: one process owns the directory."""
    log = Log(tmp_path)
    try:
        with pytest.raises(StorageError, match=f"in use by process {os.getpid()}"):
            Log(tmp_path)
    finally:
        log.close()
    Log(tmp_path).close()


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "Input/output error")]
)
def test_after_a_failed_sync_the_log_does_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """Rule 4: a sync that failed is never tried again, even if a second one would succeed."""
    log = Log(tmp_path)
    log.append(["lost"])

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(storage, "_sync", fail)
        with pytest.raises(StorageError, match=words):
            log.sync()
    with pytest.raises(StorageError, match=words):
        log.sync()
    log.close()


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """Rule: trouble of the disk names the path and what to do."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match=r"cannot create .*Make it usable"):
        Log(tmp_path / "file" / "data")


WRITER = """
import sys
from pathlib import Path
from reference_impl.storage import Log
log = Log(Path(sys.argv[1]))
number = len(log.recovered)
while True:
    log.append([[number, "x" * (number % 97)]])
    log.sync()
    print(number, flush=True)
    number += 1
"""


def test_everything_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    """T23: what a process said is durable is there after SIGKILL, in order, over several lives."""
    acknowledged = -1
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(50):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            for line in writer.stdout:
                acknowledged = int(line) if line.endswith("\n") else acknowledged

        records, _ = reopen(tmp_path)
        assert [[n, "x" * (n % 97)] for n in range(len(records))] == records
        assert len(records) > acknowledged
