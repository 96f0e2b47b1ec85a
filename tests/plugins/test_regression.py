"""Task kind ``regression``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mtlsearch_plugins.regression import Regression
from PIL import Image
from sklearn.metrics import mean_absolute_error, r2_score

from mtlsearch.bundle import open_bundle
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.prediction import NumberPrediction, to_json
from mtlsearch.testing import FEATURES, TaskContract
from tests.cli.program import call

WEIGHT = LabelSpec(Form.NUMBER, unit="kg", mean=70.0, std=15.0)


class TestRegression(TaskContract):
    task = Regression
    label = WEIGHT


class TestUncountedNumbers(TaskContract):
    task = Regression
    label = LabelSpec(Form.NUMBER)


class TestYears(TaskContract):
    """Numbers whose mean is far larger than their spread."""

    task = Regression
    label = LabelSpec(Form.NUMBER, mean=2000.0, std=3.0)
    loss_is_mean = True


class TestWithEverySetting(TaskContract):
    task = Regression
    label = WEIGHT
    settings: ClassVar = {"levels": 3, "dropout": 0.2, "beta": 2.0}


def make(label: LabelSpec = WEIGHT, **settings: object) -> Regression:
    return Regression("it", Regression.Settings.model_validate(settings), label)


def measure(predicted: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[str, float]:
    meter = make().meter()
    for row in range(0, len(truth), 3):
        rows = slice(row, row + 3)
        outputs = {"value": torch.tensor(predicted[rows]), "std": torch.ones(1)}
        meter.update(outputs, torch.tensor(truth[rows]))
    return dict(meter.compute())


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (2000.0, 0.5), (1e-4, 1e-5)])
def test_metrics_equal_those_of_scikit_learn(mean: float, spread: float) -> None:
    generator = np.random.default_rng(0)
    truth = (mean + spread * generator.standard_normal(20)).astype(np.float32)
    predicted = truth + (spread * generator.standard_normal(20)).astype(np.float32)
    values = measure(predicted, truth)
    double = truth.astype(np.float64), predicted.astype(np.float64)
    assert values["MAE"] == pytest.approx(mean_absolute_error(*double), rel=1e-6)
    assert values["R2"] == pytest.approx(r2_score(*double), rel=1e-6)


def test_r2_of_equal_numbers_is_undefined() -> None:
    values = measure(np.float32([1, 2]), np.float32([3, 3]))
    assert values["MAE"] == 1.5
    assert math.isnan(values["R2"])


def test_head_predicts_the_mean_before_training() -> None:
    head = make().build_head(FEATURES["cnn"]).eval()
    torch.nn.init.zeros_(head.project.weight)
    torch.nn.init.zeros_(head.project.bias)
    levels = [torch.zeros(2, level.channels, 4, 4) for level in FEATURES["cnn"].levels]
    assert head(levels)["value"].tolist() == [70.0, 70.0]


def test_loss_does_not_depend_on_the_unit() -> None:
    truth, error = torch.tensor([60.0, 90.0]), torch.tensor([3.0, -40.0])
    losses = []
    for factor in (1.0, 1000.0):
        outputs = {"value": (truth + error) * factor, "std": torch.full((2,), 15.0 * factor)}
        losses.append(float(make().loss(outputs, truth * factor)))
    assert losses[0] == pytest.approx(losses[1])


def test_equal_numbers_are_not_divided_by_zero() -> None:
    task = make(LabelSpec(Form.NUMBER, mean=5.0, std=0.0))
    head = task.build_head(FEATURES["cnn"])
    assert (float(head.mean), float(head.std)) == (5.0, 1.0)


def test_weights_contain_mean_and_standard_deviation() -> None:
    trained = make().build_head(FEATURES["cnn"])
    restored = make(LabelSpec(Form.NUMBER)).build_head(FEATURES["cnn"])
    restored.load_state_dict(trained.state_dict())
    assert (float(restored.mean), float(restored.std)) == (70.0, 15.0)


def test_number_is_drawn_and_written_in_its_unit() -> None:
    task = make()
    prediction = task.decode(
        {"value": np.float32(71.30000305)}, input_size=(8, 8), image_size=(40, 60)
    )
    assert isinstance(prediction, NumberPrediction)
    assert to_json(task.output, prediction) == {"form": "number", "value": 71.3, "unit": "kg"}
    assert task.draw(Image.new("RGB", (60, 40)), prediction).height > 40


RUN_FILE = """\
data:
  sources: {kind: manifest, labels: {weight: {form: number, unit: kg}, shade: {form: category}}}
  root: .
  image_size: 32
  augment: {crop: null}
tasks:
  weight: {kind: regression}
  shade: {kind: classification}
backbone: {name: test_resnet}
train: {epochs: 6, batch_size: 8, learning_rate: 0.005}
search: {space: hard, trials: 2}
"""


@pytest.mark.slow
def test_numbers_are_learned_and_exported_in_their_unit(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = ["image,weight,shade"]
    for index in range(48):
        light = float(generator.uniform(30, 220))
        pixels = (light + generator.normal(0, 20, (32, 32, 3))).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.png,{500 + light:.2f},{'dark' if light < 125 else 'light'}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    for command in (
        ("check", tmp_path / "run.yaml"),
        ("search", tmp_path / "run.yaml", "--out", run),
        ("export", run, "--out", bundle),
    ):
        result = call(*command)
        assert result.returncode == 0, result.stderr
    table = call("leaderboard", run, "--format", "json")
    errors = [trial["weight.MAE"] for trial in json.loads(table.stdout)]
    assert min(errors) < 30  # always predicting the mean has an error of 48
    opened = open_bundle(bundle)
    predictions = opened.predict([tmp_path / f"{index}.png" for index in range(48)])
    truth = [float(row.split(",")[1]) for row in rows[1:]]
    values = [prediction["weight"].value for prediction in predictions]
    assert mean_absolute_error(truth, values) < 30
    assert "number in kg" in opened.describe()
