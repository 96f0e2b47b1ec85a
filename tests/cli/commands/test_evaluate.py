"""``mtlsearch evaluate``: tables, files, what it refuses, and who reads a test split."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mtlsearch_plugins.scenes import Scenes
from PIL import Image

from mtlsearch.labels import Sample
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("small_search")

PLUGIN = '''
import math

from mtlsearch.plugin import Metric, hookimpl
from mtlsearch_plugins.classification import Classification


class OddMeter:
    """Meter without results per class, of a metric that no scorer has."""

    def __init__(self):
        self.count = 0

    def update(self, outputs, targets):
        self.count += len(targets)

    def compute(self):
        return {"odd": 0.5 if self.count else math.nan}


class Odd(Classification):
    kind = "odd"

    @property
    def metrics(self):
        return (Metric("odd", True, primary=True),)

    def meter(self):
        return OddMeter()


@hookimpl
def mtlsearch_tasks():
    return [Odd]
'''


@pytest.fixture(scope="module")
def bundle(small_search: SmallSearch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluate") / "bundle"
    result = call("export", small_search.run, "--trial", "1", "--out", out)
    assert result.returncode == 0, result.stderr
    return out


def test_evaluate_prints_metrics_with_intervals(small_search: SmallSearch) -> None:
    result = call("evaluate", small_search.run, "--trial", "1", "--resamples", "50")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"trial 1 of {small_search.run}")
    assert lines[1] == "test: 3 images"
    (scene,) = (line for line in lines if line.startswith("scene.accuracy"))
    assert scene.count("[") == 2
    for title in ("network, 32 x 32 px", "size of the image", "val after training", "worst images"):
        assert title in result.stdout
    assert "95 % confidence interval, 50 resamples of the images, seed 0" in result.stdout


def test_evaluate_writes_files_and_replaces_its_own(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    command = ("evaluate", small_search.run, "--resamples", "20", "--out", tmp_path / "out")
    assert call(*command).returncode == 0
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text("utf-8"))
    assert document["format"] == "mtlsearch-evaluation"
    assert document["split"] == "test"
    assert document["images"] == 3
    metrics = pd.read_csv(tmp_path / "out" / "metrics.csv")
    row = metrics.query("task == 'shapes' and metric == 'mIoU' and size == 'image'").iloc[0]
    stored = document["tasks"]["shapes"]["sizes"]["image"]["metrics"]["mIoU"]
    assert row["value"] == pytest.approx(stored["value"])
    assert stored["low"] <= stored["high"]
    classes = pd.read_csv(tmp_path / "out" / "classes.csv")
    assert set(classes["task"]) == {"scene", "shapes"}
    confusion = pd.read_csv(tmp_path / "out" / "shapes-confusion.csv", index_col=0)
    assert int(confusion.to_numpy().sum()) == 3 * 32 * 32
    with Image.open(tmp_path / "out" / "shapes-confusion.png") as picture:
        assert picture.format == "PNG"
    assert len(list((tmp_path / "out" / "worst").glob("shapes-*.png"))) == 3
    again = call(*command)
    assert again.returncode == 0, again.stderr


def test_pictures_of_an_earlier_evaluation_are_removed(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("evaluate", small_search.run, "--resamples", "0", "--out", out)
    assert call(*command, "--split", "val").returncode == 0
    num_val = len(pd.read_csv(out / "images.csv").query("task == 'scene'"))
    assert len(list((out / "worst").glob("scene-*.png"))) == num_val > 3
    mine = out / "worst" / "mine.png"
    mine.write_text("of the user")
    refused = call(*command)
    assert refused.returncode == 2
    assert "images that mtlsearch did not write: mine.png" in refused.stderr
    assert len(list((out / "worst").glob("scene-*.png"))) == num_val  # nothing was removed
    assert mine.read_text() == "of the user"
    mine.unlink()
    assert call(*command).returncode == 0
    names = {path.name for path in (out / "worst").glob("scene-*.png")}
    assert names == {"scene-01.png", "scene-02.png", "scene-03.png"}


def test_evaluate_replaces_no_file_of_the_user(small_search: SmallSearch, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("mine")
    result = call("evaluate", small_search.run, "--resamples", "0", "--out", tmp_path)
    assert result.returncode == 2
    assert "metrics.csv" in result.stderr
    assert "predicting" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    assert (tmp_path / "metrics.csv").read_text() == "mine"


def test_bundle_and_trial_have_equal_results(
    small_search: SmallSearch, bundle: Path, tmp_path: Path
) -> None:
    documents = []
    for name, arguments in (
        ("trial", (small_search.run, "--trial", "1")),
        ("bundle", (bundle, "--data", small_search.file)),
    ):
        result = call("evaluate", *arguments, "--resamples", "20", "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
        documents.append(json.loads((tmp_path / name / "evaluation.json").read_text("utf-8")))
    for task, values in documents[0]["tasks"].items():
        other = documents[1]["tasks"][task]
        assert values["confusion"] == other["confusion"]
        for size, results in values["sizes"].items():
            for metric, estimate in results["metrics"].items():
                assert other["sizes"][size]["metrics"][metric] == pytest.approx(estimate)


def test_bundle_has_the_image_size_of_its_manifest(
    small_search: SmallSearch, bundle: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        small_search.file.read_text().replace("  image_size: 32\n", "  image_size: 64\n")
    )
    result = call("evaluate", bundle, "--data", file, "--resamples", "0")
    assert result.returncode == 0, result.stderr
    assert "network, 32 x 32 px" in result.stdout


def test_bundle_without_a_run_file_is_refused(bundle: Path) -> None:
    result = call("evaluate", bundle)
    assert result.returncode == 2
    assert "--data RUN.yaml" in result.stderr


def test_trained_network_needs_no_initial_weights(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    run = small_search.copy(tmp_path)
    config = run / "run.yaml"
    text = config.read_text()
    changed = re.sub(r"checkpoint_path: null", "checkpoint_path: gone.safetensors", text)
    assert changed != text
    config.write_text(changed)
    assert call("evaluate", run, "--resamples", "0").returncode == 0
    result = call("export", run, "--out", tmp_path / "bundle")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("option", ["--trial", "--retrained", "--data"])
def test_option_that_does_not_apply_is_refused(
    small_search: SmallSearch, bundle: Path, option: str
) -> None:
    network = small_search.run if option == "--data" else bundle
    result = call("evaluate", network, option, "1")
    assert result.returncode == 2
    assert f"`{option}` does not apply" in result.stderr


def test_run_without_a_test_split_names_the_other(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    run = small_search.copy(tmp_path)
    config = run / "run.yaml"
    config.write_text(config.read_text().replace("test: 3", "test: 0"))
    result = call("evaluate", run)
    assert result.returncode == 2
    assert "the split 'test' has no images" in result.stderr
    assert "allowed: val" in result.stderr
    assert call("evaluate", run, "--split", "val", "--resamples", "0").returncode == 0


def test_metric_without_a_scorer_comes_from_the_meter(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "odd.py").write_text(PLUGIN)
    file = tmp_path / "run.yaml"
    file.write_text(
        "data:\n"
        "  sources: {kind: scenes, train: 8, val: 4, test: 4, image_size: 32}\n"
        "  image_size: 32\n"
        "  cache: null\n"
        "tasks: {scene: {kind: odd}}\n"
        "backbone: {name: test_resnet}\n"
        "train: {epochs: 1, batch_size: 4}\n"
        "search: {space: hard, trials: 1}\n"
    )
    run = tmp_path / "run"
    searched = call("search", file, "--out", run, "--plugins", plugins)
    assert searched.returncode == 0, searched.stderr
    assert "†" not in call("leaderboard", run, "--plugins", plugins).stdout
    refused = call("leaderboard", run, "--plugins", plugins, "--per-class", "scene")
    assert refused.returncode == 2
    assert "no trial has results per class of task 'scene'" in refused.stderr
    result = call("evaluate", run, "--plugins", plugins, "--resamples", "10")
    assert result.returncode == 0, result.stderr
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("scene.odd"))
    assert line.replace("†", "").split()[1:] == ["0.500", "-", "0.500", "4"]
    assert "the task has no scorer for it" in result.stdout


def test_no_other_command_reads_the_test_split(
    small_search: SmallSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Scenes.read

    def read_other(source: Scenes, split: str, index: int) -> Sample:
        assert split != "test", "the test split was read"
        return read(source, split, index)

    monkeypatch.setattr(Scenes, "read", read_other)
    file = tmp_path / "run.yaml"
    shutil.copy(small_search.file, file)
    run, offline = tmp_path / "run", ("--set", "data.cache=null")
    commands = [
        ("check", file, *offline),
        ("search", file, "--out", run, "--trials", "2", *offline),
        ("affinity", file, *offline, "--epochs", "1"),
        ("leaderboard", run),
        ("train-longer", run, "--trial", "1", "--epochs", "1"),
        ("export", run, "--out", tmp_path / "bundle"),
        ("evaluate", run, "--split", "val", "--resamples", "0"),
        ("sample", file, "--split", "val", "--out", tmp_path / "sample"),
    ]
    for command in commands:
        result = call(*command)
        assert result.returncode == 0, f"{command[0]}: {result.stderr}"
    assert call("evaluate", run).returncode == 70
