"""An atomic write leaves a whole file or the previous one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.files import atomic_write


def test_written_file_is_visible_after_the_block(tmp_path: Path) -> None:
    path = tmp_path / "new" / "note.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert [child.name for child in path.parent.iterdir()] == ["note.txt"]
    assert path.read_text() == "whole"


def write_half(path: Path) -> None:
    """Fail in the middle of a write."""
    with atomic_write(path) as temporary:
        temporary.write_text("ha")
        raise OSError("the disk is full")


def test_failed_write_keeps_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("before")
    with pytest.raises(OSError, match="full"):
        write_half(path)
    assert [child.name for child in tmp_path.iterdir()] == ["note.txt"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("name", ["folder", "x" * 300])
def test_error_contains_the_path_of_the_caller(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    with pytest.raises(OSError) as error, atomic_write(path) as temporary:  # noqa: PT011
        temporary.write_text("whole")
    assert str(path) in (error.value.filename, error.value.filename2)
    assert [child.name for child in tmp_path.iterdir()] == ["folder"]
