"""Contract of a balancer, as tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mtlsearch.plugin import Balancer

TASKS = ("boxes", "breed", "scene")
BATCHES: tuple[tuple[str, ...], ...] = (TASKS, ("boxes", "scene"), ("breed",), TASKS)
"""Tasks that have labels in each of four batches."""


class BalancerContract:
    """Tests that every balancer must pass, with three tasks and with missing labels.

    Subclass it in a test module, start the name of the class with ``Test`` and set the balancer::

        class TestMine(BalancerContract):
            balancer = Mine

    Attributes:
        balancer: class of the balancer.
        settings: its settings as in a run file.
    """

    balancer: ClassVar[type[Balancer[Any]]]
    settings: ClassVar[Mapping[str, object]] = {}

    def make(self, tasks: Sequence[str] = TASKS) -> Balancer[Any]:
        """Return a new balancer.

        Args:
            tasks: names of the tasks to balance.

        Returns:
            The balancer.
        """
        settings = self.balancer.Settings.model_validate(dict(self.settings))
        return self.balancer(settings, tasks)

    def weights(self, seed: int = 0) -> list[Tensor]:
        """Return the loss weights over two epochs of four batches.

        Args:
            seed: seed of the losses and of torch's generator.

        Returns:
            Weights ``[n]`` of each batch.
        """
        return [
            torch.ones(len(tasks)) if weights is None else weights
            for tasks, weights in _weigh_epochs(self.make(), seed)
        ]

    def combined(self, seed: int = 0) -> list[Tensor]:
        """Return the combined gradients of the batches with two or more tasks.

        Args:
            seed: seed of the gradients and of torch's generator.

        Returns:
            One gradient ``[40]`` per batch.
        """
        balancer = self.make()
        with _seeded(seed):
            return [
                balancer.combine(torch.randn(len(tasks), 40), tasks)
                for tasks in _observe_batches(balancer)
                if len(tasks) > 1
            ]

    def test_name_and_descriptions_are_set(self) -> None:
        """Check the name, the summary and the description of every setting."""
        assert self.balancer.name == self.balancer.name.strip().lower() != ""
        assert self.balancer.summary
        assert "\n" not in self.balancer.summary
        for name, field in self.balancer.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_weights_are_finite_and_match_the_losses(self) -> None:
        """Check shape, type and values of the weights, also with missing labels."""
        for weights, tasks in zip(self.weights(), BATCHES * 2, strict=True):
            assert weights.shape == (len(tasks),)
            assert weights.dtype == torch.float32
            assert weights.isfinite().all()
            assert not weights.requires_grad

    def test_weigh_does_not_change_the_losses(self) -> None:
        """Check that weighing does not write to its argument."""
        losses = torch.tensor([0.5, 2.0, 1.0])
        before = losses.clone()
        self.make().weigh(losses, TASKS)
        assert torch.equal(losses, before)
        assert losses.grad is None

    def test_zero_losses_give_finite_values(self) -> None:
        """Check losses of 0, as of a task that is overfitted."""
        balancer = self.make()
        for _ in range(3):
            losses = torch.tensor([0.0, 1.0, 1e-12])
            weights = balancer.weigh(losses, TASKS)
            assert weights is None or weights.isfinite().all()
            if balancer.per_task_gradients:
                balancer.observe(losses, TASKS)
                assert balancer.combine(torch.eye(3, 40), TASKS).isfinite().all()
            if balancer.remeasures_losses:
                balancer.after_step(torch.tensor([0.0, 0.9, 0.0]), TASKS)
            balancer.epoch_ended()

    def test_same_seed_gives_equal_results(self) -> None:
        """Check equality bit for bit, so that no state passes to the next training."""
        pairs = zip(self.weights(3), self.weights(3), strict=True)
        assert all(torch.equal(first, second) for first, second in pairs)
        if self.balancer.per_task_gradients:
            pairs = zip(self.combined(3), self.combined(3), strict=True)
            assert all(torch.equal(first, second) for first, second in pairs)

    def test_combined_gradient_is_finite(self) -> None:
        """Check shape and values of the gradient, also with missing labels."""
        self._needs_gradients()
        for gradient in self.combined():
            assert gradient.shape == (40,)
            assert gradient.isfinite().all()
            assert not gradient.requires_grad

    @pytest.mark.parametrize("length", [1e-6, 1.0, 1e3])
    def test_equal_gradients_keep_their_direction(self, length: float) -> None:
        """Check the direction for short and long gradients."""
        self._needs_gradients()
        row = torch.linspace(-1, 1, 40) * length
        gradient = self.make().combine(row.expand(3, -1).clone(), TASKS)
        assert torch.cosine_similarity(gradient, row, 0) > 0.999

    def test_opposed_gradients_give_finite_values(self) -> None:
        """Check opposed gradients with a third one that is a million times shorter."""
        self._needs_gradients()
        with _seeded(0):
            row = torch.randn(40)
            opposed = torch.stack([row, -row, 1e-6 * torch.randn(40)])
            assert self.make().combine(opposed, TASKS).isfinite().all()

    def _needs_gradients(self) -> None:
        if not self.balancer.per_task_gradients:
            pytest.skip("the balancer does not combine gradients")


def _weigh_epochs(
    balancer: Balancer[Any], seed: int
) -> Iterator[tuple[tuple[str, ...], Tensor | None]]:
    """Yield tasks and weights of each batch of two epochs."""
    with _seeded(seed):
        for _ in range(2):
            for tasks in BATCHES:
                losses = torch.rand(len(tasks)) + 0.1
                yield tasks, balancer.weigh(losses, tasks)
                if balancer.remeasures_losses:
                    balancer.after_step(losses * 0.9, tasks)
            balancer.epoch_ended()


def _observe_batches(balancer: Balancer[Any]) -> Iterator[tuple[str, ...]]:
    """Yield the tasks of each batch after its losses were passed to ``observe``."""
    for tasks in BATCHES:
        balancer.observe(torch.rand(len(tasks)) + 0.1, tasks)
        yield tasks


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's generator inside the block."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
