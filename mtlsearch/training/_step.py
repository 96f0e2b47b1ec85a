"""Training step: forward pass, backward pass and update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mtlsearch.plugin import Batch, Task, to_device
from mtlsearch.training._balancing import BalancerConfig, GradientBalancer
from mtlsearch.training._device import Precision
from mtlsearch.training._losses import LabeledOutputs, run_labeled, select_labeled
from mtlsearch.training._optimizer import load_optimizer_state
from mtlsearch.training._reproducibility import BufferSnapshot


@dataclass(frozen=True, slots=True, eq=False)
class StepOutcome:
    """Losses and gradient norm of a step, on the device: reading them waits for the device.

    Attributes:
        counts: number of labeled samples per task that the batch has labels of.
        numbers: float32 ``[T + 2]``: the losses of these tasks, their weighted sum, and the
            norm of the gradient before clipping.
    """

    counts: Mapping[str, int]
    numbers: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class BatchLosses:
    """Losses of a batch whose gradient is in the parameters.

    Attributes:
        counts: number of labeled samples per task that the batch has labels of.
        means: loss per task, averaged over these samples; float32 ``[T]``, on the device.
        total: their weighted sum; float32 scalar.
        remeasured_batch: the batch, on the device, if its losses are measured again after the
            update; else None.
    """

    counts: Mapping[str, int]
    means: Tensor
    total: Tensor
    remeasured_batch: Batch | None = None


class TrainingStep:
    """Forward pass, backward pass and update; the loss is the weighted sum of the task losses.

    A task without labels in a batch is not run and has no gradient, so that the optimizer
    does not change the parameters of that task alone.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``, in training mode; with an
            auxiliary loss, a ``NetworkWithAuxiliaryLoss``.
        tasks: tasks by name.
        label_by_task: the label that each task learns.
        loss_weights: factor of the loss by task.
        optimizer: holds the parameters of the network.
        precision: number format of the forward pass.
        clip_norm: largest norm of the gradient; None does not clip.
        balancer: balancer of losses and gradients; None does not balance.
        alpha: factor of the auxiliary loss; None if the network has none.
    """

    def __init__(
        self,
        network: nn.Module,
        tasks: Mapping[str, Task],
        *,
        label_by_task: Mapping[str, str],
        loss_weights: Mapping[str, float],
        optimizer: Optimizer,
        precision: Precision,
        clip_norm: float | None,
        balancer: BalancerConfig | None = None,
        alpha: float | None = None,
    ) -> None:
        self._network = network
        self.tasks = tasks
        self._label_by_task = label_by_task
        self._loss_weights = loss_weights
        self._optimizer = optimizer
        self._precision = precision
        self._clip_norm = clip_norm
        self._alpha = alpha
        self.parameters = [
            parameter for group in optimizer.param_groups for parameter in group["params"]
        ]
        self.balancer = None if balancer is None else GradientBalancer(balancer, self.parameters)
        self._scaler = torch.amp.GradScaler(
            self.parameters[0].device.type, enabled=precision.scales_loss
        )

    def __call__(self, *batches: Batch) -> StepOutcome | None:
        """Train on the micro batches of one batch; return None if the batch has no label."""
        num_images = sum(len(batch.images) for batch in batches)
        losses = self.gradient(batches, self.counts(*batches), num_images)
        return None if losses is None else self.update(losses)

    def gradient(
        self, batches: Sequence[Batch], counts: Mapping[str, int], num_images: int
    ) -> BatchLosses | None:
        """Run the forward and backward pass of each micro batch.

        The loss of a task is its mean over the labeled samples of the whole batch. Each micro
        batch is weighted by its share of these samples, so that the sum of the gradients is the
        gradient of the whole batch.

        Args:
            batches: micro batches of the batch, or some of them, on the device.
            counts: number of labeled samples per task in the whole batch, see :meth:`counts`.
            num_images: number of images of the whole batch.

        Returns:
            The losses; None if no micro batch has a label.
        """
        self.clear_gradient()
        contributions = [self._backward(batch, counts, num_images) for batch in batches]
        losses = [contribution for contribution in contributions if contribution is not None]
        return None if not losses else _sum_losses(losses, list(counts))

    def update(self, losses: BatchLosses) -> StepOutcome:
        """Clip the gradient and run the optimizer.

        Args:
            losses: result of :meth:`gradient`.

        Returns:
            Losses and gradient norm.
        """
        numbers = torch.cat([losses.means, torch.stack([losses.total, self._update()])])
        if self.balancer is not None and losses.remeasured_batch is not None:
            self._measure_again(losses.remeasured_batch, self.balancer)
        return StepOutcome(losses.counts, numbers)

    def clear_gradient(self) -> None:
        """Remove the gradients of all parameters."""
        self._optimizer.zero_grad(set_to_none=True)

    def counts(self, *batches: Batch) -> dict[str, int]:
        """Return the number of labeled samples per task, without tasks that have none."""
        count_by_task = {
            task: sum(len(batch.targets[label].rows) for batch in batches if label in batch.targets)
            for task, label in ((task, self._label_by_task[task]) for task in self.tasks)
        }
        return {task: count for task, count in count_by_task.items() if count}

    def state(self) -> dict[str, Any]:
        """Return the state of the optimizer and the scaler, for :meth:`load_state`."""
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Load a state of :meth:`state` that belongs to the same network."""
        load_optimizer_state(self._optimizer, state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def _backward(
        self, batch: Batch, counts: Mapping[str, int], num_images: int
    ) -> BatchLosses | None:
        """Add the gradient of one micro batch; return its part of the batch's losses."""
        labeled, terms = self._forward(batch, counts, num_images)
        if not labeled and not terms:
            return None
        scalars, names = self._losses(labeled), list(labeled)
        losses = torch.stack(scalars) if scalars else torch.zeros(0, device=batch.images.device)
        shares = to_device(
            torch.tensor([outputs.count / counts[name] for name, outputs in labeled.items()]),
            losses.device,
        )
        weights = self._static_weights(losses, names)
        if self.balancer is not None:
            weights = self.balancer.weights(losses, weights, names)
        means = losses * shares
        total = (means * weights).sum()
        if terms:
            total = total + torch.stack(list(terms.values())).sum()
        if self.balancer is not None and self.balancer.per_task_gradients:
            self.balancer.backward(*_add_terms(scalars, weights, terms, names), names)
        else:
            self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        own_counts = {name: outputs.count for name, outputs in labeled.items()}
        has_remeasured = self.balancer is not None and self.balancer.remeasures_losses
        remeasured = batch if has_remeasured else None
        return BatchLosses(own_counts, means.detach(), total.detach(), remeasured)

    def _forward(
        self, batch: Batch, counts: Mapping[str, int], num_images: int
    ) -> tuple[dict[str, LabeledOutputs], dict[str, Tensor]]:
        """Return labeled outputs and the auxiliary loss, both by task."""
        if self._alpha is None:
            labeled = run_labeled(
                self._network, self.tasks, self._label_by_task, batch, self._precision
            )
            return labeled, {}
        # The auxiliary loss needs no labels: it applies to every image of the batch. So all
        # tasks of the whole batch run on each of its micro batches.
        with self._precision.autocast(batch.images.device):
            outputs, distances = self._network(batch.images, list(counts))
        terms = {
            task: self._alpha * distance.sum() / num_images for task, distance in distances.items()
        }
        return select_labeled(outputs, self._label_by_task, batch), terms

    def _static_weights(self, losses: Tensor, names: Sequence[str]) -> Tensor:
        """Return the loss weights of the run, ``[n]``, on the device of the losses."""
        return to_device(torch.tensor([self._loss_weights[name] for name in names]), losses.device)

    def _losses(self, labeled: Mapping[str, LabeledOutputs]) -> list[Tensor]:
        """Return the loss of each task, a float32 scalar."""
        return [
            self.tasks[name].loss(item.outputs, item.targets).float()
            for name, item in labeled.items()
        ]

    def _measure_again(self, batch: Batch, balancer: GradientBalancer) -> None:
        """Pass the losses after the update to the balancer; restore running statistics."""
        snapshot = BufferSnapshot(self._network)
        with torch.no_grad():
            labeled, _ = self._forward(batch, self.counts(batch), len(batch.images))
            losses, names = torch.stack(self._losses(labeled)), list(labeled)
        snapshot.restore()
        balancer.after_step(losses, self._static_weights(losses, names), names)

    def _update(self) -> Tensor:
        """Clip and update; return the norm of the gradient before clipping."""
        self._scaler.unscale_(self._optimizer)
        norm = self._clip()
        if self._scaler.is_enabled():
            # A scale that is too large overflows from time to time; the scaler then skips the
            # step and halves the scale. With a scale below 1, the gradient itself is not finite.
            # (Reading the scale makes the CPU wait for the step; bf16 needs no scale.)
            norm = norm if self._scaler.get_scale() < 1 else torch.zeros_like(norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return norm

    def _clip(self) -> Tensor:
        """Clip the gradient; return its norm before clipping."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self._clip_norm is None:
            return norm
        # On the CPU the norm is available here, so the multiplication by 1 can be skipped.
        # On a GPU, reading the norm would wait for the device.
        if norm.device.type != "cpu" or norm > self._clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self._clip_norm, norm)
        return norm


def _add_terms(
    losses: Sequence[Tensor],
    weights: Tensor,
    terms: Mapping[str, Tensor],
    names: Sequence[str],
) -> tuple[Sequence[Tensor], Tensor]:
    """Return losses and weights, with the auxiliary loss added unweighted to each task's loss."""
    if not terms:
        return losses, weights
    weighted = [loss * weight for loss, weight in zip(losses, weights, strict=True)]
    sums = [
        loss + terms[name] if name in terms else loss
        for loss, name in zip(weighted, names, strict=True)
    ]
    return sums, torch.ones_like(weights)


def _sum_losses(contributions: Sequence[BatchLosses], order: Sequence[str]) -> BatchLosses:
    """Return the losses of a batch, summed over its micro batches, with tasks in an order."""
    if len(contributions) == 1:
        return contributions[0]
    means: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for part in contributions:
        for (name, count), mean in zip(part.counts.items(), part.means.unbind(), strict=True):
            means[name] = means[name] + mean if name in means else mean
            counts[name] = counts.get(name, 0) + count
    total = torch.stack([part.total for part in contributions]).sum()
    names = [name for name in order if name in means]
    return BatchLosses(
        {name: counts[name] for name in names}, torch.stack([means[name] for name in names]), total
    )
