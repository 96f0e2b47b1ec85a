from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundle import small


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small.write(tmp_path / "bundle")
