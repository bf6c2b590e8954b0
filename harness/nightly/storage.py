"""Where an archive's bytes are: a folder of this machine, or any store that fsspec has a name for.

Rules
1. A reader never sees half of a whole file. A folder has renames; of a store nothing is expected
   but whole writes: the new content is written beside the old first, and counts where the file
   itself is torn or gone.
2. Whatever a store raises is told as EnvironmentTrouble: what was tried, what came, what to do.
3. Paths are relative, made of names that a shell does not mind, and stay below the root: addresses
   come from files that anybody may have written.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import msgspec

from harness.contracts import EnvironmentTrouble
from harness.trial import TrialError

DRAFT = ".draft"
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HERE = ("", "file", "local")
Whole = Callable[[bytes], bool]


class Storage(Protocol):
    """Files by relative path below a root. All raise EnvironmentTrouble where the store does."""

    address: str

    def read(self, path: str, whole: Whole) -> bytes | None:
        """The content, None if there is none. `whole`: is this all of it?"""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Replace a whole file."""
        ...

    def names(self, folder: str) -> list[str]:
        """Of what is in a folder, sorted; empty if there is no such folder."""
        ...

    def put_tree(self, local: Path, folder: str) -> str:
        """Copy a local folder to a folder that is not there yet: its path, which has a suffix if
        the name was taken. Only regular files are copied."""
        ...

    def get_tree(self, folder: str, local: Path) -> None:
        """Copy a folder into a local one. Raises EnvironmentTrouble if it holds nothing."""
        ...

    def remove_tree(self, folder: str) -> None:
        """What is not there need not be removed."""
        ...


def storage(address: str) -> Storage:
    """Opened lazily: nothing is read or written yet. Raises TrialError for an address that means
    nothing here, with what would make it mean something."""
    protocol = address.split("://", 1)[0].split("::", 1)[0] if ":" in address else ""
    if "://" not in address and "::" not in address:
        protocol = ""
    if protocol in _HERE:
        return Folder(Path(address.split("://", 1)[-1] or "."))
    return Store(address, _filesystem(address, protocol))


def below(path: str) -> str:
    """The path, if it stays below the root. Raises TrialError."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise TrialError(
            [f"{path!r} is no address in an archive: a relative path without '..' is expected"]
        )
    return "/".join(parts)


def files_of(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, sorted; nodes leave sockets, pipes and links behind too."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _filesystem(address: str, protocol: str) -> Any:
    # 30 ms that nights in a folder need not spend.
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    try:
        return url_to_fs(address)
    except ImportError as wrong:
        told = known_implementations.get(protocol, {}).get("err", "")
        raise TrialError(
            [f"the archive {address!r} needs a package that is not installed: {told or wrong}"]
        ) from wrong
    except ValueError as wrong:
        near = difflib.get_close_matches(protocol, list(known_implementations), 1)
        hint = f" Did you mean {near[0]}://?" if near else ""
        raise TrialError(
            [
                f"the archive {address!r} cannot be opened: {wrong}.{hint} A folder, or an address "
                "that fsspec knows is expected, as s3://bucket/nights or sftp://host/path"
            ]
        ) from wrong
    except Exception as wrong:
        raise _trouble("opened", address, wrong) from wrong


def _trouble(tried: str, where: str, wrong: Exception) -> EnvironmentTrouble:
    what = getattr(wrong, "strerror", None) or str(wrong) or type(wrong).__name__
    return EnvironmentTrouble(
        f"{where} cannot be {tried}: {what}. What was written before is kept. Make room, fix the "
        "permissions or the access to the store, or name another store for the night."
    )


def _regular(file: Path) -> bytes:
    """What a file holds. A web page reads by this, too: a link would show what lies elsewhere, and
    a pipe would hold it for ever. Raises OSError for both."""
    with os.fdopen(os.open(file, _READING), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return opened.read()


class Folder:
    """A folder of this machine, or a file system that is mounted on it."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.address = str(self.root)

    @contextlib.contextmanager
    def _told(self, tried: str, path: Path) -> Iterator[None]:
        try:
            yield
        except (OSError, shutil.Error) as wrong:
            raise _trouble(tried, str(path), wrong) from wrong

    def read(self, path: str, whole: Whole) -> bytes | None:  # noqa: ARG002  (rule 1: renames)
        file = self.root / path
        with self._told("read", file):
            try:
                return _regular(file)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, path: str, content: bytes) -> None:
        file = self.root / path
        draft = file.with_name(f".{file.name}{DRAFT}-{os.getpid()}")
        with self._told("written", file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with draft.open("wb") as opened:
                    opened.write(content)
                    opened.flush()
                    os.fsync(opened.fileno())  # a rename may reach the disk before the content
                draft.replace(file)
            except OSError:
                with contextlib.suppress(OSError):
                    draft.unlink()
                raise

    def names(self, folder: str) -> list[str]:
        with self._told("listed", self.root / folder):
            try:
                return sorted(path.name for path in (self.root / folder).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def put_tree(self, local: Path, folder: str) -> str:
        local = local.resolve()
        if local.is_relative_to(self.root.resolve()):  # it was made in its place
            return local.relative_to(self.root.resolve()).as_posix()
        target = self.root / folder
        draft = target.with_name(f".{target.name}{DRAFT}-{os.getpid()}")
        with self._told("written", target):
            try:
                for file in files_of(local):
                    copy = draft / file.relative_to(local)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)
                return self._named(draft, folder)
            except OSError:
                shutil.rmtree(draft, ignore_errors=True)
                raise

    def _named(self, draft: Path, folder: str) -> str:
        """Give a draft its name. An empty folder made first keeps others from the name: a rename
        onto it succeeds, onto a folder with anything in it never."""
        draft.mkdir(parents=True, exist_ok=True)
        for name in _suffixed(folder):
            try:
                (self.root / name).mkdir()
            except FileExistsError:
                continue
            draft.replace(self.root / name)
            return name
        raise FileExistsError(f"{folder} and all its suffixes exist")

    def get_tree(self, folder: str, local: Path) -> None:
        source = self.root / folder
        files = list(files_of(source))
        if not files:
            raise _gone(self.address, folder)
        with self._told("copied", source):
            for file in files:
                copy = local / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)

    def remove_tree(self, folder: str) -> None:
        with self._told("removed", self.root / folder), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.root / folder)


class Store:
    """Any store of fsspec. Nothing is expected of it but to write, read, list and remove."""

    def __init__(self, address: str, opened: tuple[Any, str]) -> None:
        self.address = address.rstrip("/")
        self._fs, self._root = opened
        # Elsewhere somebody else writes what is listed here.
        self._fs.use_listings_cache = False

    @contextlib.contextmanager
    def _told(self, tried: str, path: str) -> Iterator[None]:
        try:
            yield
        except EnvironmentTrouble:
            raise
        except Exception as wrong:  # every store has errors of its own (rule 2)
            raise _trouble(tried, f"{self.address}/{path}", wrong) from wrong

    def _at(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"

    def read(self, path: str, whole: Whole) -> bytes | None:
        with self._told("read", path):
            content = self._content(path)
            if content is not None and whole(content):
                return content
            draft = self._content(path + DRAFT)
            return draft if draft is not None and whole(draft) else content

    def _content(self, path: str) -> bytes | None:
        try:
            return bytes(self._fs.cat_file(self._at(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, content: bytes) -> None:
        with self._told("written", path):
            self._fs.makedirs(self._at(path).rsplit("/", 1)[0], exist_ok=True)
            self._fs.pipe_file(self._at(path + DRAFT), content)
            self._fs.pipe_file(self._at(path), content)
            self._fs.rm_file(self._at(path + DRAFT))

    def names(self, folder: str) -> list[str]:
        with self._told("listed", folder):
            self._fs.invalidate_cache()
            try:
                found: Sequence[str] = self._fs.ls(self._at(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
            names = {PurePosixPath(path).name for path in found}
            return sorted(names - {PurePosixPath(folder).name})  # some list the folder itself

    def put_tree(self, local: Path, folder: str) -> str:
        with self._told("written", folder):
            self._fs.invalidate_cache()
            name = next(n for n in _suffixed(folder) if not self._fs.exists(self._at(n)))
            # Whoever lists runs knows them by their trial.yaml: it comes last.
            files = sorted(files_of(local), key=lambda file: (file.name == "trial.yaml", file))
            for file in files:
                path = self._at(f"{name}/{file.relative_to(local).as_posix()}")
                self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                self._fs.put_file(str(file), path)
            return name

    def get_tree(self, folder: str, local: Path) -> None:
        with self._told("copied", folder):
            self._fs.invalidate_cache()
            top = self._at(folder)
            try:
                found: Sequence[str] = self._fs.find(top)
            except FileNotFoundError:
                found = ()
            stem = top.lstrip("/") + "/"
            files = [(path, below(path.lstrip("/").removeprefix(stem))) for path in found]
            if not files:
                raise _gone(self.address, folder)
            for path, name in files:
                copy = local / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                self._fs.get_file(path, str(copy))

    def remove_tree(self, folder: str) -> None:
        with self._told("removed", folder), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._at(folder), recursive=True)


def _suffixed(folder: str) -> Iterator[str]:
    """Two runs of one seed within a second get folders of their own."""
    return iter((folder, *(f"{folder}-{number}" for number in range(2, 1000))))


def _gone(address: str, folder: str) -> EnvironmentTrouble:
    return EnvironmentTrouble(
        f"{address} holds no {folder}: it was removed, or retention let it go. The command that "
        "replays the run from its seed stands in its record."
    )


def is_json(content: bytes) -> bool:
    """Is it whole? A torn JSON text never is one."""
    try:
        msgspec.json.decode(content)
    except msgspec.DecodeError:
        return False
    return True
