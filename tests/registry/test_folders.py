"""Plugins in folders: found, told apart, read again; nothing else changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mtlsearch.registry import build_registry
from tests.registry.plugins import SPACE, good, write


def test_modules_and_packages_are_plugins_and_what_hides_is_not(tmp_path: Path) -> None:
    write(tmp_path, {"one": SPACE.format(name="one"), "_hidden": "raise RuntimeError\n"})
    package = write(tmp_path / "two", {"__init__": "from two_is_not_on_the_path import x\n"})
    write(package, {"__init__": "from ._part import *\n", "_part": SPACE.format(name="two")})
    (tmp_path / "notes.txt").write_text("no plugin")
    (tmp_path / "empty").mkdir()
    registry = build_registry([tmp_path], entry_points=False)
    assert not registry.failures
    assert list(registry.spaces) == ["one", "two"]


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    write(tmp_path / "a", {"mine": SPACE.format(name="one")})
    write(tmp_path / "b", {"mine": SPACE.format(name="two")})
    registry = build_registry([tmp_path / "a", tmp_path / "b"], entry_points=False)
    assert list(registry.spaces) == ["one", "two"]
    assert not registry.failures


def test_a_folder_named_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    registry = build_registry([tmp_path, Path(), Path("link")], entry_points=False)
    assert not registry.failures
    assert len(registry.plugins) == 3


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, {"mine": SPACE.format(name="before")})
    first = build_registry([tmp_path], entry_points=False)
    write(tmp_path, {"mine": SPACE.format(name="afterwards")})
    assert list(build_registry([tmp_path], entry_points=False).spaces) == ["afterwards"]
    assert list(first.spaces) == ["before"]


def test_the_import_path_and_the_working_directory_stay_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert not build_registry(entry_points=False).plugins
    build_registry([tmp_path], entry_points=False)
    assert sys.path == before


def test_a_module_that_fails_is_not_left_half_imported(tmp_path: Path) -> None:
    write(tmp_path, {"half": "x = 1\nraise ValueError('no')\n"})
    before = set(sys.modules)
    build_registry([tmp_path], entry_points=False)
    assert not {name for name in set(sys.modules) - before if "half" in name}


def test_what_a_plugin_adds_and_where_it_is_from(tmp_path: Path) -> None:
    registry = build_registry([good(tmp_path)], entry_points=False)
    added = {plugin.name: dict(plugin.contributions) for plugin in registry.plugins}
    assert added == {
        "a_source": {"data set source": ("squares",)},
        "a_space": {"search space": ("flat",)},
        "a_task": {"task kind": ("shades",)},
    }
    assert all(plugin.where.startswith(str(tmp_path)) for plugin in registry.plugins)
