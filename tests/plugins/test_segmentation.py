"""Task kind ``segmentation``."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from mtlsearch_plugins.segmentation import Segmentation
from sklearn.metrics import jaccard_score
from torch import Tensor
from torch.nn import functional as F

from mtlsearch.errors import TrainingError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import PerClassMeter
from mtlsearch.testing import TaskContract

CLASSES = ("ground", "person", "sky")
LABEL = LabelSpec(Form.MASK, classes=CLASSES)
VOID_IS_CLASS_0 = LabelSpec(Form.MASK, classes=CLASSES, ignore_index=0)


class TestSegmentation(TaskContract):
    task = Segmentation
    label = LABEL


class TestVoidWithIndexOfAClass(TaskContract):
    task = Segmentation
    label = VOID_IS_CLASS_0
    settings: ClassVar = {"dice": 1.0}


class TestWithEverySetting(TaskContract):
    task = Segmentation
    label = LabelSpec(Form.MASK, classes=CLASSES, ignore_index=-1)
    settings: ClassVar = {
        "channels": 12,
        "stride": 8,
        "dice": 0.5,
        "label_smoothing": 0.1,
        "class_weights": [1.0, 2.0, 0.5],
    }
    max_loss_ratio = 0.7  # smoothed labels leave a loss that no head removes


def make(label: LabelSpec = LABEL, **settings: object) -> Segmentation:
    return Segmentation("it", Segmentation.Settings.model_validate(settings), label)


def certain_outputs(classes: Tensor) -> dict[str, Tensor]:
    """Return logits that predict class indices ``[n, H, W]`` with certainty."""
    return {"logits": 40 * F.one_hot(classes, 3).permute(0, 3, 1, 2).float()}


def measure(task: Segmentation, predicted: Tensor, truth: Tensor) -> dict[str, float]:
    meter = task.meter()
    meter.update(certain_outputs(predicted), truth)
    return dict(meter.compute())


def test_correct_predictions_score_1_and_wrong_ones_0() -> None:
    truth = torch.tensor([[[0, 1], [2, 255]]])
    predicted = torch.tensor([[[0, 1], [2, 2]]])
    assert measure(make(), predicted, truth) == {"mIoU": 1, "pixel_accuracy": 1}
    assert make(dice=1.0).loss(certain_outputs(predicted), truth).item() == pytest.approx(
        0, abs=1e-4
    )
    assert measure(make(), (predicted + 1) % 3, truth) == {"mIoU": 0, "pixel_accuracy": 0}


def test_mean_iou_equals_hand_computed_value() -> None:
    # Ground 1/2, person 1/2; the sky neither occurs nor is predicted and does not count.
    values = measure(make(), torch.tensor([[[0, 0, 1]]]), torch.tensor([[[0, 1, 1]]]))
    assert values == pytest.approx({"mIoU": 0.5, "pixel_accuracy": 2 / 3})


@pytest.mark.parametrize("warn_only", [False, True])
def test_deterministic_mode_keeps_the_metrics_and_is_restored(warn_only: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, truth = (torch.randint(3, (2, 9, 9), generator=generator) for _ in range(2))
    expected = measure(make(), predicted, truth)
    torch.use_deterministic_algorithms(True, warn_only=warn_only)
    try:
        assert measure(make(), predicted, truth) == expected
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled() == warn_only
    finally:
        torch.use_deterministic_algorithms(False)


def test_class_that_is_only_predicted_counts_as_0() -> None:
    values = measure(make(), torch.tensor([[[0, 0, 2]]]), torch.tensor([[[0, 0, 0]]]))
    assert values == pytest.approx({"mIoU": (2 / 3 + 0) / 2, "pixel_accuracy": 2 / 3})


def test_class_with_the_index_of_void_is_excluded() -> None:
    truth = torch.tensor([[[0, 0, 1, 2]]])
    predicted = torch.tensor([[[2, 1, 1, 2]]])
    assert measure(make(VOID_IS_CLASS_0), predicted, truth) == {"mIoU": 1, "pixel_accuracy": 1}


@pytest.mark.parametrize("label", [LABEL, VOID_IS_CLASS_0])
def test_only_void_gives_zero_loss_and_nan_metrics(label: LabelSpec) -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    truth = torch.full((2, 4, 4), label.ignore_index)
    task = make(label, dice=1.0)
    loss = task.loss({"logits": logits}, truth)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    meter = task.meter()
    meter.update({"logits": logits}, truth)
    assert all(math.isnan(value) for value in meter.compute().values())


def test_void_pixels_have_no_gradient() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    truth = torch.randint(3, (1, 4, 4))
    truth[0, 0] = 255
    make(dice=1.0).loss({"logits": logits}, truth).backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, 0].any()
    assert logits.grad[:, :, 1:].any()


def test_label_with_one_class_raises() -> None:
    with pytest.raises(TrainingError, match="needs 2 or more classes"):
        make(LabelSpec(Form.MASK, classes=("person",)))


@pytest.mark.parametrize("void", [255, 2])
def test_results_per_class_equal_those_of_scikit_learn(void: int) -> None:
    task = make(LabelSpec(Form.MASK, classes=CLASSES, ignore_index=void))
    generator = torch.Generator().manual_seed(0)
    count = len(CLASSES)
    predicted = torch.randint(count, (2, 16, 16), generator=generator)
    truth = torch.randint(count - 1, (2, 16, 16), generator=generator)
    truth[:, :4] = void
    meter = task.meter()
    assert isinstance(meter, PerClassMeter)
    meter.update({"logits": F.one_hot(predicted, count).movedim(3, 1).float()}, truth)
    is_labeled = truth != void
    true, predicted_classes = truth[is_labeled], predicted[is_labeled]
    labels = range(count)
    expected = jaccard_score(true, predicted_classes, average=None, labels=labels, zero_division=0)
    values = meter.per_class()["IoU"]
    for index, name in enumerate(CLASSES):
        if index == void:
            assert math.isnan(values[name])
        else:
            assert values[name] == pytest.approx(expected[index])
    kept = [value for value in values.values() if not math.isnan(value)]
    assert meter.compute()["mIoU"] == pytest.approx(sum(kept) / len(kept))


def test_label_smoothing_mixes_in_uniform_targets() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    truth = torch.randint(3, (2, 4, 5), generator=generator)
    truth[0, 0, :2] = LABEL.ignore_index
    outputs = {"logits": logits}
    plain = float(make().loss(outputs, truth))
    is_labeled = truth != LABEL.ignore_index
    uniform = -logits.log_softmax(1).mean(1) * is_labeled
    of_image = uniform.sum((1, 2)) / is_labeled.sum((1, 2))
    expected = 0.8 * plain + 0.2 * float(of_image.mean())
    assert float(make(label_smoothing=0.2).loss(outputs, truth)) == pytest.approx(expected)
    assert float(make(label_smoothing=0.0).loss(outputs, truth)) == plain
