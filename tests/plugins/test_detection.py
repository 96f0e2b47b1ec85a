"""Task kind ``detection``."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from mtlsearch_plugins.detection import Detection
from torch import Tensor

from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import BoxTargets, PerClassMeter
from mtlsearch.prediction import BoxesPrediction
from mtlsearch.testing import FEATURES, TaskContract, random_levels

LABEL = LabelSpec(Form.BOXES, classes=("cat", "dog"))


class TestDetection(TaskContract):
    task = Detection
    label = LABEL


class TestWithEverySetting(TaskContract):
    task = Detection
    label = LabelSpec(Form.BOXES, classes=("cat",))
    settings: ClassVar = {
        "strides": [4, 16, 128],
        "channels": 12,
        "depth": 0,
        "positives": 3,
        "box_weight": 1.0,
        "score_threshold": 0.1,
        "iou_threshold": 0.4,
        "vote_threshold": 0.7,
        "max_detections": 3,
    }


def make(**settings: object) -> Detection:
    return Detection("it", Detection.Settings.model_validate(settings), LABEL)


def boxes(*rows: tuple[float, float, float, float, int], crowd: bool = False) -> BoxTargets:
    """Return boxes from rows of left, top, right, bottom and class."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    return BoxTargets(table[:, :4], table[:, 4].long(), torch.full((len(table),), crowd))


def concatenate(first: BoxTargets, second: BoxTargets) -> BoxTargets:
    fields = ("xyxy", "classes", "crowd")
    return BoxTargets(
        *(torch.cat([getattr(item, name) for item in (first, second)]) for name in fields)
    )


def outputs_of(predicted: BoxTargets, scores: list[float], size: float = 64) -> dict[str, Tensor]:
    """Return outputs of a head that predict some boxes, each from a point near its center."""
    count = len(scores)
    middle, sides = (
        (predicted.xyxy[:, :2] + predicted.xyxy[:, 2:]) / 2,
        predicted.xyxy[:, 2:] - predicted.xyxy[:, :2],
    )
    grid = torch.cat([middle + 2, torch.full((count, 1), 8.0)], dim=1)
    raw = torch.cat([(middle - grid[:, :2]) / 8, (sides / 32).log()], dim=1)
    logits = torch.full((count, 2), -20.0)
    logits[torch.arange(count), predicted.classes] = torch.tensor(scores).logit()
    return {
        "logits": logits[None],
        "raw_boxes": raw[None],
        "grid": grid[None],
        "size": torch.tensor([[size, size]]),
    }


def measure(task: Detection, outputs: dict[str, Tensor], truth: BoxTargets) -> dict[str, float]:
    meter = task.meter()
    meter.update(outputs, (truth,))
    return {name: round(value, 4) for name, value in meter.compute().items()}


TRUTH = boxes((4, 6, 30, 40, 0), (20, 20, 60, 62, 1), (40, 2, 44, 9, 0))


def test_correct_predictions_score_1_and_wrong_ones_0() -> None:
    outputs = outputs_of(TRUTH, [0.9, 0.8, 0.7])
    assert measure(make(), outputs, TRUTH) == {"mAP": 1, "mAP50": 1}
    other = BoxTargets(TRUTH.xyxy, 1 - TRUTH.classes, TRUTH.crowd)
    assert measure(make(), outputs, other) == {"mAP": 0, "mAP50": 0}


def test_average_precision_equals_hand_computed_value() -> None:
    # One class, two boxes: the prediction with the best score is wrong, the next is correct.
    # Precision is 1/2 up to a recall of 1/2: 51 of COCO's 101 points.
    truth = boxes((0, 0, 20, 20, 0), (40, 40, 60, 60, 0))
    predicted = boxes((0, 40, 20, 60, 0), (0, 0, 20, 20, 0))
    assert measure(make(), outputs_of(predicted, [0.9, 0.8]), truth) == {
        "mAP": pytest.approx(0.5 * 51 / 101, abs=1e-4),
        "mAP50": pytest.approx(0.5 * 51 / 101, abs=1e-4),
    }


def test_metrics_without_boxes_are_nan_but_count_false_positives() -> None:
    empty = boxes()
    outputs = outputs_of(boxes((0, 0, 20, 20, 0)), [0.9])
    assert all(math.isnan(value) for value in measure(make(), outputs, empty).values())
    meter = make().meter()
    meter.update(outputs, (empty,))
    meter.update(outputs_of(boxes((0, 0, 20, 20, 0)), [0.5]), (boxes((0, 0, 20, 20, 0)),))
    assert meter.compute()["mAP"] == pytest.approx(0.5, abs=0.01)


def test_predictions_in_a_crowd_are_not_false_positives() -> None:
    real = boxes((0, 0, 20, 20, 0))
    crowd = boxes((30, 30, 64, 64, 0), crowd=True)
    outputs = outputs_of(concatenate(real, boxes((34, 34, 50, 50, 0))), [0.6, 0.9])
    assert measure(make(), outputs, real)["mAP"] == pytest.approx(0.5, abs=0.01)
    assert measure(make(), outputs, concatenate(real, crowd)) == {"mAP": 1, "mAP50": 1}


def test_box_below_a_pixel_counts_as_missed() -> None:
    real, tiny = boxes((0, 0, 20, 20, 0)), boxes((40, 40, 40.3, 40.1, 0))
    outputs = outputs_of(real, [0.9])
    assert measure(make(), outputs, real)["mAP"] == 1
    assert measure(make(), outputs, concatenate(real, tiny))["mAP"] == pytest.approx(0.5, abs=0.01)
    assert measure(make(), outputs_of(boxes((0, 0, 9, 9, 0)), [0.9]), tiny)["mAP"] == 0


def test_scores_in_a_crowd_have_no_gradient() -> None:
    head = make().build_head(FEATURES["cnn"])
    outputs = head(random_levels(FEATURES["cnn"], 1, torch.Generator().manual_seed(0)))
    outputs = {name: value.detach() for name, value in outputs.items()}
    outputs["logits"].requires_grad_()
    make().loss(outputs, (boxes((0, 0, 32, 64, 0), crowd=True),)).backward()
    in_crowd = outputs["grid"][0, :, 0] <= 32
    assert outputs["logits"].grad is not None
    assert not outputs["logits"].grad[0, in_crowd].any()
    assert outputs["logits"].grad[0, ~in_crowd].all()


def test_images_without_boxes_lower_all_scores() -> None:
    head = make().build_head(FEATURES["cnn"])
    outputs = head(random_levels(FEATURES["cnn"], 2, torch.Generator().manual_seed(0)))
    outputs["logits"].retain_grad()
    loss = make().loss(outputs, (boxes(), boxes()))
    loss.backward()
    assert loss.isfinite()
    assert outputs["logits"].grad is not None
    assert (outputs["logits"].grad > 0).all()


@pytest.mark.parametrize(
    "box",
    [(10.2, 10.1, 12.3, 11.9), (0, 0, 64, 64), (63, 0, 64, 64), (30, 3, 31, 61), (3, 30, 61, 31)],
)
def test_boxes_of_any_size_can_be_learned(box: tuple[float, float, float, float]) -> None:
    """Small, large and thin boxes, also at the border."""
    torch.manual_seed(0)
    head = make().build_head(FEATURES["cnn"])
    outputs = head(random_levels(FEATURES["cnn"], 1, torch.Generator().manual_seed(0)))
    outputs = {name: value.detach() for name, value in outputs.items()}
    free = [outputs[name].requires_grad_() for name in ("logits", "raw_boxes")]
    optimizer = torch.optim.Adam(free, lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=150)
    truth = boxes((*box, 1))
    for _ in range(150):
        optimizer.zero_grad()
        make().loss(outputs, (truth,)).backward()
        optimizer.step()
        schedule.step()
    assert measure(make(), outputs, truth)["mAP50"] == 1
    assert outputs["logits"].sigmoid().max() > 0.5


def test_loss_of_correct_boxes_is_small() -> None:
    outputs = outputs_of(TRUTH, [0.999, 0.999, 0.999])
    assert make().loss(outputs, (TRUTH,)).item() < 0.01
    wrong = boxes((30, 30, 50, 40, 0))
    assert make().loss(outputs, (wrong,)).item() > 0.5


def test_decoded_boxes_equal_the_measured_boxes() -> None:
    task = make(score_threshold=0.5)
    tensors = task.predict(outputs_of(TRUTH, [0.9, 0.8, 0.3]))
    arrays = {name: value[0].numpy() for name, value in tensors.items()}
    prediction = task.decode(arrays, input_size=(64, 64), image_size=(128, 32))
    assert isinstance(prediction, BoxesPrediction)
    assert prediction.classes.tolist() == [0, 1]
    scale = torch.tensor([0.5, 2.0, 0.5, 2.0])
    torch.testing.assert_close(torch.from_numpy(prediction.xyxy), TRUTH.xyxy[:2] * scale)


def test_overlapping_boxes_are_averaged_by_score() -> None:
    task = make(score_threshold=0.5, iou_threshold=0.5, vote_threshold=0.6)
    predicted = boxes((0, 0, 20, 20, 0), (2, 0, 22, 20, 0), (0, 0, 20, 20, 1), (40, 0, 60, 20, 0))
    outputs = outputs_of(predicted, [0.8, 0.2, 0.1, 0.7])
    mean = boxes((0.4, 0, 20.4, 20, 0), (40, 0, 60, 20, 0))
    tensors = task.predict(outputs)
    arrays = {name: value[0].numpy() for name, value in tensors.items()}
    prediction = task.decode(arrays, input_size=(64, 64), image_size=(64, 64))
    assert isinstance(prediction, BoxesPrediction)
    assert prediction.classes.tolist() == [0, 0]
    torch.testing.assert_close(torch.from_numpy(prediction.xyxy), mean.xyxy)
    assert measure(task, outputs, mean) == {"mAP": 1, "mAP50": 1}


@pytest.mark.parametrize("settings", [{}, {"vote_threshold": 1.0}, {"max_detections": 5}])
@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.6])
def test_decoded_and_measured_boxes_are_equal(settings: dict, threshold: float) -> None:
    task = make(score_threshold=threshold, **settings)
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(60, 2, generator=generator) * 30
    sides = 8 + torch.rand(60, 2, generator=generator) * 24
    classes = torch.randint(2, (60,), generator=generator)
    scores = (0.05 + 0.9 * torch.rand(60, generator=generator)).tolist()
    crowded = BoxTargets(torch.cat([low, low + sides], 1), classes, torch.zeros(60).bool())
    outputs = outputs_of(crowded, scores)
    tensors = task.predict(outputs)
    arrays = {name: value[0].numpy() for name, value in tensors.items()}
    decoded = task.decode(arrays, input_size=(64, 64), image_size=(64, 64))
    assert isinstance(decoded, BoxesPrediction)
    meter = task.meter()
    meter.update(outputs, (boxes(),))
    (measured,) = meter._detections
    shown = measured["scores"] >= threshold
    assert 0 < len(decoded.classes) == int(shown.sum())
    torch.testing.assert_close(torch.from_numpy(decoded.xyxy), measured["boxes"][shown])
    assert decoded.classes.tolist() == measured["labels"][shown].tolist()


def test_strides_larger_than_the_image_are_not_used() -> None:
    head = make(strides=[8, 64, 128]).build_head(FEATURES["odd image"])
    outputs = head(random_levels(FEATURES["odd image"], 1, torch.Generator().manual_seed(0)))
    assert set(outputs["grid"][0, :, 2].tolist()) == {8}
    head = make(strides=[128, 256]).build_head(FEATURES["odd image"])
    outputs = head(random_levels(FEATURES["odd image"], 1, torch.Generator().manual_seed(0)))
    assert outputs["grid"].shape == (1, 1, 3)


def test_average_precision_per_class_averages_to_the_metric() -> None:
    task = Detection("it", Detection.Settings(), LabelSpec(Form.BOXES, ("cat", "dog", "hare")))
    meter = task.meter()
    assert isinstance(meter, PerClassMeter)
    outputs = outputs_of(TRUTH, [0.9, 0.2, 0.3])
    outputs["logits"] = torch.cat([outputs["logits"], torch.full((1, 3, 1), -20.0)], dim=2)
    meter.update(outputs, (TRUTH,))
    meter.update(outputs, (boxes((0, 40, 20, 62, 0), (20, 20, 60, 60, 1)),))
    metrics, per_class = meter.compute(), meter.per_class()
    assert list(per_class) == ["AP", "AP50"]
    for metric, name in (("mAP", "AP"), ("mAP50", "AP50")):
        assert math.isnan(per_class[name]["hare"])
        values = [per_class[name]["cat"], per_class[name]["dog"]]
        assert sum(values) / 2 == pytest.approx(metrics[metric], abs=1e-6)
    assert per_class["AP50"]["cat"] != per_class["AP50"]["dog"]
