"""The contract of a task kind, as tests."""

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
from mtlsearch.plugin import FeatureSpec, Outputs, TargetValues, Task
from mtlsearch.prediction import to_json
from mtlsearch.testing._features import FEATURES, random_levels
from mtlsearch.testing._head_fit import HeadFit, measured
from mtlsearch.testing._random_targets import random_targets

SOME = ("cnn", "plain vit")


class TaskContract:
    """What every task kind must do, on the feature levels of several kinds of backbone.

    Subclass it in a test module, name the class ``Test...`` and say which task::

        class TestDepth(TaskContract):
            task = Depth
            label = LabelSpec(Form.MAP, unit="m")

    Attributes:
        task: the task kind.
        label: the label it learns here.
        settings: its settings, as a run file has them.
        samples: samples of a batch.
        fair: whether the loss of a batch is the mean of its samples' losses.
        steps: optimizer steps in which four samples are learned by heart.
        fallen: the part of the loss that may be left by then.
    """

    task: ClassVar[type[Task[Any]]]
    label: ClassVar[LabelSpec]
    settings: ClassVar[Mapping[str, object]] = {}
    samples: ClassVar[int] = 4
    fair: ClassVar[bool] = True
    steps: ClassVar[int] = 60
    fallen: ClassVar[float] = 0.5

    def make_targets(
        self, count: int, image_size: tuple[int, int], generator: Generator
    ) -> TargetValues:
        """Labels of ``count`` samples; random ones of the label's form by default."""
        return random_targets(self.label, count, image_size, generator)

    def make_task(self) -> Task[Any]:
        """The task under test."""
        return self.task("it", self.task.Settings.model_validate(dict(self.settings)), self.label)

    def make_fit(self, features: FeatureSpec, count: int | None = None, seed: int = 0) -> HeadFit:
        """A new head with random levels and labels."""
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
        """Levels of one kind of backbone after another."""
        return FEATURES[request.param]

    def test_it_introduces_itself(self) -> None:
        """Kind, one line, and a description of every setting."""
        assert self.task.kind == self.task.kind.strip().lower() != ""
        assert self.task.summary
        assert "\n" not in self.task.summary
        assert self.label.form in self.task.accepts
        for name, field in self.task.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_metrics_are_declared(self) -> None:
        """Each name once, one primary, bounds in order."""
        metrics = self.make_task().metrics
        names = [metric.name for metric in metrics]
        assert len(set(names)) == len(names)
        assert [metric.primary for metric in metrics].count(True) == 1
        assert all(metric.low < metric.high for metric in metrics)

    def test_metrics_of_nothing_are_undefined(self) -> None:
        """A meter that has seen nothing says NaN, of every metric."""
        task = self.make_task()
        values = task.meter().compute()
        assert set(values) == {metric.name for metric in task.metrics}
        assert all(math.isnan(value) for value in values.values()), values

    def test_metrics_lie_within_their_bounds(self, features: FeatureSpec) -> None:
        """Every declared metric, and no other, has a value within its bounds."""
        fit = self.make_fit(features)
        values = measured(fit.task, fit.outputs(), fit.targets)
        assert set(values) == {metric.name for metric in fit.task.metrics}
        for metric in fit.task.metrics:
            value = values[metric.name]
            assert math.isnan(value) or metric.low <= value <= metric.high, metric.name

    def test_metrics_do_not_depend_on_how_batches_are_cut(self) -> None:
        """One batch of all samples measures what one batch a sample does."""
        fit = self.make_fit(FEATURES["cnn"])
        outputs = fit.outputs()
        whole = measured(fit.task, outputs, fit.targets)
        meter = fit.task.meter()
        for row in range(self.samples):
            meter.update(_row(outputs, row), fit.targets[row : row + 1])
        for name, value in meter.compute().items():
            assert value == pytest.approx(whole[name], abs=1e-5, nan_ok=True), name

    def test_loss_reaches_every_parameter(self, features: FeatureSpec) -> None:
        """A finite scalar with a gradient for all of the head and for the backbone."""
        fit = self.make_fit(features)
        fit.head.train()
        for level in fit.levels:
            level.requires_grad_()
        loss = fit.loss()
        assert loss.ndim == 0
        assert loss.isfinite()
        loss.backward()  # type: ignore[no-untyped-call]
        untouched = [name for name, one in fit.head.named_parameters() if not _moves(one)]
        assert not untouched, f"no gradient reaches {', '.join(untouched)}"
        assert any(_moves(level) for level in fit.levels), "no gradient reaches the backbone"

    def test_one_sample_will_do(self, features: FeatureSpec) -> None:
        """A batch with one labelled sample can be trained on."""
        fit = self.make_fit(features, count=1)
        fit.head.train()
        fit.loss().backward()  # type: ignore[no-untyped-call]
        grads = [one.grad for one in fit.head.parameters() if one.grad is not None]
        assert grads
        assert all(grad.isfinite().all() for grad in grads)

    def test_samples_do_not_meet(self, features: FeatureSpec) -> None:
        """Evaluating, a sample's outputs are the same whatever batch it is in."""
        fit = self.make_fit(features)
        whole = fit.outputs()
        for row in range(self.samples):
            alone = fit.outputs([level[row : row + 1] for level in fit.levels])
            for name, value in _row(whole, row).items():
                torch.testing.assert_close(alone[name], value, rtol=1e-3, atol=1e-4)

    def test_loss_is_a_mean_over_samples(self, features: FeatureSpec) -> None:
        """So that a batch of which few samples are labelled weighs them fairly."""
        if not self.fair:
            pytest.skip("declared to weigh samples by what they hold")
        fit = self.make_fit(features)
        outputs = fit.outputs()
        whole = fit.task.loss(outputs, fit.targets)
        each = [
            fit.task.loss(_row(outputs, row), fit.targets[row : row + 1])
            for row in range(self.samples)
        ]
        torch.testing.assert_close(whole, torch.stack(each).mean(), rtol=1e-4, atol=1e-5)

    def test_the_same_seed_gives_the_same(self, features: FeatureSpec) -> None:
        """Weights, outputs and loss, bit for bit."""
        one, other = self.make_fit(features), self.make_fit(features)
        assert all(
            torch.equal(value, other.head.state_dict()[name])
            for name, value in one.head.state_dict().items()
        )
        outputs, again = one.outputs(), other.outputs()
        assert all(torch.equal(value, again[name]) for name, value in outputs.items())
        loss = one.task.loss(outputs, one.targets)
        assert torch.equal(loss, other.task.loss(again, other.targets))
        assert all(torch.equal(value, again[name]) for name, value in outputs.items()), "changed"

    def test_short_formats_stay_finite(self, features: FeatureSpec) -> None:
        """What the head computes in bfloat16, its loss can use."""
        fit = self.make_fit(features)
        fit.head.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = fit.head(fit.levels)
        loss = fit.task.loss({name: value.float() for name, value in outputs.items()}, fit.targets)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.isfinite()
        grads = [one.grad for one in fit.head.parameters() if one.grad is not None]
        assert all(grad.isfinite().all() for grad in grads)

    @pytest.mark.parametrize("name", SOME)
    def test_it_learns_by_heart(self, name: str) -> None:
        """Loss and primary metric get clearly better on four samples that it may memorise."""
        fit = self.make_fit(FEATURES[name], count=4)
        (primary,) = (metric for metric in fit.task.metrics if metric.primary)
        before = measured(fit.task, fit.outputs(), fit.targets)[primary.name]
        first, last = fit.train(self.steps)
        after = measured(fit.task, fit.outputs(), fit.targets)[primary.name]
        assert last < self.fallen * first, f"the loss went from {first:.4g} to {last:.4g} only"
        best = primary.high if primary.higher_is_better else primary.low
        gain = after - before if primary.higher_is_better else before - after
        assert gain > 0 or after == best, f"{primary.name} went from {before:.4g} to {after:.4g}"

    def test_predictions_are_as_declared(self, features: FeatureSpec) -> None:
        """The tensors of the form, in float32 and of the right shapes and ranges."""
        fit = self.make_fit(features)
        tensors = fit.task.predict(fit.outputs())
        assert fit.task.output.form in Form
        for name, shape in _shapes(fit.task, features, self.samples, tensors).items():
            assert tuple(tensors[name].shape) == shape, name
            assert tensors[name].dtype == torch.float32, name
            assert tensors[name].isfinite().all(), name
        _check_ranges(fit.task.output.form, tensors, features.image_size)

    def test_predictions_are_decoded_and_drawn(self, features: FeatureSpec) -> None:
        """For an image of another size than the input; JSON-ready, and the picture is new."""
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
        assert not np.asarray(picture).any(), "the picture itself was drawn on"

    @pytest.mark.parametrize("name", SOME)
    def test_it_can_be_exported(self, name: str) -> None:
        """Head and prediction in one graph, the batch size open."""
        fit = self.make_fit(FEATURES[name], count=2)
        module = _Exported(fit.head.eval(), fit.task)
        batch = torch.export.Dim("batch")
        exported = torch.export.export(
            module, (fit.levels,), dynamic_shapes=([{0: batch} for _ in fit.levels],)
        ).module()
        for count in (1, 3):
            levels = random_levels(FEATURES[name], count, torch.Generator().manual_seed(count))
            with torch.no_grad():
                expected, got = module(levels), exported(levels)
            for key, value in expected.items():
                torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-4)


class _Exported(nn.Module):
    """What a bundle's graph computes of one task."""

    def __init__(self, head: nn.Module, task: Task[Any]) -> None:
        super().__init__()
        self.head = head
        self.task = task

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        return dict(self.task.predict(self.head(levels)))


def _row(outputs: Outputs, row: int) -> dict[str, Tensor]:
    return {name: value[row : row + 1] for name, value in outputs.items()}


def _moves(tensor: Tensor) -> bool:
    return tensor.grad is not None and bool(tensor.grad.any())


def _shapes(
    task: Task[Any], features: FeatureSpec, count: int, tensors: Outputs
) -> dict[str, tuple[int, ...]]:
    """The shapes that :class:`OutputSpec` lists."""
    form, classes = task.output.form, len(task.output.classes)
    if form is Form.BOXES:
        points = tensors["boxes"].shape[1]
        return {"boxes": (count, points, 4), "scores": (count, points, classes)}
    if form is Form.MASK:
        return {"scores": (count, classes, *features.image_size)}
    if form is Form.MAP:
        return {"values": (count, task.label.channels, *features.image_size)}
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
