"""The example package passes its contract and is found by its entry point."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import MapPrediction, Task
from mtlsearch.testing import TaskContract
from tests.examples.depth_package import FOLDER, SOURCE, load

Depth = load().Depth
LABEL = LabelSpec(Form.MAP, unit="m")


class TestDepth(TaskContract):
    task = Depth
    label = LABEL


class TestTwoMaps(TaskContract):
    task = Depth
    label = LabelSpec(Form.MAP, channels=2)


def make() -> Task:
    return Depth("depth", Depth.Settings(), LABEL)


def outputs_of(depth: Tensor) -> dict[str, Tensor]:
    return {"log_depth": depth.log()}


def measure(predicted: Tensor, truth: Tensor) -> dict[str, float]:
    meter = make().meter()
    meter.update(outputs_of(predicted), truth)
    return dict(meter.compute())


def row(*values: float) -> Tensor:
    return torch.tensor(values).view(1, 1, 1, -1)


def test_metrics_and_loss_equal_hand_computed_values() -> None:
    truth, predicted = row(1.0, 2.0, 4.0), row(1.2, 1.0, 4.0)
    assert measure(predicted, truth) == pytest.approx(
        {"abs_rel": (0.2 + 0.5 + 0) / 3, "delta1": 2 / 3}, abs=1e-6
    )
    loss = make().loss(outputs_of(predicted), truth).item()
    assert loss == pytest.approx((math.log(1.2) + math.log(2)) / 3)


def test_perfect_predictions_have_best_metrics() -> None:
    truth = row(0.7, 3.0, 80.0)
    assert measure(truth, truth) == pytest.approx({"abs_rel": 0, "delta1": 1}, abs=1e-6)
    assert make().loss(outputs_of(truth), truth).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("void", [0.0, -1.0, math.nan, math.inf])
def test_void_pixels_are_ignored(void: float) -> None:
    truth, predicted = row(1.0, void), row(2.0, 5.0)
    assert measure(predicted, truth)["abs_rel"] == pytest.approx(1)
    log_depth = predicted.log().requires_grad_()
    loss = make().loss({"log_depth": log_depth}, truth)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert log_depth.grad is not None
    assert log_depth.grad.flatten().tolist() == pytest.approx([1, 0])


def test_only_void_pixels_give_zero_loss_and_nan_metrics() -> None:
    log_depth = torch.zeros(2, 1, 3, 3, requires_grad=True)
    loss = make().loss({"log_depth": log_depth}, torch.zeros(2, 1, 3, 3))
    loss.backward()
    assert loss.item() == 0
    assert log_depth.grad is not None
    assert not log_depth.grad.any()
    assert all(math.isnan(value) for value in measure(row(1.0), row(0.0)).values())


def test_scorer_equals_meter_on_resamples() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(6, 1, 5, 7, generator=generator) * 10
    truth[truth < 1] = 0
    truth[0], truth[1, 0, 0, 0] = 0, math.nan
    predicted = (torch.rand(6, 1, 5, 7, generator=generator) * 0.8 + 0.6) * truth.nan_to_num() + 0.1
    scorer = make().scorer()
    for values, label in zip(predicted.numpy(), truth.numpy(), strict=True):
        scorer.add(MapPrediction(values), label)
    for drawn in (range(6), [1, 1, 4, 5, 0, 5]):
        metrics = scorer.compute(np.bincount(drawn, minlength=6))
        rows = list(drawn)
        assert metrics == pytest.approx(measure(predicted[rows], truth[rows]), rel=1e-5)
    assert 0 < metrics["delta1"] < 1
    qualities = scorer.qualities()
    assert math.isnan(qualities[0])
    assert qualities[2] == pytest.approx(-measure(predicted[2:3], truth[2:3])["abs_rel"])
    assert all(math.isnan(value) for value in scorer.compute(np.eye(6, dtype=int)[0]).values())


def test_example_is_short() -> None:
    assert len(SOURCE.read_text().splitlines()) <= 180


@pytest.mark.slow
def test_installed_package_is_found_by_entry_point(tmp_path: Path) -> None:
    """Install the package by pip into a separate folder, without a network."""
    # From a copy, since building leaves files beside the source.
    unwanted = shutil.ignore_patterns("*.egg-info", "build", "__pycache__")
    source = shutil.copytree(FOLDER, tmp_path / "source", ignore=unwanted)
    where = tmp_path / "site"
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    install = [sys.executable, "-m", "pip", "install", *flags, "--target", str(where), str(source)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    command = (
        "import json, mtlsearch_depth; from mtlsearch.registry import build_registry;"
        "kind = build_registry().tasks['depth'];"
        "print(json.dumps([kind.__module__, mtlsearch_depth.__file__, kind.summary]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", command],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(where)},
    )  # fmt: skip
    module, file, summary = json.loads(process.stdout)
    assert module == "mtlsearch_depth"
    assert Path(file).is_relative_to(where)
    assert summary == Depth.summary
    # The tests of the package, as its author runs them.
    pytest_command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "test_depth.py",
    ]
    tested = subprocess.run(
        [*pytest_command, "-k", "descriptions or metrics or predictions"],
        cwd=source, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(where)},
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
