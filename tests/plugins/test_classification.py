"""Task kind ``classification``."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from mtlsearch_plugins.classification import Classification
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    jaccard_score,
    log_loss,
    recall_score,
)
from torch import Tensor

from mtlsearch.errors import TrainingError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import PerClassMeter
from mtlsearch.testing import TaskContract

SINGLE = LabelSpec(Form.CATEGORY, classes=("cat", "dog", "hare"))
SEVERAL = LabelSpec(Form.CATEGORIES, classes=("cat", "dog", "hare"))


class TestOneClass(TaskContract):
    task = Classification
    label = SINGLE


class TestSeveralClasses(TaskContract):
    task = Classification
    label = SEVERAL


class TestWithEverySetting(TaskContract):
    task = Classification
    label = LabelSpec(Form.CATEGORY, classes=("cat", "dog", "hare"), counts=(10, 0, 2))
    settings: ClassVar = {
        "levels": 3,
        "dropout": 0.2,
        "label_smoothing": 0.1,
        "class_weights": "balanced",
    }
    max_loss_ratio = 0.7  # smoothed labels leave a loss that no head removes


def make(label: LabelSpec = SINGLE, **settings: object) -> Classification:
    return Classification("it", Classification.Settings.model_validate(settings), label)


def logits(*rows: tuple[float, ...]) -> dict[str, Tensor]:
    return {"logits": torch.tensor(rows, dtype=torch.float32)}


def measure(task: Classification, outputs: dict[str, Tensor], targets: Tensor) -> dict[str, Any]:
    meter = task.meter()
    meter.update(outputs, targets)
    return dict(meter.compute())


def test_correct_predictions_score_1_and_wrong_ones_0() -> None:
    outputs = logits((9, 0, 0), (0, 9, 0), (0, 0, 9))
    right = measure(make(), outputs, torch.tensor([0, 1, 2]))
    assert (right["accuracy"], right["f1"]) == (1, 1)
    assert right["nll"] == pytest.approx(math.log(1 + 2 * math.exp(-9)), rel=1e-3)
    wrong = measure(make(), outputs, torch.tensor([1, 2, 0]))
    assert (wrong["accuracy"], wrong["f1"]) == (0, 0)
    assert wrong["nll"] == pytest.approx(9, rel=1e-3)


@pytest.mark.parametrize("label", [SINGLE, SEVERAL], ids=["one", "several"])
def test_nll_over_batches_equals_log_loss(label: LabelSpec) -> None:
    generator = torch.Generator().manual_seed(3)
    outputs = torch.randn(11, 3, generator=generator)
    if label is SINGLE:
        truth = torch.arange(11) % 3
        expected = log_loss(truth, outputs.double().softmax(1))
    else:
        truth = (torch.rand(11, 3, generator=generator) < 0.4).float()
        expected = log_loss(truth.flatten(), outputs.double().sigmoid().flatten())
    meter = make(label).meter()
    for rows in (slice(0, 4), slice(4, 11)):
        meter.update({"logits": outputs[rows]}, truth[rows])
    assert meter.compute()["nll"] == pytest.approx(expected, rel=1e-5)


def test_classes_that_do_not_occur_are_excluded() -> None:
    outputs = logits((9, 0, 0), (0, 9, 0))
    assert measure(make(), outputs, torch.tensor([0, 1]))["f1"] == 1
    hot = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    assert measure(make(SEVERAL), outputs, hot)["mAP"] == 1


def test_average_precision_equals_hand_computed_value() -> None:
    # Class 0: true, false, true by score: (1 + 2/3) / 2. Class 1: the first is true.
    outputs = logits((3, 5, 0), (2, 0, 0), (1, 0, 0))
    hot = torch.tensor([[1.0, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert measure(make(SEVERAL), outputs, hot)["mAP"] == pytest.approx((5 / 6 + 1) / 2)


def test_average_precision_without_true_classes_is_nan() -> None:
    assert math.isnan(measure(make(SEVERAL), logits((1, 2, 3)), torch.zeros(1, 3))["mAP"])


def test_balanced_weights_keep_the_mean_loss_of_the_split() -> None:
    counts = (6, 3, 1)
    task = make(LabelSpec(Form.CATEGORY, SINGLE.classes, counts=counts), class_weights="balanced")
    same = logits(*[(0.0, 0.0, 0.0)] * 10)
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    assert task.loss(same, targets).item() == pytest.approx(math.log(3))
    shares = [
        count * task.loss(logits((0, 0, 0)), torch.tensor([index])).item()
        for index, count in enumerate(counts)
    ]
    assert shares == pytest.approx([shares[0]] * 3)


def test_class_weights_scale_the_loss() -> None:
    targets = torch.tensor([1])
    plain = make().loss(logits((0, 0, 0)), targets)
    weighted = make(class_weights=[1, 5, 1]).loss(logits((0, 0, 0)), targets)
    torch.testing.assert_close(weighted, 5 * plain)


def test_invalid_class_weights_raise() -> None:
    message = r"3 classes need 3 class weights, got 2(.|\n)*tasks\.it\.class_weights"
    with pytest.raises(TrainingError, match=message):
        make(class_weights=[1, 2]).loss(logits((0, 0, 0)), torch.tensor([0]))
    with pytest.raises(TrainingError, match="were not counted"):
        make(class_weights="balanced").loss(logits((0, 0, 0)), torch.tensor([0]))


def test_label_with_one_class_raises() -> None:
    with pytest.raises(TrainingError, match="needs 2 or more classes"):
        make(LabelSpec(Form.CATEGORY, classes=("cat",)))
    assert make(LabelSpec(Form.CATEGORIES, classes=("cat",))).metrics


def test_decoding_uses_the_score_threshold() -> None:
    task = make(SEVERAL, score_threshold=0.9)
    tensors = task.predict(logits((5.0, 1.0, 3.0)))
    arrays = {"scores": tensors["scores"][0].numpy()}
    prediction = task.decode(arrays, input_size=(8, 8), image_size=(8, 8))
    assert getattr(prediction, "indices", None) == (0, 2)


def test_results_per_class_equal_those_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = {"logits": torch.randn(40, 3, generator=generator)}
    outputs["logits"][:, 2] -= 9  # never predicted
    truth = torch.randint(2, (40,), generator=generator)
    truth[:5] = 2
    meter = make().meter()
    assert isinstance(meter, PerClassMeter)
    meter.update(outputs, truth)
    predicted = outputs["logits"].argmax(1)
    options: dict[str, Any] = {"average": None, "zero_division": 0}
    expected = {
        "accuracy": recall_score(truth, predicted, **options),
        "F1": f1_score(truth, predicted, **options),
        "IoU": jaccard_score(truth, predicted, **options),
    }
    for metric, values in meter.per_class().items():
        assert list(values) == ["cat", "dog", "hare"]
        assert list(values.values()) == pytest.approx(expected[metric].tolist())
    assert meter.per_class()["F1"]["hare"] == 0


def test_average_precision_per_class_equals_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = {"logits": torch.randn(40, 3, generator=generator)}
    truth = torch.randint(2, (40, 3), generator=generator).float()
    truth[:, 1] = 0
    meter = make(SEVERAL).meter()
    assert isinstance(meter, PerClassMeter)
    meter.update(outputs, truth)
    values = meter.per_class()["AP"]
    assert math.isnan(values["dog"])
    for index, name in ((0, "cat"), (2, "hare")):
        expected = average_precision_score(truth[:, index], outputs["logits"][:, index])
        assert values[name] == pytest.approx(expected, abs=1e-5)
