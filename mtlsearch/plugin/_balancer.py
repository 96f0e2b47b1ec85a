"""Contract of a balancer."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT

if TYPE_CHECKING:
    from torch import Tensor


class Balancer(ABC, Generic[SettingsT]):
    """Loss weights or combined gradients for tasks that share parameters.

    Override :meth:`weigh` for a method that computes a weight per loss, :meth:`combine` for one
    that combines the gradients of several tasks, or both. The defaults change nothing. The fixed
    loss weights of the run file are already applied to all losses.

    Each training creates its own instances: one per set of tasks that are connected by sharing,
    for :meth:`weigh`, and one per shared copy of a unit, for :meth:`combine`. A task that shares
    nothing is not balanced.

    ``tasks`` of a call lists only the tasks that have labels in the batch. Store state by task
    name, so that such a batch does not affect the state of other tasks.

    A balancer that overrides one of these methods needs whole batches, because :meth:`weigh` gets
    the losses of all images of a step. Gradient accumulation is then off.

    Attributes:
        name: name in run files (``search.balancer``), such as ``"uw"``.
        summary: one line for ``mtlsearch list balancers``.
        per_task_gradients: whether :meth:`combine` is called. It costs one backward pass and
            the memory of one gradient per task.
        remeasures_losses: whether :meth:`after_step` needs the losses after the step. It costs
            one forward pass per step.
        Settings: pydantic model of the options in a run file.

    Args:
        settings: an instance of :attr:`Settings`.
        tasks: names of the tasks to balance, two or more, sorted.

    Raises:
        TrainingError: a library that the method needs is not installed.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    per_task_gradients: ClassVar[bool] = False
    remeasures_losses: ClassVar[bool] = False
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, settings: SettingsT, tasks: Sequence[str]) -> None:
        self.settings = settings
        self.tasks = tuple(tasks)

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor | None:
        """Return the weights of the losses of one batch.

        Called once per step.

        Args:
            losses: detached losses, float32 ``[n]``, ``n >= 1``; fixed weights are applied.
            tasks: names of their tasks, a part of :attr:`tasks` in the same order.

        Returns:
            Weights, float32 ``[n]``, without gradient, on the device of ``losses``; None for
            weights of 1.
        """
        return None

    def observe(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """Receive the losses whose gradients :meth:`combine` gets next.

        Called once per step if :attr:`per_task_gradients` is set. It gets all tasks of the group
        that have labels in the batch. :meth:`combine` can get fewer: tasks whose gradient is zero
        are left out.

        Args:
            losses: detached losses, float32 ``[n]``, ``n >= 1``; all weights are applied.
            tasks: names of their tasks, a part of :attr:`tasks` in the same order.
        """

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return one gradient from the gradients of several tasks.

        Called once per step if :attr:`per_task_gradients` is set. The default is the sum.

        Args:
            jacobian: gradient of each task with respect to the ``n`` shared parameters, float32
                ``[m, n]``, ``m >= 2``; all rows are finite and not zero.
            tasks: names of their tasks, a part of :attr:`tasks` in the same order.

        Returns:
            The gradient, float32 ``[n]``.

        Raises:
            TrainingError: the method does not find a solution; the trial fails.
        """
        return jacobian.sum(dim=0)

    def after_step(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """Receive the losses of the same batch after the optimizer step.

        Called once per step if :attr:`remeasures_losses` is set.

        Args:
            losses: losses of the latest :meth:`weigh` with the new parameters, float32 ``[n]``.
            tasks: names of their tasks.
        """

    def epoch_ended(self) -> None:
        """Update the state after one pass over the training split."""
