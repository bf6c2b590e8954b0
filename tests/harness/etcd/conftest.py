"""What the tests of etcd share: a member of each version, and keys that no other test uses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.etcd.members import VERSIONS, Members, needs_version, running

_keys = itertools.count()


@pytest.fixture(scope="session", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Members]:
    """One member that serves, for tests that leave it as it was but for their own keys."""
    needs_version(request.param)
    with running(tmp_path_factory.mktemp("etcd"), 1, version=request.param) as started:
        yield started


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    needs_version(request.param)
    return str(request.param)


@pytest.fixture
def member(version: str, tmp_path: Path) -> Iterator[Members]:
    """One of the test's own, to be stopped, killed and filled."""
    with running(tmp_path, 1, version=version) as started:
        yield started


@pytest.fixture
def members(version: str, tmp_path: Path) -> Iterator[Members]:
    """Three of the test's own."""
    with running(tmp_path, 3, version=version) as started:
        yield started


@pytest.fixture
def key() -> str:
    return f"k{next(_keys)}"
