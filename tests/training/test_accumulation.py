"""Micro batches give the gradient of the whole batch with less memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mtlsearch.config import TrainConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Batch, BoxTargets, Targets
from mtlsearch.training import Precision, TrainingResult, micro_batches
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import StepOutcome, TrainingStep
from tests.training.fakes import Network, Points, RecordingHooks, config, guesses, run

TASKS = ("a", "b")


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Draw a batch of images with labels of ``a``, of ``b``, of both or of none."""
    images = draw(st.integers(1, 9))
    whole = Points(images=images).batch(list(range(images)))
    targets = {}
    for task in TASKS:
        rows = sorted(draw(st.sets(st.integers(0, images - 1))))
        if rows:
            chosen = torch.tensor(rows)
            targets[task] = Targets(chosen, whole.targets[task].values[chosen])
    return Batch(whole.images, targets)


@given(batch=batches(), count=st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_micro_batches_make_up_the_batch(batch: Batch, count: int) -> None:
    parts = micro_batches(batch, count)
    sizes = [len(part.images) for part in parts]
    assert len(parts) == min(count, len(batch.images))
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    for label, whole in batch.targets.items():
        carriers = [
            (start, part.targets.get(label)) for start, part in zip(starts, parts, strict=True)
        ]
        pieces = [
            (start + targets.rows, targets.values)
            for start, targets in carriers
            if targets is not None
        ]
        assert torch.equal(torch.cat([rows for rows, _ in pieces]), whole.rows)
        assert torch.equal(torch.cat([values for _, values in pieces]), whole.values)


def test_boxes_stay_with_their_images() -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    boxes = tuple(
        BoxTargets(torch.full((1, 4), value), nothing, nothing) for value in (0.0, 3.0, 4.0)
    )
    batch = Batch(torch.zeros(5, 3, 4, 4), {"boxes": Targets(torch.tensor([0, 3, 4]), boxes)})
    parts = micro_batches(batch, 3)
    assert [len(part.images) for part in parts] == [1, 2, 2]
    assert "boxes" not in parts[1].targets
    assert parts[2].targets["boxes"].rows.tolist() == [0, 1]
    assert parts[2].targets["boxes"].values == boxes[1:]


def deterministic_network(seed: int = 0) -> Network:
    """Return a network without BatchNorm and dropout, so that images are independent."""
    network = Network(*TASKS, seed=seed)
    network.trunk[2] = nn.Identity()
    network.trunk[4] = nn.Identity()
    return network


def gradient(batch: Batch, count: int) -> tuple[StepOutcome | None, dict[str, torch.Tensor]]:
    network = deterministic_network()
    step = TrainingStep(
        network,
        guesses(*TASKS),
        label_by_task={task: task for task in TASKS},
        loss_weights={"a": 0.5, "b": 3.0},
        optimizer=build_optimizer(network, "sgd", learning_rate=0.1, weight_decay=0),
        precision=Precision(),
        clip_norm=None,
    )
    outcome = step(*micro_batches(batch, count))
    return outcome, {
        name: parameter.grad
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


@given(batch=batches(), count=st.integers(2, 6))
@settings(deadline=None, max_examples=60)
def test_summed_gradient_equals_that_of_the_batch(batch: Batch, count: int) -> None:
    expected, expected_gradients = gradient(batch, 1)
    outcome, gradients = gradient(batch, count)
    assert gradients.keys() == expected_gradients.keys()
    for name, value in expected_gradients.items():
        torch.testing.assert_close(gradients[name], value, rtol=1e-5, atol=1e-6)
    if expected is None or outcome is None:
        assert outcome is expected is None
        return
    assert outcome.counts == expected.counts
    assert list(outcome.counts) == list(expected.counts)
    torch.testing.assert_close(outcome.numbers, expected.numbers, rtol=1e-5, atol=1e-6)


def test_accumulation_does_not_change_the_training() -> None:
    def train(accumulation_steps: int) -> tuple[TrainingResult, nn.Module]:
        network = deterministic_network()
        data = Points(labeled={"b": range(9)})
        sgd = config(optimizer="sgd", accumulation_steps=accumulation_steps, batch_size=12)
        return run(network, guesses(*TASKS), data, sgd), network

    (expected, expected_network), (result, network) = train(1), train(3)
    assert (result.steps, result.num_micro_batches, result.note) == (expected.steps, 3, "")
    for expected_record, record in zip(expected.epochs, result.epochs, strict=True):
        assert record.train_losses == pytest.approx(expected_record.train_losses, rel=1e-5)
    for name, value in expected_network.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_more_accumulation_steps_than_images_raise() -> None:
    with pytest.raises(ValueError, match=r"must be at most `train.batch_size` \(8\), got 9"):
        TrainConfig(batch_size=8, accumulation_steps=9)


class LimitedNetwork(Network):
    """A network that runs out of memory above a number of images, after some calls."""

    def __init__(self, *tasks: str, max_images: int, free_calls: int = 0) -> None:
        super().__init__(*tasks)
        self.max_images, self.free_calls = max_images, free_calls

    def forward(self, images, tasks=None):
        outputs = super().forward(images, tasks)
        self.free_calls -= 1
        if len(images) > self.max_images and self.free_calls < 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return outputs


def full_state(network: nn.Module) -> dict[str, torch.Tensor]:
    buffers = {f"{name}.buffer": value for name, value in network.named_buffers()}
    return {**network.state_dict(), **buffers}


@pytest.mark.parametrize(("max_images", "count"), [(4, 2), (3, 4), (1, 8)])
def test_split_after_out_of_memory_equals_a_planned_split(max_images: int, count: int) -> None:
    """Dropout, running statistics and weights are equal, bit for bit."""
    limited, unlimited = LimitedNetwork(*TASKS, max_images=max_images), Network(*TASKS)
    if max_images == 1:  # BatchNorm needs more than one image
        limited.trunk[2], unlimited.trunk[2] = nn.Identity(), nn.Identity()
    data, hooks = Points(labeled={"b": range(7)}), RecordingHooks()
    result = run(limited, guesses(*TASKS), data, hooks=hooks)
    expected = run(unlimited, guesses(*TASKS), data, config(accumulation_steps=count))
    assert [(record.train_losses, record.metrics) for record in result.epochs] == [
        (record.train_losses, record.metrics) for record in expected.epochs
    ]
    expected_state = full_state(unlimited)
    for name, value in full_state(limited).items():
        assert torch.equal(value, expected_state[name]), name
    assert (result.num_micro_batches, expected.num_micro_batches) == (count, count)
    assert hooks.notes[-1] == result.note
    assert f"8 images: it is split into {count} micro batches" in result.note
    assert len(hooks.notes) == {2: 1, 4: 2, 8: 3}[count]


def test_steps_before_out_of_memory_are_unchanged() -> None:
    """The first step fits; after it, less memory is available."""
    settings = config(epochs=1, batch_size=8)
    limited, unlimited = RecordingHooks(), RecordingHooks()
    data = Points(labels=("a",))
    network = LimitedNetwork("a", max_images=4, free_calls=1)
    result = run(network, guesses("a"), data, settings, hooks=limited)
    run(Network("a"), guesses("a"), data, settings, hooks=unlimited)
    assert limited.steps[0] == unlimited.steps[0]
    assert limited.steps[1] != unlimited.steps[1]
    assert (result.steps, result.num_micro_batches) == (3, 2)


def test_evaluation_uses_the_size_of_a_micro_batch() -> None:
    class RecordingPoints(Points):
        def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
            batch_sizes.append(batch_size)
            return super().eval_batches(split, batch_size)

    batch_sizes: list[int] = []
    network = LimitedNetwork("a", max_images=3)
    run(network, guesses("a"), RecordingPoints(labels=("a",)), config(epochs=1))
    assert batch_sizes == [2]


def test_memory_below_one_image_raises() -> None:
    network = LimitedNetwork("a", max_images=0)
    network.trunk[2] = nn.Identity()
    with pytest.raises(TrainingError, match="even with one image at a time"):
        run(network, guesses("a"), Points(labels=("a",)))


def test_out_of_memory_in_the_update_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some weights may have changed already, and a smaller batch would not help."""

    def failing_update(step: TrainingStep, losses: object) -> StepOutcome:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TrainingStep, "update", failing_update)
    hooks = RecordingHooks()
    with pytest.raises(TrainingError, match="memory"):
        run(Network("a"), guesses("a"), Points(labels=("a",)), hooks=hooks)
    assert hooks.notes == []
