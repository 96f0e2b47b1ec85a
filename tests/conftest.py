"""Fixtures that every floor's tests may use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Test workers stand side by side, one a core: a second thread each would only make all of them
# wait. Set before torch is imported, so that programs that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

# Resized images of tests are no use to anyone later.
_CACHE = tempfile.TemporaryDirectory(prefix="mtlsearch-tests-")
os.environ["MTLSEARCH_CACHE"] = _CACHE.name

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs; skips, saying so, where there is none."""
    root = Path(os.environ.get("MTLSEARCH_DATA_ROOT") or BESIDE)
    if not (root / "pennfudan").is_dir():
        pytest.skip(f"real photographs are not at {root}; set MTLSEARCH_DATA_ROOT")
    return root
