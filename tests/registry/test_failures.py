"""A plugin with a fault is named with its cause, and hurts no other."""

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
def test_of_a_folder(tmp_path: Path, name: str) -> None:
    source, cause = BROKEN[name]
    registry = build_registry([write(good(tmp_path), {name: source})], entry_points=False)
    (failure,) = registry.failures
    assert failure.name == name
    assert failure.where == str(tmp_path / f"{name}.py")
    assert cause in failure.cause
    assert list(registry.spaces) == ["flat"]
    assert list(registry.tasks) == ["shades"]
    assert list(registry.datasets) == ["squares"]


def test_all_of_them_at_once(tmp_path: Path) -> None:
    folder = write(good(tmp_path), {name: source for name, (source, _) in BROKEN.items()})
    registry = build_registry([folder], entry_points=False)
    assert {failure.name for failure in registry.failures} == set(BROKEN)
    assert [plugin.name for plugin in registry.plugins] == ["a_source", "a_space", "a_task"]


PROBE = """
import json
from mtlsearch.registry import build_registry
catalog = build_registry()
print(json.dumps({
    "failures": {at.name: [at.where, at.cause] for at in catalog.failures},
    "spaces": list(catalog.spaces),
    "plugins": {at.name: at.version for at in catalog.plugins},
}))
"""


def test_of_installed_packages(tmp_path: Path) -> None:
    """Each fault as a package of its own beside one that works and the built-in ones."""
    sources = {name: source for name, (source, _) in BROKEN.items()}
    for name, source in {**sources, "works": SPACE.format(name="works")}.items():
        _install(tmp_path, name, source)
    seen = _probe(tmp_path)
    assert set(seen["failures"]) >= set(BROKEN)
    for name, (_, cause) in BROKEN.items():
        where, said = seen["failures"][name]
        assert where == f"stranger-{name}: stranger_{name}"
        assert cause in said
    assert "works" in seen["spaces"]
    assert seen["plugins"]["works"] == "1.5"
    built_in = set(build_registry().spaces)
    assert built_in
    assert built_in <= set(seen["spaces"])


def test_an_entry_point_to_nothing(tmp_path: Path) -> None:
    _install(tmp_path, "gone", "")
    (tmp_path / "stranger_gone.py").unlink()
    where, cause = _probe(tmp_path)["failures"]["gone"]
    assert where == "stranger-gone: stranger_gone"
    assert "No module named 'stranger_gone'" in cause


def _install(site: Path, name: str, source: str) -> None:
    (site / f"stranger_{name}.py").write_text(source)
    info = site / f"stranger_{name}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stranger-{name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[mtlsearch]\n{name} = stranger_{name}\n")


def _probe(site: Path) -> dict[str, dict[str, list[str]]]:
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{PROBE}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    seen: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return seen


def test_a_name_that_two_give_names_both(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, {"left": SPACE.format(name="same"), "other": SPACE.format(name="alone")})
    write(second, {"right": SPACE.format(name="same")})
    registry = build_registry([first, second], entry_points=False)
    assert list(registry.spaces) == ["alone"]
    assert {failure.name for failure in registry.failures} == {"left", "right"}
    with pytest.raises(PluginError) as caught:
        registry.space("same", where="run.yaml:3")
    message = str(caught.value)
    assert str(first / "left.py") in message
    assert str(second / "right.py") in message
    assert "run.yaml:3" in message


def test_one_name_of_two_kinds_is_no_clash(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {"a": SPACE.format(name="same"), "b": DATASET.format(name="same", generated=False)},
    )
    registry = build_registry([folder], entry_points=False)
    assert not registry.failures
    assert list(registry.spaces) == list(registry.datasets) == ["same"]


def test_an_unknown_name_suggests_and_mentions_what_failed(tmp_path: Path) -> None:
    folder = write(good(tmp_path), {"no_import": BROKEN["no_import"][0]})
    registry = build_registry([folder], entry_points=False)
    with pytest.raises(UnknownNameError) as caught:
        registry.task("shade", where="run.yaml:7")
    message = str(caught.value)
    assert "no task kind named 'shade'; did you mean 'shades'?" in message
    assert "run.yaml:7" in message
    assert "no_import: ModuleNotFoundError" in message
    with pytest.raises(UnknownNameError, match="install the package that has it"):
        build_registry([good(tmp_path / "sound")], entry_points=False).task("depth")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no such plugin folder") as caught:
        build_registry([tmp_path / "nowhere"], entry_points=False)
    assert caught.value.where == str(tmp_path / "nowhere")
