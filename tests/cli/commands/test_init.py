"""``init``: a run file that works without changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mtlsearch.config import load_run
from mtlsearch.registry import build_registry
from tests.cli.program import call
from tests.registry.plugins import good


def test_run_file_is_valid_and_its_names_exist(tmp_path: Path) -> None:
    result = call("init", tmp_path / "first")
    assert result.returncode == 0, result.stderr
    file = tmp_path / "first" / "run.yaml"
    assert result.stdout == f"{file}\n"
    assert result.stderr.index(f"written: {file}") < result.stderr.index("next: ")
    loaded = load_run(file)
    loaded.require_paths()
    registry = build_registry()
    resolved = registry.resolve(loaded)
    (source,) = resolved.open_sources()
    tasks = resolved.build_tasks(source.labels)
    assert len(tasks) >= 2
    assert registry.spaces[loaded.config.search.space.kind].starter
    assert [path.name for path in file.parent.iterdir()] == ["run.yaml"]


def test_data_of_the_run_file_has_no_problems(tmp_path: Path) -> None:
    assert call("init", tmp_path).returncode == 0
    result = call("check", tmp_path / "run.yaml", "--set", "data.max_images=12")
    assert result.returncode == 0, result.stderr


def test_run_file_shows_an_entry_of_each_source_that_reads_files(tmp_path: Path) -> None:
    assert call("init", tmp_path).returncode == 0
    comments = (tmp_path / "run.yaml").read_text().partition("\nseed:")[0].splitlines()
    entries = [line.removeprefix("#   - ") for line in comments if line.startswith("#   - ")]
    shown = {entry["kind"]: entry for entry in map(YAML(typ="safe").load, entries)}
    registry = build_registry()
    assert set(shown) == {name for name, cls in registry.datasets.items() if not cls.generated}
    for kind, entry in shown.items():
        settings = {key: value for key, value in entry.items() if key not in ("kind", "root")}
        registry.datasets[kind].Settings.model_validate(settings)


def test_existing_run_file_needs_force(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("mine")
    result = call("init", tmp_path)
    assert result.returncode == 2
    assert "--force" in result.stderr
    assert file.read_text() == "mine"
    assert call("init", tmp_path, "--force").returncode == 0
    assert file.read_text() != "mine"


def test_name_of_a_yaml_file_is_that_file(tmp_path: Path) -> None:
    file = tmp_path / "horses.yaml"
    result = call("init", file)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{file}\n"
    assert "--out" not in result.stderr
    assert "writes to results/horses" in file.read_text()
    load_run(file).require_paths()
    assert call("init", file).returncode == 2


def test_existing_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    result = call("init", file, "--force")
    assert result.returncode == 2
    assert "a file name that ends in .yaml" in result.stderr
    assert file.read_text() == "mine"


def test_without_generated_source_it_fails(tmp_path: Path) -> None:
    from mtlsearch.cli.commands._init import first_run
    from mtlsearch.errors import PluginError

    with pytest.raises(PluginError, match="generates its images"):
        first_run(build_registry([], entry_points=False))


def test_without_task_kind_for_the_labels_it_fails(tmp_path: Path) -> None:
    from mtlsearch.cli.commands._init import first_run
    from mtlsearch.errors import PluginError

    folder = good(tmp_path)
    (folder / "a_task.py").unlink()
    with pytest.raises(PluginError, match="labels of 'squares'"):
        first_run(build_registry([folder], entry_points=False))


def test_run_file_uses_the_available_plugins(tmp_path: Path) -> None:
    from mtlsearch.cli.commands._init import first_run

    text = first_run(build_registry([good(tmp_path)], entry_points=False))
    for name in ("kind: squares", "kind: shades", "kind: flat"):
        assert name in text
    assert "edges" not in text  # no task kind learns masks here
