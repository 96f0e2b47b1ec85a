"""Missing labels change neither losses nor the parameters of their task."""

from __future__ import annotations

import math

import pytest
import torch

from mtlsearch.errors import TrainingError
from mtlsearch.training import TrainingHooks, evaluate
from tests.training.fakes import CPU, Network, Points, config, guesses, run

BOTH = {"a": "a", "b": "b"}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_task_without_labels_in_a_batch_is_not_updated(optimizer: str) -> None:
    """Weight decay and momentum would update it if its gradient were zero and not None."""
    data = Points(labeled={"b": range(4)})
    settings = config(batch_size=4, epochs=1, optimizer=optimizer, weight_decay=0.5)

    class OrderedPoints(Points):
        def train_batches(self, epoch, batch_size):
            yield from self._batches(list(range(self.images)), batch_size)

    network = Network("a", "b")
    states: list[dict[str, torch.Tensor]] = []

    class StateHooks(TrainingHooks):
        def on_step(self, num_steps: int, total: int, loss: float) -> None:
            states.append({name: value.clone() for name, value in network.state_dict().items()})

    ordered = OrderedPoints(labeled=data.labeled)
    run(network, guesses("a", "b"), ordered, settings, hooks=StateHooks())
    after_first, final = states[0], states[-1]
    for name in after_first:
        if "b." in name:
            assert torch.equal(after_first[name], final[name]), name
        elif "weight" in name:
            assert not torch.equal(after_first[name], final[name]), name
    assert network.layers["b"].weight.grad is None


def test_network_runs_only_for_tasks_with_labels() -> None:
    network = Network("a", "b")
    run(network, guesses("a", "b"), Points(labeled={"b": range(0, 24, 12)}), config(batch_size=2))
    assert ("a",) in network.task_calls
    assert ("a", "b") in network.task_calls


def test_loss_is_the_mean_over_labeled_samples() -> None:
    """Unlabeled images in the batch change BatchNorm's statistics, but no task's loss."""
    tasks = guesses("a")
    settings = config(epochs=1, batch_size=24)
    data = Points(labels=("a",), labeled={"a": range(5)})
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

    trained = Network("a")
    trained.trunk[4].p = 0.0
    result = run(trained, tasks, data, settings)
    assert result.epochs[0].train_losses["a"] == pytest.approx(expected, rel=1e-6)


def test_batch_without_any_label_is_skipped() -> None:
    data = Points(labels=("a",), labeled={"a": range(12)})
    result = run(Network("a"), guesses("a"), data, config(batch_size=2))
    assert result.steps == 24


def test_task_without_any_training_label_raises() -> None:
    with pytest.raises(TrainingError, match="no training image has a label for b"):
        run(Network("a", "b"), guesses("a", "b"), Points(labels=("a",)))


def test_loss_weights_scale_the_gradient_of_a_task() -> None:
    """With SGD, no clipping and one step, twice the weight doubles the change of the head."""
    settings = config(
        epochs=1, batch_size=24, optimizer="sgd", clip_norm=None, weight_decay=0, warmup=0
    )
    start = Network("a", "b").heads["a"].weight.detach()
    changes = []
    for weight in (1.0, 2.0):
        network = Network("a", "b")
        run(
            network,
            guesses("a", "b"),
            Points(),
            settings,
            loss_weights={"a": weight, "b": 1.0},
        )
        changes.append(network.heads["a"].weight.detach() - start)
    torch.testing.assert_close(changes[1], 2 * changes[0])
    assert changes[0].abs().max() > 0


@pytest.mark.parametrize("batch_size", [1, 5, 24])
def test_evaluation_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    data = Points(labeled={"b": range(3, 9)})
    network = Network("a", "b")
    metrics = evaluate(network, guesses("a", "b"), data.eval_batches("val", batch_size), BOTH, CPU)
    expected = evaluate(network, guesses("a", "b"), data.eval_batches("val", 24), BOTH, CPU)
    assert metrics == expected


@pytest.mark.parametrize("is_training", [True, False])
def test_evaluation_restores_the_network(is_training: bool) -> None:
    network = Network("a").train(is_training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    evaluate(network, guesses("a"), Points().eval_batches("val", 8), {"a": "a"}, CPU)
    assert network.training is is_training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_metrics_without_labels_are_nan() -> None:
    data = Points(labels=("a",))
    batches = data.eval_batches("val", 8)
    metrics = evaluate(Network("a", "b"), guesses("a", "b"), batches, BOTH, CPU)
    assert math.isnan(metrics["b"]["accuracy"])
    assert not math.isnan(metrics["a"]["accuracy"])


def test_tasks_can_share_a_label() -> None:
    data = Points(labels=("a",))
    metrics = evaluate(
        Network("a", "b"),
        guesses("a", "b"),
        data.eval_batches("val", 8),
        {"a": "a", "b": "a"},
        CPU,
    )
    assert not math.isnan(metrics["b"]["accuracy"])
