"""Tests of run file errors: one message with line, key and allowed values."""

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
    ("right", "wrong", "line", "key", "message", "allowed"),
    [
        ("epochs: 3", "epoch: 3", 10, "train.epoch", "did you mean 'epochs'?", "epochs"),
        (
            "epochs: 3",
            "epochs: ten",
            10,
            "train.epochs",
            "`train.epochs` must be an integer, got 'ten'",
            "",
        ),
        ("epochs: 3", "epochs: true", 10, "train.epochs", "must be an integer, got true", ""),
        ("epochs: 3", "warmup: false", 10, "train.warmup", "must be a number, got false", ""),
        ("epochs: 3", "compile: 1", 10, "train.compile", "must be true or false, got 1", ""),
        ("epochs: 3", "compile: yes", 10, "train.compile", "must be true or false, got 'yes'", ""),
        ("equal", "{one: true}", 14, "search.loss_weights.one", "a number, got true", ""),
        ("stage", "true", 8, "backbone.granularity", "an integer, got true", "block"),
        ("seed: 0", "seed: true", 1, "seed", "must be an integer, got true", ""),
        ("epochs: 3", "epochs: 0", 10, "train.epochs", "greater than 0, got 0", ""),
        ("optimizer: adamw", "optimizer: adam", 11, "train.optimizer", "mean 'adamw'?", "sgd"),
        (
            "keep_weights: all",
            "distillation: distill",
            15,
            "search.distillation",
            "or be a mapping or be",
            "none",
        ),
        ("size: 96", "size: big", 4, "data.image_size", "pixels or [height, width]", ""),
        ("size: 96", "size: big", 4, "data.image_size", "got 'big'", ""),
        ("size: 96", "size: true", 4, "data.image_size", "pixels or [height, width]", ""),
        ("size: 96", "size: 60000", 4, "data.image_size", "43.2 GB", ""),
        ("size: 96", "size: [8, 99999999]", 4, "data.image_size", "set a smaller size", ""),
        ("size: 96", "size: [1]", 4, "data.image_size.1", "item 1 is missing", ""),
        ("{kind: some}", "{root: x}", 3, "data.sources.kind", "'kind' is missing", ""),
        ("{kind: some}", "some", 3, "data.sources", "set `sources: {kind: some}`", ""),
        ("{kind: some}", "[]", 3, "data.sources", "at least 1 item, got []", ""),
        ("{kind: any}", "{}", 6, "tasks.one.kind", "'kind' is missing", ""),
        ("  one:", "  One:", 6, "tasks.One", "the name 'One' must start with a letter", ""),
        ("stage", "stages", 8, "backbone.granularity", "did you mean 'stage'?", "block"),
        ("equal", "{two: 1}", 14, "search.loss_weights", "one number per task (one), got two", ""),
        ("equal", "{one: -1}", 14, "search.loss_weights.one", "greater than 0", ""),
        ("equal", "equel", 14, "search.loss_weights", "did you mean 'equal'?", "search"),
        ("space: wide", "space: {first: 1}", 13, "search.space.kind", "is missing", ""),
        ("space: wide", "space: 3", 13, "search.space", "got 3", ""),
        (
            "keep_weights: all",
            "balancer: []",
            15,
            "search.balancer",
            "`balancer` is an empty list",
            "",
        ),
        (
            "keep_weights: all",
            "balancer: [uw, uw]",
            15,
            "search.balancer",
            "contains 'uw' twice",
            "",
        ),
        (
            "keep_weights: all",
            "balancer: [{c: 1}]",
            15,
            "search.balancer.0.kind",
            "'kind' is missing",
            "",
        ),
        ("keep_weights: all", "balancer: 3", 15, "search.balancer", "got 3", ""),
        ("keep_weights: all", "distillation: []", 15, "search.distillation", "empty list", ""),
        (
            "keep_weights: all",
            "distillation: [baseline, baseline]",
            15,
            "search.distillation",
            "twice",
            "",
        ),
        (
            "keep_weights: all",
            "distillation: distill",
            15,
            "search.distillation",
            "'none', 'baseline' or 'mutual'",
            "mutual",
        ),
        (
            "keep_weights: all",
            "distillation: {alpha: 1}",
            15,
            "search.distillation.kind",
            "is missing",
            "",
        ),
        (
            "keep_weights: all",
            "distillation: {kind: baseline, alpha: [1, 0.1]}",
            15,
            "search.distillation.alpha",
            "an ascending range",
            "",
        ),
        ("keep_weights: all", "attention: []", 15, "search.attention", "empty list", ""),
        (
            "keep_weights: all",
            "keep_weights: 0",
            15,
            "search.keep_weights",
            "greater than or equal to 1",
            "all",
        ),
        ("seed: 0", "seeds: 0", 1, "seeds", "mean 'seed'?", "backbone"),
    ],
)
def test_load_run_one_problem_names_line_and_key(
    tmp_path: Path, right: str, wrong: str, line: int, key: str, message: str, allowed: str
) -> None:
    assert GOOD.count(right) == 1
    error = failure(tmp_path, GOOD.replace(right, wrong))
    assert error.where == f"{tmp_path / 'run.yaml'}:{line} ({key})"
    assert message in error.what
    assert "\n" not in error.what
    assert not allowed or allowed in error.allowed


@pytest.mark.parametrize(
    "crop", ["[2, 3]", "[0.6, 1.1]", "[1.0, 0.6]", "[0, 1]", "[-1, 1]", "[.nan, 1]"]
)
def test_crop_outside_fractions_raises(tmp_path: Path, crop: str) -> None:
    error = failure(tmp_path, GOOD, f"data.augment.crop={crop}")
    assert error.where == f"--set data.augment.crop={crop} (data.augment.crop)"
    assert "0 < low <= high <= 1" in error.what
    assert "\n" not in error.what


@pytest.mark.parametrize("nothing", [" {}", "", " null"])
def test_empty_tasks_error_shows_an_example(tmp_path: Path, nothing: str) -> None:
    error = failure(tmp_path, GOOD.replace("\n  one: {kind: any}", nothing))
    assert error.where == f"{tmp_path / 'run.yaml'}:5 (tasks)"
    assert error.what.startswith("`tasks` is empty; set `tasks: {NAME: {kind: KIND}}`")
    assert "`mtlsearch list tasks`" in error.what


def test_missing_tasks_error_shows_an_example(tmp_path: Path) -> None:
    error = failure(tmp_path, GOOD.replace("tasks:\n  one: {kind: any}\n", ""))
    assert error.what.startswith("key 'tasks' is missing (")
    assert "NAME: {kind: KIND}" in error.what


@pytest.mark.parametrize("crop", [(0.6, 1.0), (0.5, 0.5), (1, 1), None])
def test_crop_with_rising_fractions_is_valid(crop: tuple[float, float] | None) -> None:
    assert AugmentConfig(crop=crop).crop == crop


def test_load_run_lists_problems_in_file_order(tmp_path: Path) -> None:
    text = GOOD.replace("epochs: 3", "epochs: x").replace("seed: 0", "sead: 0")
    error = failure(
        tmp_path, text.replace("keep_weights: all", "keep_weights: none"), "data.chache=3"
    )
    lines = [line for line in error.what.splitlines() if "run.yaml:" in line or "--set" in line]
    assert error.what.startswith("4 problems")
    places = [line.split(":")[1].split()[0] for line in lines if "--set" not in line]
    assert places == ["1", "10", "15"]
    assert "--set data.chache=3 (data.chache): unknown key 'chache'" in error.what
    assert "did you mean 'cache'?" in error.what


@pytest.mark.parametrize("text", ["trian.epochs=3", "train.epoch=3"])
def test_unknown_key_in_set_names_the_option(tmp_path: Path, text: str) -> None:
    error = failure(tmp_path, GOOD, text)
    assert str(error.where).startswith(f"--set {text} (")
    assert "did you mean" in error.what


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "not KEY=VALUE"),
        ("=3", "not KEY=VALUE"),
        ("train..epochs=3", "not KEY=VALUE"),
        ("seed.deeper=3", "'deeper' cannot be set below 0"),
        ("train.epochs=[", "YAML is not valid"),
        ("data.image_size.7=3", "not an index"),
    ],
)
def test_invalid_set_raises(tmp_path: Path, override: str, message: str) -> None:
    error = failure(tmp_path, GOOD.replace("size: 96", "size: [96, 96]"), override)
    assert message in error.what
    assert str(error.where).startswith("--set")


ANCHORS = "a0: &a0 [0, 0]\n" + "".join(
    f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 9)}]\n" for depth in range(1, 12)
)
"""Anchors that contain others, with 9^11 values."""


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "empty", ""),
        ("# nothing\n", "empty", ""),
        ("- a\n- b\n", "mapping", ""),
        ("seed: 1\nseed: 2\n", "'seed' occurs twice", ":2"),
        ("data:\n  size: 1\n  size: 2\n", "'size' occurs twice", ":3"),
        ("a: [1\nb: 2\n", "YAML is not valid", ":2"),
        ("a: b: c\n", "YAML is not valid", ":1"),
        ("a: &x {b: *x}\n", "contains itself", ":1"),
        ("a: !!python/object:os.system {}\n", "YAML is not valid", ":1"),
        ("a: 1\n--- \nb: 2\n", "YAML is not valid", ""),
        ("a: !!float text\n", "a value does not fit its type or tag", ""),
        ("a: !!int x\n", "a value does not fit its type or tag", ""),
        ("[" * 5000, "nested too deeply", ""),
        (ANCHORS, "more than 100000 values, counted with those of its anchors", ""),
    ],
)
def test_invalid_yaml_raises_with_line(tmp_path: Path, text: str, message: str, line: str) -> None:
    error = failure(tmp_path, text)
    assert message in error.what
    assert str(error.where).startswith(f"{tmp_path / 'run.yaml'}{line}")


def test_missing_run_file_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run file does not exist"):
        load_run(tmp_path / "run.yaml")


def test_folder_as_run_file_names_the_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match="folder") as caught:
        load_run(tmp_path)
    assert "run.yaml" in str(caught.value.next_step)


def test_binary_run_file_raises(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_run(tmp_path / "run.yaml")


class Inner(Settings):
    gamma: float = Field(2.0, gt=0, description="exponent")


class Outer(Settings):
    focal: Inner = Inner()
    steps: list[int] = Field(default_factory=list, description="when")
    names: dict[str, Inner] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({"focal": {"gama": 1}}, "tasks.one.focal.gama", "did you mean 'gamma'?"),
        ({"focal": {"gamma": 0}}, "tasks.one.focal.gamma", "(exponent)"),
        (
            {"steps": [1, "x"]},
            "tasks.one.steps.1",
            "item 1 of `tasks.one.steps` must be an integer",
        ),
        ({"names": {"a": {"gamm": 1}}}, "tasks.one.names.a.gamm", "did you mean 'gamma'?"),
    ],
)
def test_plugin_settings_errors_name_key_and_allowed(
    values: dict[str, object], key: str, message: str
) -> None:
    tree = {"tasks": {"one": {"kind": "any", **values}}}
    problems = ConfigErrors(SourceLocations(tree=tree))
    assert problems.validate(Outer, values, ("tasks", "one")) is None
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert caught.value.where == key
    assert message in caught.value.what


def test_config_errors_without_problem_does_not_raise() -> None:
    problems = ConfigErrors(SourceLocations())
    assert problems.validate(Outer, {"steps": [1]}) == Outer(steps=[1])
    problems.raise_if_any()


@pytest.mark.parametrize(
    ("override", "what", "allowed"),
    [
        ("train.epochs=2.5", "`train.epochs` must be an integer, got 2.5", ()),
        ("train.epochs=null", "`train.epochs` must be an integer, got null", ()),
        ("backbone.pretrained=maybe", "`backbone.pretrained` must be true or false, got", ()),
        ("train=true", "`train` must be a mapping, got true", ()),
        ("data.image_size=[1, 2, 3]", "must have at most 2 items, got [1, 2, 3]", ()),
        (
            "backbone.granularity=blocks",
            "`backbone.granularity` must be",
            ("stage", "block", "an integer"),
        ),
    ],
)
def test_wrong_value_names_its_full_key_in_plain_words(
    tmp_path: Path, override: str, what: str, allowed: tuple[str, ...]
) -> None:
    error = failure(tmp_path, GOOD, override)
    assert what in error.what
    assert error.allowed == allowed
    assert "valid " not in error.what


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("train.lr=1", "did you mean 'learning_rate'?"),
        ("train.amp=true", "did you mean 'precision'?"),
        ("search.budget=3", "did you mean 'limits' at the top level?"),
        ("search.finals=3", ""),
    ],
)
def test_unknown_key_suggests_only_its_meaning(
    tmp_path: Path, override: str, suggestion: str
) -> None:
    error = failure(tmp_path, GOOD, override)
    assert error.what.partition("; ")[2] == suggestion


RENAMED = [
    ("budget={params: 12M}", "budget", "limits"),
    ("budget.params=12M", "budget", "limits"),
    ("data.limit=3", "data.limit", "data.max_images"),
    ("data.size=64", "data.size", "data.image_size"),
    ("data.workers=2", "data.workers", "data.num_workers"),
    ("train.accumulate=2", "train.accumulate", "train.accumulation_steps"),
    ("search.balance=uw", "search.balance", "search.balancer"),
    ("search.halving.rungs=[1]", "search.halving", "search.early_stopping"),
    (
        "search.early_stopping.reduction=2",
        "search.early_stopping.reduction",
        "search.early_stopping.reduction_factor",
    ),
    ("search.keep=2", "search.keep", "search.keep_weights"),
    ("search.knowledge=distil", "search.knowledge", "search.distillation"),
    ("search.prior=affinity", "search.prior", "search.warm_start"),
]


@pytest.mark.parametrize(("override", "old", "new"), RENAMED)
def test_renamed_key_in_set_names_the_new_key(
    tmp_path: Path, override: str, old: str, new: str
) -> None:
    error = failure(tmp_path, GOOD, override)
    assert error.what == f"`{old}` was renamed to `{new}`"
    assert str(error.where).startswith(f"--set {override} (")


def test_renamed_keys_in_the_file_have_lines(tmp_path: Path) -> None:
    text = GOOD.replace("keep_weights", "keep").replace("image_size: 96", "size: 96")
    error = failure(tmp_path, text)
    file = tmp_path / "run.yaml"
    assert f"{file}:4 (data.size): `data.size` was renamed to `data.image_size`" in error.what
    assert f"{file}:15 (search.keep): `search.keep` was renamed to" in error.what


@pytest.mark.parametrize("value", ["distil", "{kind: distil}", "[none, {kind: distil}]"])
def test_renamed_value_names_the_new_value(tmp_path: Path, value: str) -> None:
    error = failure(tmp_path, GOOD, f"search.distillation={value}")
    assert "'distil' was renamed to 'baseline'" in error.what


def test_renamed_plugin_setting_names_the_new_key() -> None:
    class Images(Settings):
        image_size: int = 64

    problems = ConfigErrors(SourceLocations(tree={"data": {"sources": [{"size": 32}]}}))
    assert problems.validate(Images, {"size": 32}, ("data", "sources", 0)) is None
    what = problems.error().what
    assert what == "`data.sources.0.size` was renamed to `data.sources.0.image_size`"


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("epochs=3", "'train.epochs'"),
        ("data.batch_size=3", "'train.batch_size'"),
        ("train.seed=3", "'seed'"),
        ("rungs=[1]", "'search.early_stopping.rungs'"),
        ("accumulate=2", "'train.accumulation_steps'"),
        ("crop=null", "'data.augment.crop'"),
    ],
)
def test_misplaced_key_suggests_its_path(tmp_path: Path, override: str, suggestion: str) -> None:
    error = failure(tmp_path, GOOD, override)
    assert f"did you mean {suggestion}" in error.what
    assert str(error.where).startswith(f"--set {override} (")


def test_unknown_setting_lists_the_keys_of_the_run_file_too() -> None:
    tree = {"tasks": {"scene": {"type": "any"}}}
    problems = ConfigErrors(SourceLocations(tree=tree))
    assert problems.validate(Inner, {"type": "any"}, ("tasks", "scene")) is None
    error = problems.error()
    assert error.what == "unknown key 'type'; did you mean 'kind'?"
    assert error.allowed[:2] == ("kind", "label")
    assert set(Inner.model_fields) < set(error.allowed)
