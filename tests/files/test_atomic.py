"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.files import atomic_write


def test_what_ends_well_is_there_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "note.txt"
    with atomic_write(file) as temporary:
        temporary.write_text("whole")
        assert not file.exists()
    assert [path.name for path in file.parent.iterdir()] == ["note.txt"]
    assert file.read_text() == "whole"


def write_half(file: Path) -> None:
    with atomic_write(file) as temporary:
        temporary.write_text("ha")
        raise OSError("the disk is full")


def test_what_breaks_off_leaves_the_file_before_it(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("before")
    with pytest.raises(OSError, match="full"):
        write_half(file)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert file.read_text() == "before"


@pytest.mark.parametrize("name", ["folder", "x" * 300])
def test_what_cannot_be_written_is_called_by_its_own_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / name
    with pytest.raises(OSError) as caught, atomic_write(file) as temporary:  # noqa: PT011
        temporary.write_text("whole")
    assert str(file) in (caught.value.filename, caught.value.filename2)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
