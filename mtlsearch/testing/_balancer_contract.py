"""The contract of a balancer, as tests."""

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
"""Whose labels four batches have."""


class BalancerContract:
    """What every balancer must do, for two and three tasks and with labels missing.

    Subclass it in a test module, name the class ``Test...`` and say which balancer::

        class TestMine(BalancerContract):
            balancer = Mine

    Attributes:
        balancer: the balancer.
        settings: its settings, as a run file has them.
    """

    balancer: ClassVar[type[Balancer[Any]]]
    settings: ClassVar[Mapping[str, object]] = {}

    def make(self, tasks: Sequence[str] = TASKS) -> Balancer[Any]:
        """A new balancer of these tasks."""
        chosen = self.balancer.Settings.model_validate(dict(self.settings))
        return self.balancer(chosen, tasks)

    def weights(self, seed: int = 0) -> list[Tensor]:
        """What it weighs losses with over two epochs of :data:`BATCHES`, as a host asks it."""
        balancer = self.make()
        return [
            torch.ones(len(tasks)) if found is None else found
            for tasks, found in _weighed(balancer, seed)
        ]

    def combined(self, seed: int = 0) -> list[Tensor]:
        """What it makes of gradients over those batches that have two tasks or more."""
        balancer = self.make()
        with _seeded(seed):
            return [
                balancer.combine(torch.randn(len(tasks), 40), tasks)
                for tasks in _observed(balancer)
                if len(tasks) > 1
            ]

    def test_it_introduces_itself(self) -> None:
        """Name, one line, and a description of every setting."""
        assert self.balancer.name == self.balancer.name.strip().lower() != ""
        assert self.balancer.summary
        assert "\n" not in self.balancer.summary
        for name, field in self.balancer.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_weights_fit_the_losses(self) -> None:
        """A finite number a loss, without a gradient, whoever's labels are missing."""
        for weights, tasks in zip(self.weights(), BATCHES * 2, strict=True):
            assert weights.shape == (len(tasks),)
            assert weights.dtype == torch.float32
            assert weights.isfinite().all()
            assert not weights.requires_grad

    def test_losses_are_left_as_they_are(self) -> None:
        """Weighing changes nothing that belongs to the host."""
        losses = torch.tensor([0.5, 2.0, 1.0])
        before = losses.clone()
        self.make().weigh(losses, TASKS)
        assert torch.equal(losses, before)
        assert losses.grad is None

    def test_tiny_losses_do_not_break_it(self) -> None:
        """A task that is learned by heart has a loss of 0."""
        balancer = self.make()
        for _ in range(3):
            losses = torch.tensor([0.0, 1.0, 1e-12])
            found = balancer.weigh(losses, TASKS)
            assert found is None or found.isfinite().all()
            if balancer.per_task_gradients:
                balancer.observe(losses, TASKS)
                assert balancer.combine(torch.eye(3, 40), TASKS).isfinite().all()
            if balancer.measures_again:
                balancer.after_step(torch.tensor([0.0, 0.9, 0.0]), TASKS)
            balancer.epoch_ended()

    def test_the_same_seed_gives_the_same(self) -> None:
        """Bit for bit, and no state is left behind for the next training."""
        again = zip(self.weights(3), self.weights(3), strict=True)
        assert all(torch.equal(one, other) for one, other in again)
        if self.balancer.per_task_gradients:
            once_more = zip(self.combined(3), self.combined(3), strict=True)
            assert all(torch.equal(one, other) for one, other in once_more)

    def test_one_gradient_of_several(self) -> None:
        """Finite and of the right length, whoever's labels are missing."""
        self._needs_gradients()
        for vector in self.combined():
            assert vector.shape == (40,)
            assert vector.isfinite().all()
            assert not vector.requires_grad

    @pytest.mark.parametrize("length", [1e-6, 1.0, 1e3])
    def test_agreement_is_kept(self, length: float) -> None:
        """Equal gradients, however long, give one in their direction."""
        self._needs_gradients()
        row = torch.linspace(-1, 1, 40) * length
        found = self.make().combine(row.expand(3, -1).clone(), TASKS)
        assert torch.cosine_similarity(found, row, 0) > 0.999

    def test_gradients_that_oppose_each_other_do_not_break_it(self) -> None:
        """Nor do some a million times as long as others."""
        self._needs_gradients()
        with _seeded(0):
            row = torch.randn(40)
            opposed = torch.stack([row, -row, 1e-6 * torch.randn(40)])
            assert self.make().combine(opposed, TASKS).isfinite().all()

    def _needs_gradients(self) -> None:
        if not self.balancer.per_task_gradients:
            pytest.skip("it weighs losses")


def _weighed(balancer: Balancer[Any], seed: int) -> Iterator[tuple[tuple[str, ...], Tensor | None]]:
    with _seeded(seed):
        for _ in range(2):
            for tasks in BATCHES:
                losses = torch.rand(len(tasks)) + 0.1
                yield tasks, balancer.weigh(losses, tasks)
                if balancer.measures_again:
                    balancer.after_step(losses * 0.9, tasks)
            balancer.epoch_ended()


def _observed(balancer: Balancer[Any]) -> Iterator[tuple[str, ...]]:
    """Batches by their tasks, once the balancer has been told their losses."""
    for tasks in BATCHES:
        balancer.observe(torch.rand(len(tasks)) + 0.1, tasks)
        yield tasks


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's generator seeded, and put back after."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
