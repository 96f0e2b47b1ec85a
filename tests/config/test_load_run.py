"""Tests of loading a run file with overrides and environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.config import DATA_ROOT, load_run
from mtlsearch.errors import ConfigError

MINIMAL = """\
data:
  root: photos
  sources:
    kind: some
    tint: red
tasks:
  one: {kind: any}
  two:
    kind: any
    depth: 3
search:
  space: wide
"""


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    file.write_text(MINIMAL)
    return file


def test_load_run_expands_short_forms(run_file: Path) -> None:
    config = load_run(run_file, ["data.image_size=96"]).config
    assert config.data.image_size == (96, 96)
    assert [source.kind for source in config.data.sources] == ["some"]
    assert config.data.sources[0].settings == {"tint": "red"}
    assert config.search.space is not None
    assert config.search.space.kind == "wide"
    assert config.tasks["two"].settings == {"depth": 3}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("data", "root"), 2),
        (("data", "sources", 0, "tint"), 5),
        (("tasks", "one", "kind"), 7),
        (("tasks", "two", "depth"), 10),
        (("search", "space", "kind"), 12),
        (("tasks", "two", "label"), 8),  # not in the file: the line of its section
    ],
)
def test_where_returns_the_line_of_a_key(
    run_file: Path, keys: tuple[str | int, ...], line: int
) -> None:
    assert load_run(run_file).where(*keys).startswith(f"{run_file}:{line} (")


def test_where_names_the_override_of_a_key(run_file: Path) -> None:
    loaded = load_run(run_file, ["train.epochs=3", "tasks.two.depth=5"])
    assert loaded.config.train.epochs == 3
    assert loaded.config.tasks["two"].settings == {"depth": 5}
    assert loaded.where("train", "epochs") == "--set train.epochs=3 (train.epochs)"
    assert loaded.where("tasks", "two", "depth").startswith("--set tasks.two.depth=5")


@pytest.mark.parametrize(
    "override",
    ["data.sources.0.tint=blue", "data.sources[0].tint=blue", "data.sources.tint=blue"],
)
def test_override_index_0_addresses_a_single_mapping(run_file: Path, override: str) -> None:
    config = load_run(run_file, [override]).config
    assert config.data.sources[0].settings == {"tint": "blue"}


def test_override_below_a_name_adds_a_setting(run_file: Path) -> None:
    space = load_run(run_file, ["search.space.first=2"]).config.search.space
    assert space is not None
    assert (space.kind, space.settings) == ("wide", {"first": 2})


def test_last_override_wins(run_file: Path) -> None:
    loaded = load_run(run_file, ["train={epochs: 3}", "train.epochs=4", "train.epochs=5"])
    assert loaded.config.train.epochs == 5
    assert loaded.where("train", "epochs").startswith("--set train.epochs=5")


def test_override_values_are_yaml(run_file: Path) -> None:
    config = load_run(
        run_file, ["train.clip_norm=null", "train.learning_rate=3e-4", "backbone.name=[a, b]"]
    ).config
    assert config.train.clip_norm is None
    assert config.train.learning_rate == 3e-4
    assert config.backbone.names == ("a", "b")


def test_file_paths_are_relative_to_its_folder(
    run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run_file.write_text(
        MINIMAL.replace("  space: wide", "  space: wide\n  warm_start: measured/affinity.json")
        + "plugins: [mine, ../ours]\nbackbone: {checkpoint_path: weights.safetensors}\n"
    )
    config = load_run(run_file).config
    assert config.data.root == tmp_path / "photos"
    assert config.plugins == (tmp_path / "mine", tmp_path.parent / "ours")
    assert config.backbone.checkpoint_path == tmp_path / "weights.safetensors"
    assert config.search.warm_start == tmp_path / "measured" / "affinity.json"
    assert load_run(run_file, ["search.warm_start=affinity"]).config.search.warm_start == "affinity"


def test_weights_are_searched_below_the_data_root_last(run_file: Path, tmp_path: Path) -> None:
    run_file.write_text(MINIMAL + "backbone: {checkpoint_path: weights.safetensors}\n")
    root = tmp_path / "elsewhere"
    root.mkdir()
    override = f"data.root={root}"
    beside = tmp_path / "weights.safetensors"
    assert load_run(run_file, [override]).config.backbone.checkpoint_path == beside
    (root / "weights.safetensors").touch()
    below = load_run(run_file, [override]).config.backbone.checkpoint_path
    assert below == root / "weights.safetensors"
    beside.touch()
    assert load_run(run_file, [override]).config.backbone.checkpoint_path == beside


def test_override_paths_are_relative_to_the_working_dir(
    run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    env = {DATA_ROOT: "from-env"}
    assert load_run(run_file, env=env).config.data.root == elsewhere / "from-env"
    loaded = load_run(run_file, ["data.root=given"], env=env, plugins=[Path("more")])
    assert loaded.config.data.root == elsewhere / "given"
    assert loaded.config.plugins == (elsewhere / "more",)
    assert loaded.where("plugins", 0) == "--plugins more (plugins.0)"


def test_data_root_defaults_to_the_run_file_folder(run_file: Path) -> None:
    run_file.write_text(MINIMAL.replace("  root: photos\n", ""))
    assert load_run(run_file).config.data.root == run_file.parent


def test_empty_environment_variable_is_ignored(run_file: Path) -> None:
    assert load_run(run_file, env={DATA_ROOT: ""}).config.data.root == run_file.parent / "photos"


def test_require_paths_lists_missing_paths_with_lines(run_file: Path) -> None:
    run_file.write_text(MINIMAL + "plugins: [mine]\nbackbone: {checkpoint_path: no.safetensors}\n")
    with pytest.raises(ConfigError) as caught:
        load_run(run_file).require_paths()
    message = str(caught.value)
    for line, name in ((2, "photos"), (13, "mine"), (14, "no.safetensors")):
        assert f"{run_file}:{line} (" in message
        assert str(run_file.parent / name) in message


def test_require_one_start_with_both_sources_raises(run_file: Path) -> None:
    both = "backbone: {pretrained: true, checkpoint_path: w.safetensors}\n"
    run_file.write_text(MINIMAL + both)
    with pytest.raises(ConfigError) as caught:
        load_run(run_file).require_one_start()
    assert caught.value.where == f"{run_file}:13 (backbone.checkpoint_path)"
    assert "`backbone.pretrained: true` and `backbone.checkpoint_path`" in caught.value.what
    for entry in ("pretrained: true, ", "checkpoint_path: w.safetensors"):
        run_file.write_text(MINIMAL + both.replace(entry, ""))
        load_run(run_file).require_one_start()


def test_yaml_anchors_are_supported(run_file: Path) -> None:
    run_file.write_text(MINIMAL.replace("one: {kind: any}", "one: &a {kind: any}\n  six: *a"))
    assert load_run(run_file).config.tasks["six"].kind == "any"


def test_checkpoints_are_one_file_per_task(tmp_path: Path) -> None:
    run_file = tmp_path / "run.yaml"
    run_file.write_text(MINIMAL)
    tasks = list(load_run(run_file).config.tasks)
    files = ", ".join(f"{task}: {task}.safetensors" for task in tasks)
    run_file.write_text(MINIMAL + f"backbone: {{checkpoints: {{{files}}}}}\n")
    loaded = load_run(run_file)
    expected = {task: tmp_path / f"{task}.safetensors" for task in tasks}
    assert loaded.config.backbone.checkpoints == expected
    with pytest.raises(ConfigError) as caught:
        loaded.require_paths()
    assert f"backbone.checkpoints.{tasks[0]}" in str(caught.value)
    run_file.write_text(MINIMAL + "backbone: {checkpoints: {other: w.safetensors}}\n")
    with pytest.raises(ConfigError, match="one file per task") as caught:
        load_run(run_file)
    assert "backbone.checkpoints" in str(caught.value.where)
