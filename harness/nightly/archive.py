"""The archive of nights: what every night found, kept where all of them can read it.

Rules
1. Records are only ever added. In a folder each is on file when `append` returns; in a store, which
   cannot append, they go in parts at most FLUSH_S apart. A kill at any instant leaves a readable
   night: a torn last line is dropped and told, a record that two parts hold counts once.
2. A disk that is full, or a store that refuses, ends the writing with EnvironmentTrouble; all that
   was written before stays readable.
3. One night at a time writes to a folder: `groups.json` is read at a night's beginning and written
   at its end. A second night is refused as long as the first one lives. A store has no locks: there
   it is the users who see to it.
4. Times and addresses are as in records.py. An archive can be pickled: workers on other machines
   bring their run folders to it themselves.

    <label>/<UTC time>-<seed>/         kept run folders
    nights/groups.json                 the groups of failures, over all nights
    nights/<name>/spec.yaml            what the night was told to do
    nights/<name>/runs.jsonl           its records; runs-0001.jsonl and so on in a store
    nights/<name>/night.json           the night, written now and then and at its end
    nights/<name>/summary.md, junit.xml, stacks/
    nights/<name>/trends.json          what trends take of it
    nights/<name>/pruned.json          addresses of run folders that retention let go
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.contracts import EnvironmentTrouble
from harness.nightly.nightfolder import NightFolder, decoded
from harness.nightly.records import Group, Night, RunRecord
from harness.nightly.storage import Folder, Storage, below, is_json, storage
from harness.nightly.trends import DIGEST_VERSION, Digest
from harness.trial import TrialError

NIGHTS = "nights"
GROUPS = f"{NIGHTS}/groups.json"
DIGEST = "trends.json"
_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_FILE = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
T = TypeVar("T")


class Archive:
    """`address`: a folder, or what fsspec understands, as 's3://bucket/nights'. `notices`: what a
    reader should know of what could not be read, as sentences.

    Raises TrialError for an address that cannot be used here. Its methods raise EnvironmentTrouble
    where the place refuses, TrialError for a name that means nothing in it.
    """

    def __init__(self, address: str) -> None:
        self.notices: list[str] = []
        self._asked = address
        self._storage: Storage = storage(address)

    @property
    def address(self) -> str:
        """Absolute, where it is a folder."""
        return self._storage.address

    @property
    def folder(self) -> Path | None:
        """Where it is, if that is a folder of this machine."""
        return self._storage.root if isinstance(self._storage, Folder) else None

    # --- reading ---

    def nights(self) -> list[Night]:
        """All nights that can be read, the oldest first."""
        found = (self.night(name) for name in self._names())
        return [night for night in found if night is not None]

    def last_night(self) -> Night | None:
        """The newest that can be read; None before the first."""
        found = (self.night(name) for name in reversed(self._names()))
        return next((night for night in found if night is not None), None)

    def night(self, name: str) -> Night | None:
        """None where there is none, or it was killed before it wrote anything."""
        return self._decoded(f"{_night(name)}/night.json", Night)

    def groups(self) -> list[Group]:
        """Over all nights. Raises EnvironmentTrouble where the file is damaged: a night that went
        on without would call every known failure new, and forget the rest."""
        content = self._storage.read(GROUPS, is_json)
        try:
            return [] if content is None else msgspec.json.decode(content, type=list[Group])
        except msgspec.MsgspecError as wrong:
            raise EnvironmentTrouble(
                f"{self.address}/{GROUPS} cannot be read: {wrong}. Restore it, or move it away: "
                "every failure then counts as new once."
            ) from wrong

    def records(self, night_name: str) -> list[RunRecord]:
        """Of a night, in the order of their ids; empty where there are none. A run folder that
        retention let go is no longer named."""
        found, dropped = decoded(self._storage, _night(night_name))
        if dropped:
            self._notice(f"night {night_name}: {dropped} torn records were dropped")
        gone = set(self.pruned(night_name))
        return [
            msgspec.structs.replace(record, folder="") if record.folder in gone else record
            for record in found
        ]

    def digest(self, night_name: str) -> Digest | None:
        """The sums of a night; None where it was killed before it wrote them, or they are of
        another version of ours."""
        content = self._storage.read(f"{_night(night_name)}/{DIGEST}", is_json)
        try:
            found = None if content is None else msgspec.json.decode(content, type=Digest)
        except msgspec.MsgspecError:  # they follow from the records, which are read then
            return None
        return found if found is not None and found.version == DIGEST_VERSION else None

    def pruned(self, night_name: str) -> list[str]:
        """Addresses of the night's run folders that retention let go."""
        return self._decoded(f"{_night(night_name)}/pruned.json", list[str]) or []

    def read(self, night_name: str, file: str) -> bytes | None:
        """A file of a night, as 'summary.md' or 'stacks/12.txt'; None where there is none."""
        if not _FILE.fullmatch(file):
            raise TrialError([f"{file!r} is no file of a night: 'summary.md', say, is expected"])
        return self._storage.read(f"{_night(night_name)}/{file}", lambda _content: True)

    # --- writing ---

    def begin(self, name: str, spec_text: str) -> NightFolder:
        """The folder of a new night, with its lock (rule 3). `name`: its UTC time; it gets a suffix
        if it is taken. `spec_text`: the spec as settled."""
        lock = self._lock()
        try:
            taken = set(self._names())
            names = (name, *(f"{name}-{number}" for number in range(2, 100)))
            fresh = next(free for free in names if free not in taken)
            night = NightFolder(self._storage, fresh, _night(fresh), lock)
            night.write("spec.yaml", spec_text.encode())
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise
        return night

    def write_groups(self, groups: Sequence[Group]) -> None:
        content = msgspec.json.format(msgspec.json.encode(list(groups)), indent=2)
        self._storage.write(GROUPS, content)

    def put_folder(self, local: Path, under: str) -> str:
        """Bring a run folder to the archive: its address there, below `under` (a trial's label) by
        its own name, with a suffix if that is taken. One that was made in the archive stays."""
        return self._storage.put_tree(local, below(f"{under}/{local.name}"))

    def get_folder(self, address: str, local: Path) -> None:
        """Copy a run folder of the archive into `local`, which is made."""
        self._storage.get_tree(below(address), local)

    def remove_folders(self, night_name: str, addresses: Sequence[str]) -> None:
        """Remove run folders of a night; that they are gone is noted first, so that a kill in the
        middle leaves folders nobody names rather than names without a folder."""
        gone = sorted({*self.pruned(night_name), *(below(address) for address in addresses)})
        self._storage.write(f"{_night(night_name)}/pruned.json", msgspec.json.encode(gone))
        for address in addresses:
            self._storage.remove_tree(below(address))

    # --- inside ---

    def _names(self) -> list[str]:
        return [name for name in self._storage.names(NIGHTS) if _NAME.fullmatch(name)]

    def _decoded(self, path: str, kind: type[T]) -> T | None:
        content = self._storage.read(path, is_json)
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as wrong:
            self._notice(f"{path} is left out: {wrong}")
            return None

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    def _lock(self) -> int | None:
        """An open file that is locked as long as it is open, in whatever way its process ends."""
        if self.folder is None:
            return None
        path = self.folder / NIGHTS / ".lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as wrong:
            raise EnvironmentTrouble(
                f"the archive {self.address} cannot be written: {wrong.strerror} "
                f"({wrong.filename}). Fix the permissions or name another store for the night."
            ) from wrong
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as wrong:
            holder = os.pread(lock, 80, 0).decode(errors="replace").strip()
            os.close(lock)
            raise EnvironmentTrouble(
                f"another night ({holder or 'it does not say which'}) is writing to "
                f"{self.address}. Wait until it has ended, end it, or name another store for "
                "this one."
            ) from wrong
        with contextlib.suppress(OSError):  # for the sentence above: it locks without
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"process {os.getpid()}\n".encode(), 0)
        return lock

    def __getstate__(self) -> dict[str, Any]:
        return {"asked": self._asked if self.folder is None else self.address, "pid": os.getpid()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["asked"].startswith("memory:") and state["pid"] != os.getpid():
            raise EnvironmentTrouble(
                f"{state['asked']} is the memory of one process, and no other can bring anything "
                "there. Name a folder or a store that all workers reach."
            )
        self.__init__(state["asked"])  # type: ignore[misc]  # the same place, opened here


def _night(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise TrialError([f"{name!r} is no name of a night: its UTC time, '20261123T220000Z', is"])
    return f"{NIGHTS}/{name}"


__all__ = ["Archive", "NightFolder"]
