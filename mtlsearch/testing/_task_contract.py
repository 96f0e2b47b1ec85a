"""Contract of a task kind, as tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor, nn

from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import FeatureSpec, Outputs, PerClassMeter, SubsetMeter, TargetValues, Task
from mtlsearch.prediction import to_json
from mtlsearch.testing._features import FEATURES, random_levels
from mtlsearch.testing._head_fit import HeadFit, compute_metrics
from mtlsearch.testing._random_targets import random_targets

TWO_BACKBONES = ("cnn", "plain vit")


class TaskContract:
    """Tests that every task kind must pass, on the feature levels of several backbones.

    Subclass it in a test module, start the name of the class with ``Test`` and set the task::

        class TestDepth(TaskContract):
            task = Depth
            label = LabelSpec(Form.MAP, unit="m")

    Attributes:
        task: class of the task kind.
        label: specification of the label to learn.
        settings: settings of the task as in a run file.
        samples: number of samples per batch.
        loss_is_mean: whether the loss of a batch is the mean of the losses of its samples.
        steps: number of optimizer steps for overfitting four samples.
        max_loss_ratio: largest ratio of the loss after and before these steps.
    """

    task: ClassVar[type[Task[Any]]]
    label: ClassVar[LabelSpec]
    settings: ClassVar[Mapping[str, object]] = {}
    samples: ClassVar[int] = 4
    loss_is_mean: ClassVar[bool] = True
    steps: ClassVar[int] = 60
    max_loss_ratio: ClassVar[float] = 0.5

    def make_targets(
        self, count: int, image_size: tuple[int, int], generator: Generator
    ) -> TargetValues:
        """Return labels; the default is random labels of the label's form.

        Args:
            count: number of samples.
            image_size: ``(height, width)`` in pixels.
            generator: source of the random numbers.

        Returns:
            Labels of ``count`` samples.
        """
        return random_targets(self.label, count, image_size, generator)

    def make_task(self) -> Task[Any]:
        """Return the task under test.

        Returns:
            A new task with the name ``it``.
        """
        return self.task("it", self.task.Settings.model_validate(dict(self.settings)), self.label)

    def make_fit(self, features: FeatureSpec, count: int | None = None, seed: int = 0) -> HeadFit:
        """Return a new head with random levels and labels.

        Args:
            features: levels of the backbone.
            count: number of samples; :attr:`samples` by default.
            seed: seed of the weights, the levels and the labels.

        Returns:
            The head with its data.
        """
        generator = torch.Generator().manual_seed(seed)
        count = self.samples if count is None else count
        task = self.make_task()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = task.build_head(features)
        return HeadFit(
            task,
            head,
            random_levels(features, count, generator),
            self.make_targets(count, features.image_size, generator),
        )

    @pytest.fixture(params=list(FEATURES))
    def features(self, request: pytest.FixtureRequest) -> FeatureSpec:
        """Return the levels of each kind of backbone in turn.

        Args:
            request: request of pytest with the name of the backbone.

        Returns:
            The specification of the levels.
        """
        return FEATURES[request.param]

    def test_kind_and_descriptions_are_set(self) -> None:
        """Check the kind, the summary and the description of every setting."""
        assert self.task.kind == self.task.kind.strip().lower() != ""
        assert self.task.summary
        assert "\n" not in self.task.summary
        assert self.label.form in self.task.accepts
        for name, field in self.task.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_metrics_are_declared(self) -> None:
        """Check unique names, one primary metric and ordered bounds."""
        metrics = self.make_task().metrics
        names = [metric.name for metric in metrics]
        assert len(set(names)) == len(names)
        assert [metric.primary for metric in metrics].count(True) == 1
        assert all(metric.low < metric.high for metric in metrics)

    def test_metrics_without_batches_are_nan(self) -> None:
        """Check that a new meter computes NaN for every metric."""
        task = self.make_task()
        values = task.meter().compute()
        assert set(values) == {metric.name for metric in task.metrics}
        assert all(math.isnan(value) for value in values.values()), values

    def test_metrics_are_within_their_bounds(self, features: FeatureSpec) -> None:
        """Check that exactly the declared metrics have values within their bounds."""
        fit = self.make_fit(features)
        values = compute_metrics(fit.task, fit.outputs(), fit.targets)
        assert set(values) == {metric.name for metric in fit.task.metrics}
        for metric in fit.task.metrics:
            value = values[metric.name]
            assert math.isnan(value) or metric.low <= value <= metric.high, metric.name

    def test_results_per_class_are_fractions(self, features: FeatureSpec) -> None:
        """Check that results per class, if the meter has them, are named by the classes."""
        fit = self.make_fit(features)
        meter = fit.task.meter()
        if not isinstance(meter, PerClassMeter):
            return  # results per class are optional
        assert not any(math.isfinite(value) for value in _class_values(meter))
        meter.update(fit.outputs(), fit.targets)
        meter.compute()
        assert all(tuple(values) == self.label.classes for values in meter.per_class().values())
        assert all(math.isnan(value) or 0 <= value <= 1 for value in _class_values(meter))
        assert any(math.isfinite(value) for value in _class_values(meter))

    def test_metrics_of_a_subset_are_those_of_its_samples(self) -> None:
        """Compare metrics of a subset, if the meter has them, with a meter of these samples."""
        fit = self.make_fit(FEATURES["cnn"])
        outputs, meter = fit.outputs(), fit.task.meter()
        if not isinstance(meter, SubsetMeter):
            return  # standard errors are optional
        meter.update(outputs, fit.targets)
        for rows in (range(self.samples), range(0, self.samples, 2), range(0)):
            other = fit.task.meter()
            for row in rows:
                other.update(_row(outputs, row), fit.targets[row : row + 1])
            values = meter.compute_subset(list(rows))
            assert set(values) == {metric.name for metric in fit.task.metrics}
            for name, value in other.compute().items():
                assert values[name] == pytest.approx(value, abs=1e-5, nan_ok=True), name

    def test_metrics_do_not_depend_on_the_batch_size(self) -> None:
        """Compare one batch of all samples with one batch per sample."""
        fit = self.make_fit(FEATURES["cnn"])
        outputs = fit.outputs()
        whole = compute_metrics(fit.task, outputs, fit.targets)
        meter = fit.task.meter()
        for row in range(self.samples):
            meter.update(_row(outputs, row), fit.targets[row : row + 1])
        for name, value in meter.compute().items():
            assert value == pytest.approx(whole[name], abs=1e-5, nan_ok=True), name

    def test_loss_reaches_every_parameter(self, features: FeatureSpec) -> None:
        """Check a finite scalar with a gradient for the whole head and for the backbone."""
        fit = self.make_fit(features)
        fit.head.train()
        for level in fit.levels:
            level.requires_grad_()
        loss = fit.loss()
        assert loss.ndim == 0
        assert loss.isfinite()
        loss.backward()  # type: ignore[no-untyped-call]
        missing = [
            name for name, parameter in fit.head.named_parameters() if not _has_gradient(parameter)
        ]
        assert not missing, f"no gradient reaches {', '.join(missing)}"
        assert any(_has_gradient(level) for level in fit.levels), "no gradient reaches the backbone"

    def test_batch_of_one_sample_can_be_trained_on(self, features: FeatureSpec) -> None:
        """Check that the gradients of one labeled sample are finite."""
        fit = self.make_fit(features, count=1)
        fit.head.train()
        fit.loss().backward()  # type: ignore[no-untyped-call]
        grads = _gradients(fit.head)
        assert grads
        assert all(grad.isfinite().all() for grad in grads)

    def test_samples_do_not_affect_each_other(self, features: FeatureSpec) -> None:
        """Check that outputs in evaluation mode do not depend on the batch."""
        fit = self.make_fit(features)
        whole = fit.outputs()
        for row in range(self.samples):
            single = fit.outputs([level[row : row + 1] for level in fit.levels])
            for name, value in _row(whole, row).items():
                torch.testing.assert_close(single[name], value, rtol=1e-3, atol=1e-4)

    def test_loss_is_a_mean_over_samples(self, features: FeatureSpec) -> None:
        """Check that each labeled sample of a batch has the same weight."""
        if not self.loss_is_mean:
            pytest.skip("the loss weights samples by their content")
        fit = self.make_fit(features)
        outputs = fit.outputs()
        whole = fit.task.loss(outputs, fit.targets)
        losses = [
            fit.task.loss(_row(outputs, row), fit.targets[row : row + 1])
            for row in range(self.samples)
        ]
        torch.testing.assert_close(whole, torch.stack(losses).mean(), rtol=1e-4, atol=1e-5)

    def test_same_seed_gives_equal_results(self, features: FeatureSpec) -> None:
        """Check that weights, outputs and loss are equal bit for bit."""
        first, second = self.make_fit(features), self.make_fit(features)
        assert all(
            torch.equal(value, second.head.state_dict()[name])
            for name, value in first.head.state_dict().items()
        )
        outputs, repeated = first.outputs(), second.outputs()
        assert all(torch.equal(value, repeated[name]) for name, value in outputs.items())
        loss = first.task.loss(outputs, first.targets)
        assert torch.equal(loss, second.task.loss(repeated, second.targets))
        assert all(torch.equal(value, repeated[name]) for name, value in outputs.items()), "changed"

    def test_loss_of_bfloat16_outputs_is_finite(self, features: FeatureSpec) -> None:
        """Check loss and gradients of a head that runs in mixed precision."""
        fit = self.make_fit(features)
        fit.head.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = fit.head(fit.levels)
        loss = fit.task.loss({name: value.float() for name, value in outputs.items()}, fit.targets)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.isfinite()
        assert all(grad.isfinite().all() for grad in _gradients(fit.head))

    @pytest.mark.parametrize("name", TWO_BACKBONES)
    def test_four_samples_can_be_overfitted(self, name: str) -> None:
        """Check that the loss and the primary metric of four samples improve."""
        fit = self.make_fit(FEATURES[name], count=4)
        (primary,) = (metric for metric in fit.task.metrics if metric.primary)
        before = compute_metrics(fit.task, fit.outputs(), fit.targets)[primary.name]
        first, last = fit.train(self.steps)
        after = compute_metrics(fit.task, fit.outputs(), fit.targets)[primary.name]
        ratio = f"the loss fell from {first:.4g} only to {last:.4g}"
        assert last < self.max_loss_ratio * first, ratio
        best = primary.high if primary.higher_is_better else primary.low
        gain = after - before if primary.higher_is_better else before - after
        assert gain > 0 or after == best, f"{primary.name} went from {before:.4g} to {after:.4g}"

    def test_predictions_match_the_output_spec(self, features: FeatureSpec) -> None:
        """Check names, shapes, float32 and ranges of the exported tensors."""
        fit = self.make_fit(features)
        tensors = fit.task.predict(fit.outputs())
        assert fit.task.output.form in Form
        for name, shape in _shapes(fit.task, features, self.samples, tensors).items():
            assert tuple(tensors[name].shape) == shape, name
            assert tensors[name].dtype == torch.float32, name
            assert tensors[name].isfinite().all(), name
        _check_ranges(fit.task.output.form, tensors, features.image_size)

    def test_predictions_are_decoded_and_drawn(self, features: FeatureSpec) -> None:
        """Check an image of another size than the input: JSON form and a new picture."""
        fit = self.make_fit(features, count=2)
        tensors = fit.task.predict(fit.outputs())
        picture = Image.fromarray(np.zeros((90, 120, 3), np.uint8))
        for row in range(2):
            arrays = {name: value[row].numpy() for name, value in tensors.items()}
            prediction = fit.task.decode(
                arrays, input_size=features.image_size, image_size=(90, 120)
            )
            json.dumps(to_json(fit.task.output, prediction))
            drawn = fit.task.draw(picture, prediction)
            assert drawn is not picture
        assert not np.asarray(picture).any(), "the original image was changed"

    @pytest.mark.parametrize("name", TWO_BACKBONES)
    def test_head_and_prediction_can_be_exported(self, name: str) -> None:
        """Check one graph of head and prediction with an open batch size."""
        fit = self.make_fit(FEATURES[name], count=2)
        module = _ExportModule(fit.head.eval(), fit.task)
        batch = torch.export.Dim("batch")
        exported = torch.export.export(
            module, (fit.levels,), dynamic_shapes=([{0: batch} for _ in fit.levels],)
        ).module()
        for count in (1, 3):
            levels = random_levels(FEATURES[name], count, torch.Generator().manual_seed(count))
            with torch.no_grad():
                expected, actual = module(levels), exported(levels)
            for key, value in expected.items():
                torch.testing.assert_close(actual[key], value, rtol=1e-4, atol=1e-4)


def _class_values(meter: PerClassMeter) -> list[float]:
    return [value for values in meter.per_class().values() for value in values.values()]


class _ExportModule(nn.Module):
    """Module of one task that a bundle exports."""

    def __init__(self, head: nn.Module, task: Task[Any]) -> None:
        super().__init__()
        self.head = head
        self.task = task

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        """Return the tensors of :meth:`Task.predict`."""
        return dict(self.task.predict(self.head(levels)))


def _row(outputs: Outputs, row: int) -> dict[str, Tensor]:
    return {name: value[row : row + 1] for name, value in outputs.items()}


def _has_gradient(tensor: Tensor) -> bool:
    return tensor.grad is not None and bool(tensor.grad.any())


def _gradients(head: nn.Module) -> list[Tensor]:
    return [parameter.grad for parameter in head.parameters() if parameter.grad is not None]


def _shapes(
    task: Task[Any], features: FeatureSpec, count: int, tensors: Outputs
) -> dict[str, tuple[int, ...]]:
    """Return the shapes that :class:`OutputSpec` lists for the form of a task."""
    form, classes = task.output.form, len(task.output.classes)
    if form is Form.BOXES:
        points = tensors["boxes"].shape[1]
        return {"boxes": (count, points, 4), "scores": (count, points, classes)}
    if form is Form.MASK:
        return {"scores": (count, classes, *features.image_size)}
    if form is Form.MAP:
        return {"values": (count, task.label.channels, *features.image_size)}
    if form is Form.NUMBER:
        return {"value": (count,)}
    return {"scores": (count, classes)}


def _check_ranges(form: Form, tensors: Outputs, image_size: tuple[int, int]) -> None:
    if form in (Form.CATEGORY, Form.CATEGORIES, Form.BOXES):
        assert ((tensors["scores"] >= 0) & (tensors["scores"] <= 1)).all()
    if form is Form.CATEGORY:
        torch.testing.assert_close(tensors["scores"].sum(1), torch.ones(len(tensors["scores"])))
    if form is Form.BOXES:
        low, high = tensors["boxes"][..., :2], tensors["boxes"][..., 2:]
        assert (low >= 0).all()
        assert (low <= high).all()
        assert (high <= torch.tensor([image_size[1], image_size[0]])).all()
