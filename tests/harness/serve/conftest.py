"""One store is filled for all modules; each has a copy of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.serve.stores import fill


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("filled")
    fill(store)
    return store
