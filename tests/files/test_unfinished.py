"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.files import unfinished


def test_what_ends_well_is_there_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "note.txt"
    with unfinished(file) as temporary:
        temporary.write_text("whole")
        assert not file.exists()
    assert [path.name for path in file.parent.iterdir()] == ["note.txt"]
    assert file.read_text() == "whole"


def write_half(file: Path) -> None:
    with unfinished(file) as temporary:
        temporary.write_text("ha")
        raise OSError("the disk is full")


def test_what_breaks_off_leaves_the_file_before_it(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("before")
    with pytest.raises(OSError, match="full"):
        write_half(file)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert file.read_text() == "before"
