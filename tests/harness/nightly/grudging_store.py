"""A store that can only write whole objects, read, list and remove them, and that fills up."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]


class GrudgingStore(MemoryFileSystem):  # type: ignore[misc]
    """`room`: bytes that it still takes; None is without limit. What does not fit is torn."""

    protocol = "grudging"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    room: ClassVar[int | None] = None
    torn: ClassVar[str] = ""  # the name of a file that is torn whenever it is written

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("grudging://", "memory://")))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **given: Any) -> None:
        kind = type(self)
        if kind.torn and path.endswith(kind.torn):
            super().pipe_file(path, value[: len(value) // 2], mode, **given)
            raise ConnectionResetError("the connection was reset")
        if kind.room is not None and len(value) > kind.room:
            super().pipe_file(path, value[: kind.room], mode, **given)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind.room is not None:
            kind.room -= len(value)
        super().pipe_file(path, value, mode, **given)

    def put_file(self, lpath: str, rpath: str, **_given: Any) -> None:
        with open(lpath, "rb") as file:  # noqa: PTH123  (as fsspec does)
            self.pipe_file(rpath, file.read())

    def _open(self, path: str, mode: str = "rb", *args: Any, **given: Any) -> Any:
        assert "a" not in mode, "this store cannot append"
        return super()._open(path, mode, *args, **given)

    def mv(self, *_args: Any, **_given: Any) -> None:
        raise NotImplementedError("this store cannot rename")

    cp_file = rename = mv


@contextmanager
def grudging() -> Iterator[type[GrudgingStore]]:
    """The store, empty and registered under its protocol."""
    fsspec.register_implementation("grudging", GrudgingStore, clobber=True)
    GrudgingStore.store.clear()
    GrudgingStore.pseudo_dirs[:] = [""]
    GrudgingStore.room, GrudgingStore.torn = None, ""
    yield GrudgingStore
