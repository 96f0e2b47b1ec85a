"""Folders that the paths in data files must not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.errors import DataError
from mtlsearch.files import Roots, confine_reading, require_below_root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a root that is a link, with links inside; ``tmp_path/secret.txt`` is outside."""
    real = tmp_path / "disk" / "data"
    (real / "images").mkdir(parents=True)
    (real / "images" / "a.png").write_text("a")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "disk" / "data2").mkdir()
    (real / "out").symlink_to(tmp_path, target_is_directory=True)
    (real / "out.txt").symlink_to(tmp_path / "secret.txt")
    (real / "in.png").symlink_to("images/a.png")
    (real / "loop").symlink_to("loop")
    root = tmp_path / "data"
    root.symlink_to(real, target_is_directory=True)
    return root


@pytest.mark.parametrize(
    "name",
    [".", "images/a.png", "missing/b.png", "in.png", "images/../in.png", "a/../images", "loop"],
)
def test_roots_contain_paths_below_a_linked_root(data: Path, name: str) -> None:
    assert Roots(data).contains(data / name)
    assert Roots(data).contains(data.resolve() / name)


@pytest.mark.parametrize(
    "name",
    ["..", "../secret.txt", "images/../../secret.txt", "out.txt", "out/secret.txt", "/etc/passwd",
     "out", "out/missing.png", "../disk/data2/a.png", "../data2", "images/../../disk"],
)  # fmt: skip
def test_roots_do_not_contain_paths_outside(data: Path, name: str) -> None:
    assert not Roots(data).contains(data / name)


def test_roots_of_two_folders_contain_both(data: Path, tmp_path: Path) -> None:
    roots = Roots(data, tmp_path / "disk" / "data2")
    assert roots.contains(data / "in.png")
    assert roots.contains(tmp_path / "disk" / "data2" / "a.png")
    assert not roots.contains(tmp_path / "secret.txt")


def test_require_below_root_refuses_only_while_confined(data: Path) -> None:
    require_below_root(data / "out.txt", "row 3")
    with confine_reading(Roots(data)):
        require_below_root(data / "in.png", "row 2")
        with pytest.raises(DataError, match="leaves the data root") as caught:
            require_below_root(data / "out.txt", "row 3")
        with confine_reading(None):
            require_below_root(data / "out.txt", "row 3")
    require_below_root(data / "out.txt", "row 3")
    assert caught.value.where == "row 3"
    assert str(data.parent / "secret.txt") in caught.value.what
    assert "allow_outside_root" in str(caught.value)
