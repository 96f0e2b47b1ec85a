"""A missing label is ordinary: it costs nothing and moves nothing."""

from __future__ import annotations

import math

import pytest
import torch

from mtlsearch.errors import TrainingError
from mtlsearch.training import evaluate
from tests.training.fakes import CPU, Network, Points, config, guesses, run

BOTH = {"a": "a", "b": "b"}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_task_absent_from_a_batch_is_not_moved(optimizer: str) -> None:
    """Weight decay and momentum would move it, if its gradient were zero and not None."""
    data = Points(labelled={"b": range(4)})
    settings = config(batch_size=4, epochs=1, optimizer=optimizer, weight_decay=0.5)

    class Ordered(Points):
        def train_batches(self, epoch, batch_size):
            yield from self._batches(list(range(self.images)), batch_size)

    network = Network("a", "b")
    seen: list[dict[str, torch.Tensor]] = []

    class Watch:
        def step(self, done, total, loss):
            seen.append({name: at.clone() for name, at in network.state_dict().items()})

        def epoch(self, record, total): ...

    run(network, guesses("a", "b"), Ordered(labelled=data.labelled), settings, progress=Watch())
    after_first, at_end = seen[0], seen[-1]
    for name in after_first:
        if "b." in name:
            assert torch.equal(after_first[name], at_end[name]), name
        elif "weight" in name:
            assert not torch.equal(after_first[name], at_end[name]), name
    assert network.own["b"].weight.grad is None


def test_only_tasks_with_labels_are_run() -> None:
    network = Network("a", "b")
    run(network, guesses("a", "b"), Points(labelled={"b": range(0, 24, 12)}), config(batch_size=2))
    assert ("a",) in network.asked
    assert ("a", "b") in network.asked


def test_the_loss_is_the_mean_over_labelled_samples() -> None:
    """Unlabelled images in the batch change BatchNorm's statistics, but no task's loss."""
    tasks = guesses("a")
    frozen = config(epochs=1, batch_size=24)
    data = Points(labels=("a",), labelled={"a": range(5)})
    network = Network("a")
    network.trunk[4].p = 0.0
    images = data.batch(list(range(24)))
    order = next(iter(data.train_batches(0, 24))).images
    network.train()
    with torch.no_grad():
        scores = network(order)["a"]["scores"]
    batch = next(iter(data.train_batches(0, 24)))
    rows = batch.targets["a"].rows
    expected = tasks["a"].loss({"scores": scores[rows]}, batch.targets["a"].values).item()
    assert len(images.images) == 24
    assert len(rows) == 5

    fresh = Network("a")
    fresh.trunk[4].p = 0.0
    result = run(fresh, tasks, data, frozen)
    assert result.epochs[0].train_losses["a"] == pytest.approx(expected, rel=1e-6)


def test_a_batch_without_any_label_is_passed_by() -> None:
    data = Points(labels=("a",), labelled={"a": range(12)})
    result = run(Network("a"), guesses("a"), data, config(batch_size=2))
    assert result.steps == 24


def test_a_task_without_any_training_label_is_named() -> None:
    with pytest.raises(TrainingError, match="no training image has a label for b"):
        run(Network("a", "b"), guesses("a", "b"), Points(labels=("a",)))


def test_loss_weights_scale_a_tasks_gradient() -> None:
    """With SGD, no clipping and one step, twice the weight moves a task's head twice as far."""
    settings = config(
        epochs=1, batch_size=24, optimizer="sgd", clip_norm=None, weight_decay=0, warmup=0
    )
    start = Network("a", "b").heads["a"].weight.detach()
    moved = []
    for weight in (1.0, 2.0):
        network = Network("a", "b")
        chosen = {"a": weight, "b": 1.0}
        run(network, guesses("a", "b"), Points(), settings, weights=chosen)
        moved.append(network.heads["a"].weight.detach() - start)
    torch.testing.assert_close(moved[1], 2 * moved[0])
    assert moved[0].abs().max() > 0


@pytest.mark.parametrize("batch_size", [1, 5, 24])
def test_evaluation_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    data = Points(labelled={"b": range(3, 9)})
    network = Network("a", "b")
    found = evaluate(network, guesses("a", "b"), data.eval_batches("val", batch_size), BOTH, CPU)
    whole = evaluate(network, guesses("a", "b"), data.eval_batches("val", 24), BOTH, CPU)
    assert found == whole


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_the_network_as_it_was(training: bool) -> None:
    network = Network("a").train(training)
    before = {name: at.clone() for name, at in network.state_dict().items()}
    evaluate(network, guesses("a"), Points().eval_batches("val", 8), {"a": "a"}, CPU)
    assert network.training is training
    assert all(torch.equal(before[name], at) for name, at in network.state_dict().items())


def test_what_nobody_labelled_is_not_a_number() -> None:
    data = Points(labels=("a",))
    found = evaluate(Network("a", "b"), guesses("a", "b"), data.eval_batches("val", 8), BOTH, CPU)
    assert math.isnan(found["b"]["accuracy"])
    assert not math.isnan(found["a"]["accuracy"])


def test_tasks_may_share_a_label() -> None:
    data = Points(labels=("a",))
    found = evaluate(
        Network("a", "b"),
        guesses("a", "b"),
        data.eval_batches("val", 8),
        {"a": "a", "b": "a"},
        CPU,
    )
    assert not math.isnan(found["b"]["accuracy"])
