"""Properties of every training."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mtlsearch.errors import InfrastructureError, NonFiniteLossError, TrainingError
from mtlsearch.training import TrainingResult
from tests.training.fakes import Network, Points, RecordingHooks, config, guesses, run


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def numbers(result: TrainingResult) -> list[object]:
    return [(record.train_losses, record.metrics) for record in result.epochs]


def test_training_learns() -> None:
    network = Network("a", "b")
    result = run(network, guesses("a", "b"), Points(), config(epochs=25))
    assert result.metrics["a"]["accuracy"] == 1.0
    assert result.epochs[-1].train_losses["b"] < result.epochs[0].train_losses["b"] / 2
    assert result.steps == 25 * 3
    assert [record.epoch for record in result.epochs] == list(range(25))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_gives_identical_numbers(optimizer: str, precision: str) -> None:
    settings = config(optimizer=optimizer, precision=precision)
    first, second, other = Network("a", "b"), Network("a", "b"), Network("a", "b")
    results = [
        run(network, guesses("a", "b"), Points(), settings, seed=seed)
        for network, seed in ((first, 5), (second, 5), (other, 6))
    ]
    assert numbers(results[0]) == numbers(results[1])
    before, after, differing = weights(first), weights(second), weights(other)
    assert all(torch.equal(before[name], after[name]) for name in before)
    # Dropout is seeded, not disabled.
    assert any(not torch.equal(before[name], differing[name]) for name in before)


def test_training_restores_torchs_generator() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(Network("a"), guesses("a"), Points(labels=("a",)))
    assert torch.equal(torch.rand(4), expected)


def test_training_does_not_depend_on_torchs_generator() -> None:
    torch.manual_seed(1)
    first = run(Network("a"), guesses("a"), Points(labels=("a",)))
    torch.manual_seed(2)
    assert numbers(run(Network("a"), guesses("a"), Points(labels=("a",)))) == numbers(first)


def test_last_metrics_belong_to_the_network_in_eval_mode() -> None:
    network = Network("a")
    data = Points(labels=("a",))
    result = run(network, guesses("a"), data)
    network.eval()
    batch = data.batch(list(range(data.images)))
    is_correct = network(batch.images)["a"]["scores"].argmax(1) == batch.targets["a"].values
    assert result.metrics["a"]["accuracy"] == is_correct.sum().item() / data.images


def test_hooks_get_every_step_and_epoch() -> None:
    hooks = RecordingHooks()
    result = run(Network("a"), guesses("a"), Points(labels=("a",)), hooks=hooks)
    assert [(done, total) for done, total, _ in hooks.steps] == [(i, 6) for i in range(1, 7)]
    assert all(math.isfinite(loss) for _, _, loss in hooks.steps)
    assert [record for record, _ in hooks.epochs] == list(result.epochs)
    assert {total for _, total in hooks.epochs} == {2}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_loss_names_task_step_and_epoch(value: float) -> None:
    with pytest.raises(NonFiniteLossError, match=r"task 'a' became nan in step 1 \(epoch 1\)"):
        run(Network("a", "b"), guesses("a", "b"), Points(corrupt_value=value))


def test_diverging_training_raises() -> None:
    settings = config(epochs=20, clip_norm=None, optimizer="sgd", warmup=0, weight_decay=0)
    with pytest.raises(NonFiniteLossError, match="step"):
        run(Network("a"), guesses("a"), Points(labels=("a",)), settings, learning_rate=1e30)


def test_non_finite_gradient_raises() -> None:
    class InfiniteGradient(Network):
        """A finite output with an infinite gradient: the square root at 0."""

        def forward(self, images, tasks=None):
            outputs = super().forward(images, tasks)
            zero = (self.heads["a"].bias * 0).sum().sqrt()
            return {name: {"scores": value["scores"] + zero} for name, value in outputs.items()}

    with pytest.raises(NonFiniteLossError, match=r"gradient of 'a' became \w+ in step 1"):
        run(InfiniteGradient("a"), guesses("a"), Points(labels=("a",)))


def test_keyboard_interrupt_passes_through() -> None:
    class InterruptingHooks(RecordingHooks):
        def on_step(self, num_steps: int, total: int, loss: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Network("a"), guesses("a"), Points(labels=("a",)), hooks=InterruptingHooks())


def test_too_few_images_raise() -> None:
    with pytest.raises(TrainingError, match="train split has 1 images, training needs 2"):
        run(Network("a"), guesses("a"), Points(images=1, labels=("a",)))


def test_batchnorm_on_one_image_names_the_batch_size() -> None:
    with pytest.raises(TrainingError, match="single image") as error:
        run(Network("a"), guesses("a"), Points(labels=("a",)), config(batch_size=1))
    assert "batch size of 2" in str(error.value)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), TrainingError),
        (RuntimeError("you can't allocate memory"), InfrastructureError),
    ],
)
def test_out_of_memory_names_the_batch_size(failure: Exception, kind: type[Exception]) -> None:
    """Only the memory of a device depends on the candidate alone."""

    class LargeNetwork(Network):
        def forward(self, images, tasks=None):
            raise failure

    with pytest.raises(kind, match="memory") as error:
        run(LargeNetwork("a"), guesses("a"), Points(labels=("a",)))
    assert "batch_size" in str(error.value)


def test_other_errors_pass_unchanged() -> None:
    class BrokenNetwork(Network):
        def forward(self, images, tasks=None):
            raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        run(BrokenNetwork("a"), guesses("a"), Points(labels=("a",)))


def test_loss_weights_for_other_tasks_raise() -> None:
    with pytest.raises(TrainingError, match="`loss_weights` must have one entry per task"):
        run(Network("a"), guesses("a"), Points(labels=("a",)), loss_weights={"b": 1.0})
