"""One step of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mtlsearch.plugin import Batch, Task
from mtlsearch.training._balancing import Balance, Balancing
from mtlsearch.training._losses import Labelled, run_labelled
from mtlsearch.training._precision import Precision


@dataclass(frozen=True, slots=True, eq=False)
class StepOutcome:
    """What a step leaves behind, on the device: reading it makes the device wait.

    Attributes:
        counts: labelled samples of each task that the batch had labels of.
        numbers: float32 ``[T + 2]``: their losses, the weighted sum of these, and the
            norm of the gradient before clipping.
    """

    counts: Mapping[str, int]
    numbers: Tensor


class TrainingStep:
    """Forward, backward and update; the loss is the weighted sum of the tasks' losses.

    A task without labels in a batch is not run and leaves no gradient, so the optimizer
    does not touch what it alone uses.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``, in training mode.
        tasks: the tasks by name.
        labels_of: the label that each task learns.
        loss_weights: a weight a task.
        optimizer: holds the network's parameters.
        precision: the number format.
        clip_norm: the gradient's largest norm; None leaves it as it is.
        balance: what is done to losses and gradients besides; None is nothing.
    """

    def __init__(
        self,
        network: nn.Module,
        tasks: Mapping[str, Task],
        *,
        labels_of: Mapping[str, str],
        loss_weights: Mapping[str, float],
        optimizer: Optimizer,
        precision: Precision,
        clip_norm: float | None,
        balance: Balance | None = None,
    ) -> None:
        self._network = network
        self.tasks = tasks
        self._labels_of = labels_of
        self._loss_weights = loss_weights
        self._optimizer = optimizer
        self._precision = precision
        self._clip_norm = clip_norm
        self._parameters = [at for group in optimizer.param_groups for at in group["params"]]
        self._balancing = Balancing(balance, self._parameters)
        self._scaler = torch.amp.GradScaler(
            self._parameters[0].device.type, enabled=precision.scales_loss
        )

    def __call__(self, batch: Batch) -> StepOutcome | None:
        """Train on one batch, already on the device; None if it has no label at all."""
        self._optimizer.zero_grad(set_to_none=True)
        found = run_labelled(self._network, self.tasks, self._labels_of, batch, self._precision)
        if not found:
            return None
        each = self._losses(found)
        losses, names = torch.stack(each), list(found)
        static = losses.new_tensor([self._loss_weights[name] for name in found])
        weights = self._balancing.weights(losses, static, names)
        total = (losses * weights).sum()
        if self._balancing.per_task_gradients:
            self._balancing.backward(each, weights, names)
        else:
            self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        norm = self._update()
        if self._balancing.measures_again:
            self._balancing.after_step(self._losses_again(batch), static, names)
        numbers = torch.cat([losses.detach(), torch.stack([total.detach(), norm])])
        return StepOutcome({name: at.count for name, at in found.items()}, numbers)

    def epoch_ended(self) -> None:
        """A pass over the training split has ended."""
        self._balancing.epoch_ended()

    def _losses(self, found: Mapping[str, Labelled]) -> list[Tensor]:
        """Each task's loss, a scalar."""
        return [self.tasks[name].loss(at.outputs, at.targets).float() for name, at in found.items()]

    def _losses_again(self, batch: Batch) -> Tensor:
        """Each task's loss with the weights as they are now; running statistics stay."""
        buffers = list(self._network.buffers())
        kept = [buffer.clone() for buffer in buffers]
        with torch.no_grad():
            found = run_labelled(self._network, self.tasks, self._labels_of, batch, self._precision)
            losses = torch.stack(self._losses(found))
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
        return losses

    def _update(self) -> Tensor:
        """Clip and step; the gradient's norm before clipping."""
        self._scaler.unscale_(self._optimizer)
        norm = self._clip()
        if self._scaler.is_enabled():
            # Too large a scale overflows now and then; the scaler then skips the step and
            # halves the scale. Below 1 it was not the scale. (Reading it makes the CPU wait
            # for the step; bf16, which needs no scale, does not.)
            norm = norm if self._scaler.get_scale() < 1 else torch.zeros_like(norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return norm

    def _clip(self) -> Tensor:
        """The gradient's norm before clipping."""
        gradients = [at.grad for at in self._parameters if at.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self._clip_norm is None:
            return norm
        # On the CPU the norm is known here, and a gradient within bounds need not be
        # multiplied by 1. A GPU is not waited for.
        if norm.device.type != "cpu" or norm > self._clip_norm:
            nn.utils.clip_grads_with_norm_(self._parameters, self._clip_norm, norm)
        return norm
