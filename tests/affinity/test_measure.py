"""The whole measurement, on tasks whose relations are known."""

from __future__ import annotations

import numpy as np
import pytest

from mtlsearch.affinity import Affinity, AffinityMeasurement, best_groups, recommend
from mtlsearch.errors import TrainingError
from mtlsearch.models import CutBackbone, cut_backbone
from tests.affinity.planted import Pictures, build, make_tasks
from tests.training.fakes import CPU, config


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def measured(cut: CutBackbone, data: Pictures, told: list[tuple[str, int, int]]) -> Affinity:
    tasks = make_tasks("abc")
    measurement = AffinityMeasurement(
        tasks=tasks,
        labels_of={name: name for name in tasks},
        loss_weights=dict.fromkeys(tasks, 1.0),
        data=data,
        config=config(epochs=4, batch_size=16),
        device=CPU,
        seed=0,
        stage=lambda what, done, total: told.append((what, done, total)),
    )
    return measurement.run(build(cut, tasks), build(cut, tasks, hard=False))


@pytest.mark.slow
def test_two_tasks_go_together_and_noise_by_itself(cut: CutBackbone) -> None:
    told: list[tuple[str, int, int]] = []
    data = Pictures(images=96, labels=("a", "b", "c"), noisy="c")
    found = measured(cut, data, told)
    deepest = len(found.units) - 1
    assert found.tasks == ("a", "b", "c")
    assert found.gradients[deepest, 0, 1] == pytest.approx(1.0, abs=1e-4)
    assert (found.gradients[:, 0, 2] < 0.9).all()
    assert found.representations[deepest, 0, 1] > found.representations[deepest, 0, 2]
    assert found.lookahead[0, 1] > 0
    groups = best_groups(found)
    assert groups == (("a", "b"), ("c",))
    plans = dict(recommend(found).plans)
    rows = np.array(plans["medium"].rows)
    assert (rows[:, 0] == rows[:, 1]).all()
    assert rows[deepest, 0] != rows[deepest, 2]
    assert found.images == 96
    assert found.steps[0, 2] == 24
    assert list(dict.fromkeys(what for what, _, _ in told)) == [
        "training hard",
        "training independent",
        "comparing representations",
    ]
    assert told[-1] == ("comparing representations", 96, 96)


def test_too_few_images_are_told_before_training(cut: CutBackbone) -> None:
    told: list[tuple[str, int, int]] = []
    with pytest.raises(TrainingError, match="3 images, comparing representations takes 4"):
        measured(cut, Pictures(images=3, labels=("a", "b", "c")), told)
    assert told == []
