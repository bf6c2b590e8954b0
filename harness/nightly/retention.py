"""What an archive lets go, so that it does not fill a disk: folders of runs that passed.

Rule: evidence stays. A run that failed, hung, died or could not be carried out keeps its folder
whatever its age, and so does any folder that a group of failures names. Records always stay.
"""

from __future__ import annotations

from harness.nightly.archive import Archive

PASSED = frozenset({"valid", "idle"})


def prune(archive: Archive, keep_nights: int) -> list[str]:
    """Remove the kept folders of passing runs of all but the newest `keep_nights` nights; their
    addresses. Raises EnvironmentTrouble where the archive refuses: what went until then has gone,
    and the next call goes on."""
    nights = archive.nights()
    evidence = {group.folder for group in archive.groups()}
    removed: list[str] = []
    for night in nights[: max(0, len(nights) - keep_nights)]:
        records = archive.records(night.name)
        kept = evidence | {record.folder for record in records if record.end not in PASSED}
        passed = {record.folder for record in records if record.folder and record.end in PASSED}
        going = sorted(passed - kept)
        if going:
            archive.remove_folders(night.name, going)
            removed += going
    return removed
