"""A batch in parts: the same gradient, less memory."""

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
from mtlsearch.training import Precision, TrainingResult
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import StepOutcome, TrainingStep
from tests.training.fakes import Network, Points, Watcher, config, guesses, run

TASKS = ("a", "b")


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A few images of which some carry labels of ``a``, some of ``b``, some of none."""
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
def test_parts_make_up_the_batch(batch: Batch, count: int) -> None:
    parts = micro_batches(batch, count)
    sizes = [len(part.images) for part in parts]
    assert len(parts) == min(count, len(batch.images))
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    for label, whole in batch.targets.items():
        carriers = [
            (start, part.targets.get(label)) for start, part in zip(starts, parts, strict=True)
        ]
        found = [(start + at.rows, at.values) for start, at in carriers if at is not None]
        assert torch.equal(torch.cat([rows for rows, _ in found]), whole.rows)
        assert torch.equal(torch.cat([values for _, values in found]), whole.values)


def test_boxes_stay_with_their_images() -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    boxes = tuple(BoxTargets(torch.full((1, 4), at), nothing, nothing) for at in (0.0, 3.0, 4.0))
    batch = Batch(torch.zeros(5, 3, 4, 4), {"boxes": Targets(torch.tensor([0, 3, 4]), boxes)})
    parts = micro_batches(batch, 3)
    assert [len(part.images) for part in parts] == [1, 2, 2]
    assert "boxes" not in parts[1].targets
    assert parts[2].targets["boxes"].rows.tolist() == [0, 1]
    assert parts[2].targets["boxes"].values == boxes[1:]


def plain(seed: int = 0) -> Network:
    """A network in which images know nothing of each other, and no chance."""
    network = Network(*TASKS, seed=seed)
    network.trunk[2] = nn.Identity()
    network.trunk[4] = nn.Identity()
    return network


def gradient(batch: Batch, count: int) -> tuple[StepOutcome | None, dict[str, torch.Tensor]]:
    network = plain()
    step = TrainingStep(
        network,
        guesses(*TASKS),
        labels_of={task: task for task in TASKS},
        loss_weights={"a": 0.5, "b": 3.0},
        optimizer=build_optimizer(network, "sgd", learning_rate=0.1, weight_decay=0),
        precision=Precision(),
        clip_norm=None,
    )
    outcome = step(*micro_batches(batch, count))
    return outcome, {
        name: at.grad for name, at in network.named_parameters() if at.grad is not None
    }


@given(batch=batches(), count=st.integers(2, 6))
@settings(deadline=None, max_examples=60)
def test_the_gradient_is_the_whole_batchs_whatever_is_labelled(batch: Batch, count: int) -> None:
    expected, whole = gradient(batch, 1)
    found, parts = gradient(batch, count)
    assert whole.keys() == parts.keys()
    for name, at in whole.items():
        torch.testing.assert_close(parts[name], at, rtol=1e-5, atol=1e-6)
    if expected is None or found is None:
        assert found is expected is None
        return
    assert found.counts == expected.counts
    assert list(found.counts) == list(expected.counts)
    torch.testing.assert_close(found.numbers, expected.numbers, rtol=1e-5, atol=1e-6)


def test_a_training_in_parts_is_the_same_training() -> None:
    def trained(accumulation_steps: int) -> tuple[TrainingResult, nn.Module]:
        network = plain()
        data = Points(labelled={"b": range(9)})
        sgd = config(optimizer="sgd", accumulation_steps=accumulation_steps, batch_size=12)
        return run(network, guesses(*TASKS), data, sgd), network

    (expected, whole), (found, parts) = trained(1), trained(3)
    assert (found.steps, found.parts, found.note) == (expected.steps, 3, "")
    for one, other in zip(expected.epochs, found.epochs, strict=True):
        assert other.train_losses == pytest.approx(one.train_losses, rel=1e-5)
    for name, at in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], at, rtol=1e-5, atol=1e-6)


def test_more_parts_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="must be at most `train.batch_size` \\(8\\), got 9"):
        TrainConfig(batch_size=8, accumulation_steps=9)


class Small(Network):
    """A network on a device with memory for so many images; it runs out half-way through."""

    def __init__(self, *tasks: str, holds: int, after: int = 0) -> None:
        super().__init__(*tasks)
        self.holds, self.left = holds, after

    def forward(self, images, tasks=None):
        outputs = super().forward(images, tasks)
        self.left -= 1
        if len(images) > self.holds and self.left < 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return outputs


def everything(network: nn.Module) -> dict[str, torch.Tensor]:
    return {**network.state_dict(), **{f"{at}.b": value for at, value in network.named_buffers()}}


@pytest.mark.parametrize(("holds", "parts"), [(4, 2), (3, 4), (1, 8)])
def test_a_batch_too_large_is_trained_in_parts_as_if_from_the_start(holds: int, parts: int) -> None:
    """Dropout, running statistics and weights all are as if memory had never run out."""
    tiny, ample = Small(*TASKS, holds=holds), Network(*TASKS)
    if holds == 1:  # BatchNorm takes no single image
        tiny.trunk[2], ample.trunk[2] = nn.Identity(), nn.Identity()
    data, watcher = Points(labelled={"b": range(7)}), Watcher()
    found = run(tiny, guesses(*TASKS), data, progress=watcher)
    expected = run(ample, guesses(*TASKS), data, config(accumulation_steps=parts))
    assert [(at.train_losses, at.metrics) for at in found.epochs] == [
        (at.train_losses, at.metrics) for at in expected.epochs
    ]
    wanted = everything(ample)
    for name, value in everything(tiny).items():
        assert torch.equal(value, wanted[name]), name
    assert (found.parts, expected.parts) == (parts, parts)
    assert watcher.notes[-1] == found.note
    assert f"8 images: it was trained in {parts} parts" in found.note
    assert len(watcher.notes) == {2: 1, 4: 2, 8: 3}[parts]


def test_steps_before_memory_ran_out_stay_as_they_were() -> None:
    """The first step fits, then memory is taken by something else."""
    settings = config(epochs=1, batch_size=8)

    class Watch(Watcher):
        def step(self, done: int, total: int, loss: float) -> None:
            self.steps.append((done, total, loss))

    late, ample = Watch(), Watch()
    found = run(
        Small("a", holds=4, after=1), guesses("a"), Points(labels=("a",)), settings, progress=late
    )
    run(Network("a"), guesses("a"), Points(labels=("a",)), settings, progress=ample)
    assert late.steps[0] == ample.steps[0]
    assert late.steps[1] != ample.steps[1]
    assert (found.steps, found.parts) == (3, 2)


def test_evaluation_takes_no_more_images_at_once_than_a_part() -> None:
    class Data(Points):
        def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
            asked.append(batch_size)
            return super().eval_batches(split, batch_size)

    asked: list[int] = []
    run(Small("a", holds=3), guesses("a"), Data(labels=("a",)), config(epochs=1))
    assert asked == [2]


def test_memory_that_does_not_hold_one_image_ends_the_trial() -> None:
    network = Small("a", holds=0)
    network.trunk[2] = nn.Identity()
    with pytest.raises(TrainingError, match="not even image by image"):
        run(network, guesses("a"), Points(labels=("a",)))


def test_memory_that_the_update_lacks_is_not_tried_for_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some weights may have moved already; a smaller batch would not help."""

    def full(step: TrainingStep, losses: object) -> StepOutcome:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TrainingStep, "update", full)
    watcher = Watcher()
    with pytest.raises(TrainingError, match="memory"):
        run(Network("a"), guesses("a"), Points(labels=("a",)), progress=watcher)
    assert watcher.notes == []
