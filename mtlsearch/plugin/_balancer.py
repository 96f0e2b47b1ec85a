"""The contract of a balancer: how tasks that share weights are kept from ruining each other."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT

if TYPE_CHECKING:
    from torch import Tensor


class Balancer(ABC, Generic[SettingsT]):
    """Weighs the losses, or combines the gradients, of tasks that share weights.

    Override :meth:`weigh` for a method that gives each task's loss a weight, :meth:`combine`
    for one that makes one gradient of several, or both. What neither overrides changes
    nothing. Losses arrive with the run's static weights applied.

    The host makes one balancer for every set of tasks that are connected by sharing and asks
    it to weigh their losses, and one for every group of a unit and asks it to combine their
    gradients. A task that shares nothing is never balanced. So an object's state belongs to
    one set of tasks in one training, and starts with it.

    One that overrides any of these needs whole batches: :meth:`weigh` is called once a step,
    with the losses of all its images. So no batch of its trainings is computed in parts.

    A task without labels in a batch is not among ``tasks`` of that call. State is to be kept
    by the tasks' names, so that such a batch does not disturb what is known of the others.

    Attributes:
        name: the name by which run files ask for it, such as ``"uw"``.
        summary: one line for ``mtlsearch list balancers``.
        per_task_gradients: whether :meth:`combine` is to be called. It costs a backward pass
            a task and memory for a gradient a task.
        measures_again: whether :meth:`after_step` needs the losses after the step. It costs
            a forward pass.
        Settings: its options in a run file.

    Args:
        settings: the options.
        tasks: the names of the tasks it balances, two or more, sorted.

    Raises:
        TrainingError: something that the method needs is not installed.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    per_task_gradients: ClassVar[bool] = False
    measures_again: ClassVar[bool] = False
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, settings: SettingsT, tasks: Sequence[str]) -> None:
        self.settings = settings
        self.tasks = tuple(tasks)

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor | None:
        """The factors by which the losses of a batch are multiplied; None leaves them.

        Args:
            losses: float32 ``[n]``, ``n >= 1``, detached; they may be multiplied by static
                weights.
            tasks: whose they are, a part of :attr:`tasks`, in their order.

        Returns:
            float32 ``[n]``, without a gradient, on the device of ``losses``.
        """
        return None

    def observe(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """The losses whose gradients :meth:`combine` may be given next.

        Called once a step where :attr:`per_task_gradients` is set, with all tasks of the group
        that the batch has labels of. ``combine`` may see fewer: those whose gradient is zero
        are left out.

        Args:
            losses: float32 ``[n]``, ``n >= 1``, detached, with weights applied.
            tasks: whose they are, a part of :attr:`tasks`, in their order.
        """

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        """One gradient of several; called where :attr:`per_task_gradients` is set.

        Args:
            jacobian: float32 ``[m, n]``, ``m >= 2``: each task's gradient with respect to
                the ``n`` weights that they share, each finite and none of them zero.
            tasks: whose they are, a part of :attr:`tasks`, in their order.

        Returns:
            float32 ``[n]``.

        Raises:
            TrainingError: the method finds no answer; the trial fails.
        """
        return jacobian.sum(dim=0)

    def after_step(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """The weights were updated; called where :attr:`measures_again` is set.

        Args:
            losses: those of the latest :meth:`weigh`, measured again with the new weights.
            tasks: whose they are.
        """

    def epoch_ended(self) -> None:
        """A pass over the training split has ended."""
