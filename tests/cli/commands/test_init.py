"""The run file that ``init`` writes works as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.config import load_run
from mtlsearch.registry import build_registry
from tests.cli.inside import call
from tests.cli.program import run
from tests.registry.plugins import good


def test_it_is_valid_and_all_its_names_exist(tmp_path: Path) -> None:
    done = run("init", tmp_path / "first")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "first" / "run.yaml"
    assert done.stdout == f"{file}\n"
    loaded = load_run(file)
    loaded.require_paths()
    registry = build_registry()
    resolved = registry.resolve(loaded)
    (source,) = resolved.open_sources()
    tasks = resolved.build_tasks(source.labels)
    assert len(tasks) >= 2
    assert registry.spaces[loaded.config.search.space.kind].starter
    assert [path.name for path in file.parent.iterdir()] == ["run.yaml"]


def test_its_data_are_sound(tmp_path: Path) -> None:
    assert call("init", tmp_path).code == 0
    done = call("check", tmp_path / "run.yaml", "--set", "data.max_images=12")
    assert done.code == 0, done.err


def test_it_replaces_nothing_unless_told_to(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("mine")
    done = run("init", tmp_path)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert file.read_text() == "mine"
    assert run("init", tmp_path, "--force").returncode == 0
    assert file.read_text() != "mine"


def test_without_a_generated_source_it_says_so(tmp_path: Path) -> None:
    from mtlsearch.cli.commands._init import first_run
    from mtlsearch.errors import PluginError

    with pytest.raises(PluginError, match="generates its images"):
        first_run(build_registry([], entry_points=False))


def test_without_a_kind_for_its_labels_it_says_so(tmp_path: Path) -> None:
    from mtlsearch.cli.commands._init import first_run
    from mtlsearch.errors import PluginError

    folder = good(tmp_path)
    (folder / "a_task.py").unlink()
    with pytest.raises(PluginError, match="labels of 'squares'"):
        first_run(build_registry([folder], entry_points=False))


def test_it_takes_whatever_plugins_there_are(tmp_path: Path) -> None:
    from mtlsearch.cli.commands._init import first_run

    text = first_run(build_registry([good(tmp_path)], entry_points=False))
    for name in ("kind: squares", "kind: shades", "kind: flat"):
        assert name in text
    assert "edges" not in text  # no task kind learns masks here
