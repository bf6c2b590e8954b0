"""The index of a store: what is asked about many runs at once, without opening their folders.

Rules
1. Folders are the truth and the index is a memory of them: whoever deletes it, or damages it, loses
   the time of one scan. A file that is damaged or of another layout is replaced.
2. A scan asks every folder for the time of its last change and reads those that have another than
   at the last scan: parts of a run come by renaming, which changes that time.
3. A scan may be cut short, newest runs first; what is left is read by the next one.
4. Where the disk does not take the index (read-only, full), it is kept in memory.
5. Two processes may use one index: each writes what it read of the folders, which is the same.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.clock import monotonic_ns, utc_now

NAME = "index.sqlite"
RESERVED = frozenset({"nights", "latest"})  # in a store, but no labels of runs
LAYOUT = 2  # raised whenever a column changes: an index of another layout is made anew
_BUSY_S = 2.0
_TICK_NS = 100_000_000  # the clock by which file systems stamp, and then some
_RECOVERY_MS = 1_000


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's folder says in short. `started`: UTC, as '2026-01-31 23:59:59', empty if
    unknown. `verdict`: valid, invalid, unknown, or empty for a run that has none (it goes on, or
    was killed). `law`, `fingerprint`: of an invalid one. `operations`: that clients began, None if
    they were not counted. `trouble`: why parts of the folder could not be read."""

    label: str
    name: str
    started: str = ""
    system: str = ""
    workload: str = ""
    faults: str = ""
    cluster: str = ""
    nodes: int | None = None
    seed: int | None = None
    verdict: str = ""
    cause: str = ""
    summary: str = ""
    law: str = ""
    fingerprint: str = ""
    operations: int | None = None
    duration_s: float | None = None
    report: bool = False
    trouble: str = ""


_TEXT = ("label", "name", "started", "system", "workload", "faults", "cluster", "verdict", "cause")
COLUMNS = tuple(field.name for field in msgspec.structs.fields(Facts))
SORTED_BY = (*_TEXT, "nodes", "seed", "law", "fingerprint", "operations", "duration_s")
FACETS = ("verdict", "system", "workload", "faults", "cluster", "label")
_SEARCHED = ("label", "name", "system", "workload", "faults", "cluster", "verdict", "summary")

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS runs (
  {", ".join(COLUMNS)}, searched TEXT NOT NULL, stamp INTEGER NOT NULL, PRIMARY KEY (label, name));
CREATE INDEX IF NOT EXISTS by_start ON runs (started, label, name);
CREATE INDEX IF NOT EXISTS by_label ON runs (label, started);
CREATE INDEX IF NOT EXISTS by_facet ON runs ({", ".join(FACETS)});
PRAGMA user_version = {LAYOUT};
"""
_PUT = (
    f"INSERT OR REPLACE INTO runs ({', '.join(COLUMNS)}, searched, stamp) "
    f"VALUES ({', '.join('?' * (len(COLUMNS) + 2))})"
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs, in which order. `words`: each must occur somewhere. `equal`: column to value, of
    FACETS, law and fingerprint. `since`, `until`: of the start, as in Facts, each as far as it is
    given ('2026-01'); both included. `sort`: one of SORTED_BY."""

    words: Sequence[str] = ()
    equal: Mapping[str, str] = {}
    since: str = ""
    until: str = ""
    sort: str = "started"
    descending: bool = True
    limit: int = 50
    offset: int = 0


class Index:
    """`read(label, name)` gives the facts of a folder, None where it is no run; it raises nothing.
    Calls from any thread."""

    def __init__(self, root: Path, read: Callable[[str, str], Facts | None]) -> None:
        self.root = root
        self.generation = 0  # raised by every change: what was counted before holds until then
        self._read = read
        self._lock = threading.RLock()
        self._stamps: dict[tuple[str, str], int] = {}
        self._database = self._opened()

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def refresh(self, limit_ms: int | None = None) -> int:
        """Read what has changed, for about `limit_ms` at most; how many folders are left."""
        with self._lock:
            found = _stamps(self.root)
            gone = self._stamps.keys() - found.keys()
            changed = [key for key, stamp in found.items() if self._stamps.get(key) != stamp]
            if not gone and not changed:
                return 0
            changed.sort(key=lambda key: key[1], reverse=True)  # names begin with the time
            end_ns = None if limit_ms is None else monotonic_ns() + limit_ms * 1_000_000
            read = []
            for key in changed:
                # A folder may change again within one tick of the clock of files, unseen.
                settled = utc_now().timestamp() * 1e9 - found[key] > _TICK_NS
                read.append((key, found[key] if settled else 0, self._read(*key)))
                if end_ns is not None and monotonic_ns() >= end_ns:
                    break
            try:
                self._write(gone, read)
            except sqlite3.DatabaseError:
                self._recover()
                return len(found) - len(self._stamps)
            for key in gone:
                del self._stamps[key]
            self._stamps |= {key: stamp for key, stamp, _ in read}
            self.generation += 1
            return len(changed) - len(read)

    def runs(self, asked: Asked) -> list[Facts]:
        where, values = _where(asked)
        assert asked.sort in SORTED_BY, "whoever asks has checked the column"
        order = "DESC" if asked.descending else "ASC"
        # What has no value comes last in both orders.
        ordered = (
            f"ORDER BY {asked.sort} IS NULL OR {asked.sort} = '', {asked.sort} {order}, "
            f"started {order}, name {order}, label"
        )
        if asked.sort == "started":  # as the index has it, so that nothing is sorted
            ordered = f"ORDER BY started {order}, label {order}, name {order}"
        rows = self._rows(
            f"SELECT {', '.join(COLUMNS)} FROM runs {where} {ordered} LIMIT ? OFFSET ?",
            [*values, asked.limit, asked.offset],
        )
        return [_facts(row) for row in rows]

    def count(self, asked: Asked) -> int:
        where, values = _where(asked)
        return int(self._rows(f"SELECT count(*) FROM runs {where}", values)[0][0])

    def counted(self, column: str, asked: Asked | None = None) -> dict[str, int]:
        """How many runs have which value of a facet, most first."""
        assert column in FACETS, "a facet"
        where, values = _where(asked or Asked())
        rows = self._rows(
            f"SELECT {column}, count(*) FROM runs {where} GROUP BY 1 ORDER BY 2 DESC, 1", values
        )
        return dict(rows)

    def facets(self) -> dict[str, dict[str, int]]:
        """`counted` of every facet over all runs, by one walk of an index that has them all."""
        names = ", ".join(FACETS)
        rows = self._rows(f"SELECT {names}, count(*) FROM runs GROUP BY {names}", [])
        found: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        for *values, runs in rows:
            for name, value in zip(FACETS, values, strict=True):
                found[name][value] += runs
        return {
            name: dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
            for name, counts in found.items()
        }

    def strips(self, labels: int, runs: int) -> dict[str, list[Facts]]:
        """The last runs of the labels that ran last, oldest first."""
        recent = self._rows(
            "SELECT label FROM runs GROUP BY label ORDER BY max(started) DESC, label LIMIT ?",
            [labels],
        )
        return {
            label: self.runs(Asked(equal={"label": label}, limit=runs))[::-1] for (label,) in recent
        }

    def failures(self) -> list[tuple[str, str, str, int, str, str, str, str]]:
        """Groups of invalid runs, most first: fingerprint, law, system, how many runs, first and
        last start, and the summary and 'label/name' of the last."""
        return self._rows(
            "SELECT fingerprint, law, system, count(*), min(started), max(started), summary, "
            "label || '/' || name FROM runs WHERE fingerprint != '' "
            "GROUP BY fingerprint, system ORDER BY 4 DESC, 1, 3",
            [],
        )

    def neighbours(self, facts: Facts) -> tuple[Facts | None, Facts | None]:
        """The runs of the same label before and after this one."""
        chosen = f"SELECT {', '.join(COLUMNS)} FROM runs WHERE label = ? AND (started, name)"
        values = [facts.label, facts.started, facts.name]
        before = self._rows(f"{chosen} < (?, ?) ORDER BY started DESC, name DESC LIMIT 1", values)
        after = self._rows(f"{chosen} > (?, ?) ORDER BY started, name LIMIT 1", values)
        return (_facts(before[0]) if before else None, _facts(after[0]) if after else None)

    # --- the database ---

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.DatabaseError:
                self._recover()
                return self._database.execute(query, values).fetchall()

    def _write(
        self, gone: set[tuple[str, str]], read: Sequence[tuple[tuple[str, str], int, Facts | None]]
    ) -> None:
        none = gone | {key for key, _, facts in read if facts is None}
        with self._database:
            self._database.executemany("DELETE FROM runs WHERE label = ? AND name = ?", none)
            rows = (_row(facts, stamp) for _, stamp, facts in read if facts is not None)
            self._database.executemany(_PUT, rows)

    def _recover(self) -> None:
        """Go on in memory where the file has gone bad; the next start tries the file again."""
        self._database.close()
        self._database = self._in_memory()
        self.refresh(_RECOVERY_MS)

    def _opened(self) -> sqlite3.Connection:
        file = self.root / NAME
        for _ in range(2):
            try:
                return self._from_file(file)
            except sqlite3.OperationalError:  # no disk, no permission, another holds it too long
                break
            except sqlite3.DatabaseError:  # damaged, or of another layout
                for end in ("", "-wal", "-shm"):
                    with contextlib.suppress(OSError):
                        file.with_name(file.name + end).unlink()
        return self._in_memory()

    def _from_file(self, file: Path) -> sqlite3.Connection:
        if not self.root.is_dir():
            raise sqlite3.OperationalError("there is no store yet")
        database = sqlite3.connect(file, timeout=_BUSY_S, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            layout = database.execute("PRAGMA user_version").fetchone()[0]
            if layout not in (0, LAYOUT):
                raise sqlite3.DatabaseError(f"layout {layout}")
            database.execute("PRAGMA synchronous = OFF")  # what is lost is read again
            database.executescript(_SCHEMA)
            if database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged")
            rows = database.execute("SELECT label, name, stamp FROM runs").fetchall()
            self._stamps = {(label, name): stamp for label, name, stamp in rows}
            with database:  # can it be written?
                database.execute("DELETE FROM runs WHERE label = ''")
        except BaseException:
            database.close()
            raise
        return database

    def _in_memory(self) -> sqlite3.Connection:
        self._stamps = {}
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.executescript(_SCHEMA)
        return database


def _stamps(root: Path) -> dict[tuple[str, str], int]:
    """Every folder in a folder of the store, with the time of its last change in nanoseconds."""
    return {
        (label.name, run.name): run.stat(follow_symlinks=False).st_mtime_ns
        for label in _folders(root)
        if label.name not in RESERVED
        for run in _folders(Path(label.path))
    }


def _folders(path: Path) -> Iterator[os.DirEntry[str]]:
    # A folder may go while it is looked at; links (`latest`) lead to what is found anyhow.
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            hidden = entry.name.startswith(".") or not entry.name.isprintable()
            if not hidden and entry.is_dir(follow_symlinks=False):
                yield entry


def _where(asked: Asked) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []
    for word in asked.words:
        terms.append("searched LIKE ? ESCAPE '\\'")
        plain = word.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values.append(f"%{plain}%")
    for column, value in asked.equal.items():
        assert column in FACETS or column in ("law", "fingerprint"), "whoever asks has checked it"
        terms.append(f"{column} = ?")
        values.append(value)
    if asked.since:
        terms.append("started >= ?")
        values.append(asked.since)
    if asked.until:
        terms.append("started != '' AND substr(started, 1, ?) <= ?")
        values += [len(asked.until), asked.until]
    return ("WHERE " + " AND ".join(terms) if terms else "", values)


def _row(facts: Facts, stamp: int) -> list[Any]:
    values = [getattr(facts, column) for column in COLUMNS]
    found = [getattr(facts, column) for column in _SEARCHED]
    searched = " ".join([*found, facts.fingerprint, facts.cause, str(facts.seed)]).lower()
    return [*values, searched, stamp]


def _facts(row: Sequence[Any]) -> Facts:
    fields = dict(zip(COLUMNS, row, strict=True))
    return Facts(**fields | {"report": bool(fields["report"])})
