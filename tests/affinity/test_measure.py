"""The complete measurement, on tasks with a given relation."""

from __future__ import annotations

import numpy as np
import pytest

from mtlsearch.affinity import Affinity, AffinityMeasurement, best_groups, recommend
from mtlsearch.errors import TrainingError
from mtlsearch.models import CutBackbone, cut_backbone
from tests.affinity.planted import Images, build, make_tasks
from tests.training.fakes import CPU, config


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def measure(cut: CutBackbone, data: Images, calls: list[tuple[str, int, int]]) -> Affinity:
    tasks = make_tasks("abc")
    measurement = AffinityMeasurement(
        tasks=tasks,
        label_by_task={name: name for name in tasks},
        loss_weights=dict.fromkeys(tasks, 1.0),
        data=data,
        config=config(epochs=4, batch_size=16),
        device=CPU,
        seed=0,
        on_progress=lambda *call: calls.append(call),
    )
    return measurement.run(build(cut, tasks), build(cut, tasks, hard=False))


@pytest.mark.slow
def test_equal_tasks_are_grouped_and_noise_is_separate(cut: CutBackbone) -> None:
    calls: list[tuple[str, int, int]] = []
    data = Images(images=96, labels=("a", "b", "c"), noisy="c")
    measured = measure(cut, data, calls)
    deepest = len(measured.units) - 1
    assert measured.tasks == ("a", "b", "c")
    assert measured.gradients[deepest, 0, 1] == pytest.approx(1.0, abs=1e-4)
    assert (measured.gradients[:, 0, 2] < 0.9).all()
    assert measured.representations[deepest, 0, 1] > measured.representations[deepest, 0, 2]
    assert measured.lookahead[0, 1] > 0
    groups = best_groups(measured)
    assert groups == (("a", "b"), ("c",))
    plans = dict(recommend(measured).plans)
    rows = np.array(plans["medium"].rows)
    assert (rows[:, 0] == rows[:, 1]).all()
    assert rows[deepest, 0] != rows[deepest, 2]
    assert measured.images == 96
    assert measured.steps[0, 2] == 24
    assert list(dict.fromkeys(what for what, _, _ in calls)) == [
        "training hard",
        "training independent",
        "comparing representations",
    ]
    assert calls[-1] == ("comparing representations", 96, 96)


def test_too_few_images_raise_before_training(cut: CutBackbone) -> None:
    calls: list[tuple[str, int, int]] = []
    with pytest.raises(TrainingError, match="3 images, comparing representations needs 4"):
        measure(cut, Images(images=3, labels=("a", "b", "c")), calls)
    assert calls == []
