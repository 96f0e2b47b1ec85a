"""Whatever is wrong with a run file is one message with line, key and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from mtlsearch.config import AugmentConfig, ConfigErrors, SourceLocations, load_run
from mtlsearch.errors import ConfigError
from mtlsearch.plugin import Settings

GOOD = """\
seed: 0
data:
  sources: {kind: some}
  image_size: 96
tasks:
  one: {kind: any}
backbone:
  granularity: stage
train:
  epochs: 3
  optimizer: adamw
search:
  space: wide
  loss_weights: equal
  keep_weights: all
"""


def failure(folder: Path, text: str, *overrides: str) -> ConfigError:
    file = folder / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_run(file, overrides)
    return caught.value


@pytest.mark.parametrize(
    ("right", "wrong", "line", "key", "says", "allows"),
    [
        ("epochs: 3", "epoch: 3", 10, "train.epoch", "did you mean 'epochs'?", "epochs"),
        ("epochs: 3", "epochs: ten", 10, "train.epochs", "a valid integer, not 'ten'", ""),
        ("epochs: 3", "epochs: 0", 10, "train.epochs", "greater than 0, not 0", ""),
        ("optimizer: adamw", "optimizer: adam", 11, "train.optimizer", "mean 'adamw'?", "sgd"),
        (
            "keep: all",
            "distillation: distill",
            15,
            "search.distillation",
            "or be a mapping or be",
            "none",
        ),
        ("size: 96", "size: big", 4, "data.image_size", "pixels or [height, width]", ""),
        ("size: 96", "size: big", 4, "data.image_size", "not 'big'", ""),
        ("size: 96", "size: true", 4, "data.image_size", "pixels or [height, width]", ""),
        ("size: 96", "size: [1]", 4, "data.image_size.1", "item 1 is missing", ""),
        ("{kind: some}", "{root: x}", 3, "data.sources.kind", "'kind' is missing", ""),
        ("{kind: some}", "[]", 3, "data.sources", "at least 1 item, not []", ""),
        ("{kind: any}", "{}", 6, "tasks.one.kind", "'kind' is missing", ""),
        ("  one:", "  One:", 6, "tasks.One", "the name 'One' should match", ""),
        ("stage", "stages", 8, "backbone.granularity", "did you mean 'stage'?", "block"),
        ("equal", "{two: 1}", 14, "search.loss_weights", "the tasks are one", ""),
        ("equal", "{one: -1}", 14, "search.loss_weights.one", "greater than 0", ""),
        ("equal", "equel", 14, "search.loss_weights", "did you mean 'equal'?", "search"),
        ("space: wide", "space: {first: 1}", 13, "search.space.kind", "is missing", ""),
        ("space: wide", "space: 3", 13, "search.space", "not 3", ""),
        ("keep: all", "balancer: []", 15, "search.balancer", "names no balancer", ""),
        ("keep: all", "balancer: [uw, uw]", 15, "search.balancer", "names 'uw' twice", ""),
        ("keep: all", "balancer: [{c: 1}]", 15, "search.balancer.0.kind", "'kind' is missing", ""),
        ("keep: all", "balance: 3", 15, "search.balancer", "not 3", ""),
        ("keep: all", "distillation: []", 15, "search.distillation", "names nothing", ""),
        ("keep: all", "distillation: [distil, distil]", 15, "search.distillation", "twice", ""),
        (
            "keep: all",
            "distillation: distill",
            15,
            "search.distillation",
            "mean 'distil'?",
            "mutual",
        ),
        ("keep: all", "distillation: {alpha: 1}", 15, "search.distillation.kind", "is missing", ""),
        (
            "keep: all",
            "distillation: {kind: baseline, alpha: [1, 0.1]}",
            15,
            "search.distillation.alpha",
            "range rises",
            "",
        ),
        ("keep: all", "attention: []", 15, "search.attention", "names nothing", ""),
        ("keep: all", "keep: 0", 15, "search.keep_weights", "greater than or equal to 1", "all"),
        ("seed: 0", "seeds: 0", 1, "seeds", "did you mean 'seed'?", "backbone"),
    ],
)
def test_one_problem(
    tmp_path: Path, right: str, wrong: str, line: int, key: str, says: str, allows: str
) -> None:
    assert GOOD.count(right) == 1
    error = failure(tmp_path, GOOD.replace(right, wrong))
    assert error.where == f"{tmp_path / 'run.yaml'}:{line} ({key})"
    assert says in error.what
    assert "\n" not in error.what
    assert not allows or allows in error.allowed


@pytest.mark.parametrize(
    "crop", ["[2, 3]", "[0.6, 1.1]", "[1.0, 0.6]", "[0, 1]", "[-1, 1]", "[.nan, 1]"]
)
def test_a_crop_is_a_range_of_fractions(tmp_path: Path, crop: str) -> None:
    error = failure(tmp_path, GOOD, f"data.augment.crop={crop}")
    assert error.where == f"--set data.augment.crop={crop} (data.augment.crop)"
    assert "0 < low <= high <= 1" in error.what
    assert "\n" not in error.what


@pytest.mark.parametrize("nothing", [" {}", "", " null"])
def test_without_tasks_it_says_how_to_name_one(tmp_path: Path, nothing: str) -> None:
    error = failure(tmp_path, GOOD.replace("\n  one: {kind: any}", nothing))
    assert error.where == f"{tmp_path / 'run.yaml'}:5 (tasks)"
    assert error.what.startswith("no task is named; `tasks: {NAME: {kind: KIND}}`")
    assert "`mtlsearch tasks`" in error.what


def test_where_tasks_are_missing_it_says_what_they_look_like(tmp_path: Path) -> None:
    error = failure(tmp_path, GOOD.replace("tasks:\n  one: {kind: any}\n", ""))
    assert error.what.startswith("key 'tasks' is missing (")
    assert "NAME: {kind: KIND}" in error.what


@pytest.mark.parametrize("crop", [(0.6, 1.0), (0.5, 0.5), (1, 1), None])
def test_any_fractions_that_do_not_fall_are_a_crop(crop: tuple[float, float] | None) -> None:
    assert AugmentConfig(crop=crop).crop == crop


def test_all_problems_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("epochs: 3", "epochs: x").replace("seed: 0", "sead: 0")
    error = failure(tmp_path, text.replace("  keep: all\n", "  keep: none\n"), "data.sise=3")
    lines = [line for line in error.what.splitlines() if "run.yaml:" in line or "--set" in line]
    assert error.what.startswith("4 things are wrong")
    places = [line.split(":")[1].split()[0] for line in lines if "--set" not in line]
    assert places == ["1", "10", "15"]
    assert "--set data.sise=3 (data.sise): unknown key 'sise'; did you mean 'size'?" in error.what


@pytest.mark.parametrize("text", ["trian.epochs=3", "train.epoch=3"])
def test_an_unknown_key_names_the_set_that_gave_it(tmp_path: Path, text: str) -> None:
    error = failure(tmp_path, GOOD, text)
    assert str(error.where).startswith(f"--set {text} (")
    assert "did you mean" in error.what


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epochs", "not KEY=VALUE"),
        ("=3", "not KEY=VALUE"),
        ("train..epochs=3", "not KEY=VALUE"),
        ("seed.deeper=3", "nothing below 0"),
        ("train.epochs=[", "no YAML"),
        ("data.image_size.7=3", "no index"),
    ],
)
def test_a_set_that_makes_no_sense(tmp_path: Path, override: str, says: str) -> None:
    error = failure(tmp_path, GOOD.replace("size: 96", "size: [96, 96]"), override)
    assert says in error.what
    assert str(error.where).startswith("--set")


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("", "empty", ""),
        ("# nothing\n", "empty", ""),
        ("- a\n- b\n", "mapping", ""),
        ("seed: 1\nseed: 2\n", "'seed' is given twice", ":2"),
        ("data:\n  size: 1\n  size: 2\n", "'size' is given twice", ":3"),
        ("a: [1\nb: 2\n", "no YAML", ":2"),
        ("a: b: c\n", "no YAML", ":1"),
        ("a: &x {b: *x}\n", "contains itself", ":1"),
        ("a: !!python/object:os.system {}\n", "no YAML", ":1"),
        ("a: 1\n--- \nb: 2\n", "no YAML", ""),
    ],
)
def test_what_is_no_run_file(tmp_path: Path, text: str, says: str, line: str) -> None:
    error = failure(tmp_path, text)
    assert says in error.what
    assert str(error.where).startswith(f"{tmp_path / 'run.yaml'}{line}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such run file"):
        load_run(tmp_path / "run.yaml")


def test_a_folder_is_no_run_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match="folder") as caught:
        load_run(tmp_path)
    assert "run.yaml" in str(caught.value.next_step)


def test_bytes_are_no_run_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_run(tmp_path / "run.yaml")


class Inner(Settings):
    gamma: float = Field(2.0, gt=0, description="exponent")


class Outer(Settings):
    focal: Inner = Inner()
    steps: list[int] = Field(default_factory=list, description="when")
    names: dict[str, Inner] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("values", "key", "says"),
    [
        ({"focal": {"gama": 1}}, "tasks.one.focal.gama", "did you mean 'gamma'?"),
        ({"focal": {"gamma": 0}}, "tasks.one.focal.gamma", "(exponent)"),
        ({"steps": [1, "x"]}, "tasks.one.steps.1", "item 1 should be a valid integer"),
        ({"names": {"a": {"gamm": 1}}}, "tasks.one.names.a.gamm", "did you mean 'gamma'?"),
    ],
)
def test_settings_of_plugins_get_the_same_care(
    values: dict[str, object], key: str, says: str
) -> None:
    tree = {"tasks": {"one": {"kind": "any", **values}}}
    problems = ConfigErrors(SourceLocations(tree=tree))
    assert problems.validate(Outer, values, ("tasks", "one")) is None
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert caught.value.where == key
    assert says in caught.value.what


def test_no_problem_is_no_error() -> None:
    problems = ConfigErrors(SourceLocations())
    assert problems.validate(Outer, {"steps": [1]}) == Outer(steps=[1])
    problems.raise_if_any()
