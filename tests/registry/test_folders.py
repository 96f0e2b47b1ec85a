"""Tests of plugin folders: discovery, unique modules, reloading."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mtlsearch.registry import build_registry
from tests.registry.plugins import SPACE, good, write


def test_modules_and_packages_are_plugins_unless_private(tmp_path: Path) -> None:
    write(tmp_path, {"one": SPACE.format(name="one"), "_hidden": "raise RuntimeError\n"})
    package = write(tmp_path / "two", {"__init__": "from two_is_not_on_the_path import x\n"})
    write(package, {"__init__": "from ._part import *\n", "_part": SPACE.format(name="two")})
    (tmp_path / "notes.txt").write_text("not a plugin")
    (tmp_path / "empty").mkdir()
    registry = build_registry([tmp_path], entry_points=False)
    assert not registry.failures
    assert list(registry.spaces) == ["one", "two"]


def test_equal_file_names_in_two_folders_both_load(tmp_path: Path) -> None:
    write(tmp_path / "a", {"mine": SPACE.format(name="one")})
    write(tmp_path / "b", {"mine": SPACE.format(name="two")})
    registry = build_registry([tmp_path / "a", tmp_path / "b"], entry_points=False)
    assert list(registry.spaces) == ["one", "two"]
    assert not registry.failures


def test_folder_given_twice_loads_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    registry = build_registry([tmp_path, Path(), Path("link")], entry_points=False)
    assert not registry.failures
    assert len(registry.plugins) == 3


def test_changed_file_is_loaded_again(tmp_path: Path) -> None:
    write(tmp_path, {"mine": SPACE.format(name="before")})
    first = build_registry([tmp_path], entry_points=False)
    write(tmp_path, {"mine": SPACE.format(name="afterwards")})
    assert list(build_registry([tmp_path], entry_points=False).spaces) == ["afterwards"]
    assert list(first.spaces) == ["before"]


def test_folder_plugins_do_not_change_the_import_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert not build_registry(entry_points=False).plugins
    build_registry([tmp_path], entry_points=False)
    assert sys.path == before


def test_failed_module_is_removed_from_sys_modules(tmp_path: Path) -> None:
    write(tmp_path, {"half": "x = 1\nraise ValueError('no')\n"})
    before = set(sys.modules)
    build_registry([tmp_path], entry_points=False)
    assert not {name for name in set(sys.modules) - before if "half" in name}


def test_loaded_plugin_lists_contributions_and_location(tmp_path: Path) -> None:
    registry = build_registry([good(tmp_path)], entry_points=False)
    added = {plugin.name: dict(plugin.contributions) for plugin in registry.plugins}
    assert added == {
        "a_source": {"data set source": ("squares",)},
        "a_space": {"search space": ("flat",)},
        "a_task": {"task kind": ("shades",)},
    }
    assert all(plugin.where.startswith(str(tmp_path)) for plugin in registry.plugins)
