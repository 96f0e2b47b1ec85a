"""Environment and fixtures of all tests."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import browser

if TYPE_CHECKING:
    from tests.study.postgresql import PostgreSQLServer

__all__ = ["browser"]

# One thread per test worker: the workers share the cores. Set before torch is imported, and
# inherited by the programs that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

# Resized images of tests are deleted after the tests.
_CACHE = tempfile.TemporaryDirectory(prefix="mtlsearch-tests-")
os.environ["MTLSEARCH_CACHE"] = _CACHE.name

# The data folder of the user must not change a test: neither this process nor the programs that
# tests start see it. Under another name, because workers inherit the changed environment.
if root := os.environ.pop("MTLSEARCH_DATA_ROOT", ""):
    os.environ["MTLSEARCH_TESTS_DATA_ROOT"] = root

DEFAULT_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real photographs; skip the test without it."""
    folder = Path(os.environ.get("MTLSEARCH_TESTS_DATA_ROOT") or DEFAULT_ROOT)
    if not (folder / "pennfudan").is_dir():
        pytest.skip(f"{folder} has no real photographs, set MTLSEARCH_DATA_ROOT")
    return folder


@pytest.fixture(autouse=True)
def seeded_weights() -> None:
    """Seed torch, so that random weights do not depend on the order of the tests."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """Run one PostgreSQL server per test worker; tests request ``postgresql``."""
    from tests.study.postgresql import running_server

    with running_server() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgreSQLServer) -> PostgreSQLServer:
    """Return a running PostgreSQL server; a test may stop it and start it again."""
    if not postgresql_server.is_running():
        postgresql_server.start()
    return postgresql_server
