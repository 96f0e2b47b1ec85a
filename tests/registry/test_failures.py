"""Tests of broken plugins: reported with the cause, without effect on others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mtlsearch.errors import PluginError, UnknownNameError
from mtlsearch.registry import build_registry
from tests.registry.plugins import BROKEN, DATASET, SPACE, good, write


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plugin_in_a_folder_is_reported(tmp_path: Path, name: str) -> None:
    source, cause = BROKEN[name]
    registry = build_registry([write(good(tmp_path), {name: source})], entry_points=False)
    (failure,) = registry.failures
    assert failure.name == name
    assert failure.where == str(tmp_path / f"{name}.py")
    assert cause in failure.cause
    assert list(registry.spaces) == ["flat"]
    assert list(registry.tasks) == ["shades"]
    assert list(registry.datasets) == ["squares"]


def test_all_broken_plugins_are_reported_together(tmp_path: Path) -> None:
    folder = write(good(tmp_path), {name: source for name, (source, _) in BROKEN.items()})
    registry = build_registry([folder], entry_points=False)
    assert {failure.name for failure in registry.failures} == set(BROKEN)
    assert [plugin.name for plugin in registry.plugins] == ["a_source", "a_space", "a_task"]


PROBE = """
import json
from mtlsearch.registry import build_registry
registry = build_registry()
print(json.dumps({
    "failures": {failure.name: [failure.where, failure.cause] for failure in registry.failures},
    "spaces": list(registry.spaces),
    "plugins": {plugin.name: plugin.version for plugin in registry.plugins},
}))
"""


def test_broken_installed_plugin_is_reported(tmp_path: Path) -> None:
    """One package per error, besides a working one and the built-in plugins."""
    sources = {name: source for name, (source, _) in BROKEN.items()}
    for name, source in {**sources, "works": SPACE.format(name="works")}.items():
        _install(tmp_path, name, source)
    seen = _probe(tmp_path)
    assert set(seen["failures"]) >= set(BROKEN)
    for name, (_, cause) in BROKEN.items():
        where, reported = seen["failures"][name]
        assert where == f"external-{name}: external_{name}"
        assert cause in reported
    assert "works" in seen["spaces"]
    assert seen["plugins"]["works"] == "1.5"
    built_in = set(build_registry().spaces)
    assert built_in
    assert built_in <= set(seen["spaces"])


def test_entry_point_without_module_is_reported(tmp_path: Path) -> None:
    _install(tmp_path, "gone", "")
    (tmp_path / "external_gone.py").unlink()
    where, cause = _probe(tmp_path)["failures"]["gone"]
    assert where == "external-gone: external_gone"
    assert "No module named 'external_gone'" in cause


def _install(site: Path, name: str, source: str) -> None:
    (site / f"external_{name}.py").write_text(source)
    info = site / f"external_{name}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: external-{name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[mtlsearch]\n{name} = external_{name}\n")


def _probe(site: Path) -> dict[str, dict[str, list[str]]]:
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{PROBE}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    seen: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return seen


def test_name_of_two_plugins_is_a_conflict(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, {"left": SPACE.format(name="same"), "other": SPACE.format(name="alone")})
    write(second, {"right": SPACE.format(name="same")})
    registry = build_registry([first, second], entry_points=False)
    assert list(registry.spaces) == ["alone"]
    assert {failure.name for failure in registry.failures} == {"left", "right"}
    with pytest.raises(PluginError) as caught:
        registry.spaces.find("same", where="run.yaml:3")
    message = str(caught.value)
    assert str(first / "left.py") in message
    assert str(second / "right.py") in message
    assert "run.yaml:3" in message


def test_name_of_two_kinds_is_no_conflict(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {"a": SPACE.format(name="same"), "b": DATASET.format(name="same", generated=False)},
    )
    registry = build_registry([folder], entry_points=False)
    assert not registry.failures
    assert list(registry.spaces) == list(registry.datasets) == ["same"]


def test_unknown_name_suggests_and_lists_failed_plugins(tmp_path: Path) -> None:
    folder = write(good(tmp_path), {"no_import": BROKEN["no_import"][0]})
    registry = build_registry([folder], entry_points=False)
    with pytest.raises(UnknownNameError) as caught:
        registry.tasks.find("shade", where="run.yaml:7")
    message = str(caught.value)
    assert "unknown task kind 'shade'; did you mean 'shades'?" in message
    assert "run.yaml:7" in message
    assert "no_import: ModuleNotFoundError" in message
    with pytest.raises(UnknownNameError, match="install the missing package"):
        build_registry([good(tmp_path / "sound")], entry_points=False).tasks.find("depth")


def test_missing_plugin_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="plugin folder does not exist") as caught:
        build_registry([tmp_path / "nowhere"], entry_points=False)
    assert caught.value.where == str(tmp_path / "nowhere")
