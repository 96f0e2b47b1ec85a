"""The task kind ``segmentation``."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from mtlsearch_plugins.segmentation import Segmentation
from torch import Tensor
from torch.nn import functional as F

from mtlsearch.errors import TrainingError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.testing import TaskContract

CLASSES = ("ground", "person", "sky")
LABEL = LabelSpec(Form.MASK, classes=CLASSES)
WITHIN = LabelSpec(Form.MASK, classes=CLASSES, ignore_index=0)


class TestSegmentation(TaskContract):
    task = Segmentation
    label = LABEL


class TestVoidWithinTheClasses(TaskContract):
    task = Segmentation
    label = WITHIN
    settings: ClassVar = {"dice": 1.0}


class TestWithEverySetting(TaskContract):
    task = Segmentation
    label = LabelSpec(Form.MASK, classes=CLASSES, ignore_index=-1)
    settings: ClassVar = {
        "channels": 12,
        "stride": 8,
        "dice": 0.5,
        "class_weights": [1.0, 2.0, 0.5],
    }


def make(label: LabelSpec = LABEL, **settings: object) -> Segmentation:
    return Segmentation("it", Segmentation.Settings.model_validate(settings), label)


def sure_of(classes: Tensor) -> dict[str, Tensor]:
    """Logits that predict ``[n, H, W]`` beyond doubt."""
    return {"logits": 40 * F.one_hot(classes, 3).permute(0, 3, 1, 2).float()}


def measure(task: Segmentation, found: Tensor, truth: Tensor) -> dict[str, float]:
    meter = task.meter()
    meter.update(sure_of(found), truth)
    return dict(meter.compute())


def test_perfect_and_hopeless_predictions() -> None:
    truth = torch.tensor([[[0, 1], [2, 255]]])
    found = torch.tensor([[[0, 1], [2, 2]]])
    assert measure(make(), found, truth) == {"mIoU": 1, "pixel_accuracy": 1}
    assert make(dice=1.0).loss(sure_of(found), truth).item() == pytest.approx(0, abs=1e-4)
    assert measure(make(), (found + 1) % 3, truth) == {"mIoU": 0, "pixel_accuracy": 0}


def test_iou_by_hand() -> None:
    # Ground 1/2, person 1/2; the sky is neither true nor predicted and does not count.
    values = measure(make(), torch.tensor([[[0, 0, 1]]]), torch.tensor([[[0, 1, 1]]]))
    assert values == pytest.approx({"mIoU": 0.5, "pixel_accuracy": 2 / 3})


@pytest.mark.parametrize("warn_only", [False, True])
def test_deterministic_algorithms_change_no_count_and_stay_asked_for(warn_only: bool) -> None:
    chance = torch.Generator().manual_seed(0)
    found, truth = (torch.randint(3, (2, 9, 9), generator=chance) for _ in range(2))
    expected = measure(make(), found, truth)
    torch.use_deterministic_algorithms(True, warn_only=warn_only)
    try:
        assert measure(make(), found, truth) == expected
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled() == warn_only
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_class_only_predicted_counts_as_nought() -> None:
    values = measure(make(), torch.tensor([[[0, 0, 2]]]), torch.tensor([[[0, 0, 0]]]))
    assert values == pytest.approx({"mIoU": (2 / 3 + 0) / 2, "pixel_accuracy": 2 / 3})


def test_void_within_the_classes_is_left_out() -> None:
    truth = torch.tensor([[[0, 0, 1, 2]]])
    found = torch.tensor([[[2, 1, 1, 2]]])
    assert measure(make(WITHIN), found, truth) == {"mIoU": 1, "pixel_accuracy": 1}


@pytest.mark.parametrize("label", [LABEL, WITHIN])
def test_void_alone_teaches_and_measures_nothing(label: LabelSpec) -> None:
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


def test_void_pixels_teach_nothing() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    truth = torch.randint(3, (1, 4, 4))
    truth[0, 0] = 255
    make(dice=1.0).loss({"logits": logits}, truth).backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, 0].any()
    assert logits.grad[:, :, 1:].any()


def test_one_class_is_nothing_to_learn() -> None:
    with pytest.raises(TrainingError, match="nothing to tell apart"):
        make(LabelSpec(Form.MASK, classes=("person",)))
