"""A run file means what it says, wherever each of its values comes from."""

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
    colour: red
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


def test_short_forms_mean_the_long_ones(run_file: Path) -> None:
    config = load_run(run_file, ["data.image_size=96"]).config
    assert config.data.image_size == (96, 96)
    assert [source.kind for source in config.data.sources] == ["some"]
    assert config.data.sources[0].settings == {"colour": "red"}
    assert config.search.space is not None
    assert config.search.space.kind == "wide"
    assert config.tasks["two"].settings == {"depth": 3}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("data", "root"), 2),
        (("data", "sources", 0, "colour"), 5),
        (("tasks", "one", "kind"), 7),
        (("tasks", "two", "depth"), 10),
        (("search", "space", "kind"), 12),
        (("tasks", "two", "label"), 8),  # not written: the line of what encloses it
    ],
)
def test_every_key_knows_its_line(run_file: Path, keys: tuple[str | int, ...], line: int) -> None:
    assert load_run(run_file).where(*keys).startswith(f"{run_file}:{line} (")


def test_a_value_that_was_set_says_so(run_file: Path) -> None:
    loaded = load_run(run_file, ["train.epochs=3", "tasks.two.depth=5"])
    assert loaded.config.train.epochs == 3
    assert loaded.config.tasks["two"].settings == {"depth": 5}
    assert loaded.where("train", "epochs") == "--set train.epochs=3 (train.epochs)"
    assert loaded.where("tasks", "two", "depth").startswith("--set tasks.two.depth=5")


@pytest.mark.parametrize(
    "override",
    ["data.sources.0.colour=blue", "data.sources[0].colour=blue", "data.sources.colour=blue"],
)
def test_one_mapping_is_the_first_of_a_list(run_file: Path, override: str) -> None:
    config = load_run(run_file, [override]).config
    assert config.data.sources[0].settings == {"colour": "blue"}


def test_a_setting_goes_below_a_bare_name(run_file: Path) -> None:
    space = load_run(run_file, ["search.space.first=2"]).config.search.space
    assert space is not None
    assert (space.kind, space.settings) == ("wide", {"first": 2})


def test_the_last_override_wins(run_file: Path) -> None:
    loaded = load_run(run_file, ["train={epochs: 3}", "train.epochs=4", "train.epochs=5"])
    assert loaded.config.train.epochs == 5
    assert loaded.where("train", "epochs").startswith("--set train.epochs=5")


def test_values_are_read_as_yaml(run_file: Path) -> None:
    config = load_run(
        run_file, ["train.clip_norm=null", "train.learning_rate=3e-4", "backbone.name=[a, b]"]
    ).config
    assert config.train.clip_norm is None
    assert config.train.learning_rate == 3e-4
    assert config.backbone.names == ("a", "b")


def test_paths_of_the_file_start_from_its_folder(
    run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run_file.write_text(
        MINIMAL.replace("  space: wide", "  space: wide\n  prior: known/affinity.json")
        + "plugins: [mine, ../ours]\nbackbone: {checkpoint_path: weights.safetensors}\n"
    )
    config = load_run(run_file).config
    assert config.data.root == tmp_path / "photos"
    assert config.plugins == (tmp_path / "mine", tmp_path.parent / "ours")
    assert config.backbone.checkpoint_path == tmp_path / "weights.safetensors"
    assert config.search.prior == tmp_path / "known" / "affinity.json"
    assert load_run(run_file, ["search.warm_start=affinity"]).config.search.prior == "affinity"


def test_paths_of_the_command_line_start_from_where_one_stands(
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


def test_without_a_data_root_it_is_the_folder_of_the_run_file(run_file: Path) -> None:
    run_file.write_text(MINIMAL.replace("  root: photos\n", ""))
    assert load_run(run_file).config.data.root == run_file.parent


def test_an_empty_variable_is_none(run_file: Path) -> None:
    assert load_run(run_file, env={DATA_ROOT: ""}).config.data.root == run_file.parent / "photos"


def test_paths_that_are_not_there_are_named_with_their_lines(run_file: Path) -> None:
    run_file.write_text(MINIMAL + "plugins: [mine]\nbackbone: {checkpoint_path: no.safetensors}\n")
    with pytest.raises(ConfigError) as caught:
        load_run(run_file).require_paths()
    message = str(caught.value)
    for line, name in ((2, "photos"), (13, "mine"), (14, "no.safetensors")):
        assert f"{run_file}:{line} (" in message
        assert str(run_file.parent / name) in message


def test_weights_to_start_from_are_asked_for_once(run_file: Path) -> None:
    both = "backbone: {pretrained: true, checkpoint_path: w.safetensors}\n"
    run_file.write_text(MINIMAL + both)
    with pytest.raises(ConfigError) as caught:
        load_run(run_file).require_one_start()
    assert caught.value.where == f"{run_file}:13 (backbone.checkpoint_path)"
    assert "backbone.pretrained: true and backbone.checkpoint_path" in caught.value.what
    for one in ("pretrained: true, ", "checkpoint_path: w.safetensors"):
        run_file.write_text(MINIMAL + both.replace(one, ""))
        load_run(run_file).require_one_start()


def test_yaml_anchors_are_fine(run_file: Path) -> None:
    run_file.write_text(MINIMAL.replace("one: {kind: any}", "one: &a {kind: any}\n  six: *a"))
    assert load_run(run_file).config.tasks["six"].kind == "any"
