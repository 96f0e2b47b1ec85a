"""One step of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mtlsearch.labels import send
from mtlsearch.plugin import Batch, Task
from mtlsearch.training._balancing import BalancerConfig, GradientBalancer
from mtlsearch.training._buffers import BufferSnapshot
from mtlsearch.training._losses import LabeledOutputs, labelled, run_labelled
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


@dataclass(frozen=True, slots=True, eq=False)
class BatchLosses:
    """Losses of a batch whose gradient lies in the parameters.

    Attributes:
        counts: labelled samples of each task that the batch has labels of.
        means: float32 ``[T]``, on the device: each task's loss, averaged over these.
        total: float32 scalar: their weighted sum.
        again: the batch, on the device, where its losses are to be measured after the update.
    """

    counts: Mapping[str, int]
    means: Tensor
    total: Tensor
    again: Batch | None = None


class TrainingStep:
    """Forward, backward and update; the loss is the weighted sum of the tasks' losses.

    A task without labels in a batch is not run and leaves no gradient, so the optimizer
    does not touch what it alone uses.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``, in training mode; with a lesson
            :class:`~mtlsearch.training._feature_distillation.NetworkWithAuxiliaryLoss`.
        tasks: the tasks by name.
        labels_of: the label that each task learns.
        loss_weights: a weight a task.
        optimizer: holds the network's parameters.
        precision: the number format.
        clip_norm: the gradient's largest norm; None leaves it as it is.
        balancer: what is done to losses and gradients besides; None is nothing.
        alpha: what the network's lesson counts for; None where it has none.
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
        balancer: BalancerConfig | None = None,
        alpha: float | None = None,
    ) -> None:
        self._network = network
        self.tasks = tasks
        self._labels_of = labels_of
        self._loss_weights = loss_weights
        self._optimizer = optimizer
        self._precision = precision
        self._clip_norm = clip_norm
        self._alpha = alpha
        self.parameters = [at for group in optimizer.param_groups for at in group["params"]]
        self.balancing = GradientBalancer(balancer, self.parameters)
        self._scaler = torch.amp.GradScaler(
            self.parameters[0].device.type, enabled=precision.scales_loss
        )

    def __call__(self, *parts: Batch) -> StepOutcome | None:
        """Train on one batch, whole or in parts, on the device; None if it has no label at all."""
        images = sum(len(part.images) for part in parts)
        losses = self.gradient(parts, self.counts(*parts), images)
        return None if losses is None else self.update(losses)

    def gradient(
        self, parts: Sequence[Batch], counts: Mapping[str, int], images: int
    ) -> BatchLosses | None:
        """Forward and backward of each part; None if no part has a label.

        A task's loss is its mean over the labelled samples of the batch: each part's counts
        by the share of these that it has. So the gradient is that of the whole batch.

        Args:
            parts: the batch's parts, or some of them, on the device.
            counts: labelled samples of each task in the whole batch, see :meth:`counts`.
            images: how many the whole batch has.
        """
        self.forget_gradient()
        found = [self._backward(part, counts, images) for part in parts]
        losses = [part for part in found if part is not None]
        return None if not losses else _summed(losses, list(counts))

    def update(self, losses: BatchLosses) -> StepOutcome:
        """Clip the gradient and let the optimizer step."""
        numbers = torch.cat([losses.means, torch.stack([losses.total, self._update()])])
        if losses.again is not None:
            self._measure_again(losses.again)
        return StepOutcome(losses.counts, numbers)

    def forget_gradient(self) -> None:
        """Drop what the parameters have as gradient."""
        self._optimizer.zero_grad(set_to_none=True)

    def counts(self, *parts: Batch) -> dict[str, int]:
        """Labelled samples of each task in all parts; tasks without any are left out."""
        found = {
            task: sum(len(part.targets[at].rows) for part in parts if at in part.targets)
            for task, at in ((task, self._labels_of[task]) for task in self.tasks)
        }
        return {task: count for task, count in found.items() if count}

    def state(self) -> dict[str, Any]:
        """What steps leave behind besides the weights; :meth:`load_state` takes it."""
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave for the same network."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def _backward(self, part: Batch, counts: Mapping[str, int], images: int) -> BatchLosses | None:
        """Add one part's gradient; what it contributes to the batch's means and total."""
        found, terms = self._run(part, counts, images)
        if not found and not terms:
            return None
        each, names = self._losses(found), list(found)
        losses = torch.stack(each) if each else torch.zeros(0, device=part.images.device)
        shares = send(
            torch.tensor([at.count / counts[name] for name, at in found.items()]), losses.device
        )
        weights = self.balancing.weights(losses, self._static(losses, names), names)
        means = losses * shares
        total = (means * weights).sum()
        if terms:
            total = total + torch.stack(list(terms.values())).sum()
        if self.balancing.per_task_gradients:
            self.balancing.backward(*self._objectives(each, weights, terms, names), names)
        else:
            self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        own = {name: at.count for name, at in found.items()}
        again = part if self.balancing.measures_again else None
        return BatchLosses(own, means.detach(), total.detach(), again)

    def _run(
        self, part: Batch, counts: Mapping[str, int], images: int
    ) -> tuple[dict[str, LabeledOutputs], dict[str, Tensor]]:
        """What losses are taken of, and each task's share of the lesson's term."""
        if self._alpha is None:
            found = run_labelled(self._network, self.tasks, self._labels_of, part, self._precision)
            return found, {}
        # A lesson needs no label: a task learns from every image of a batch that it runs on,
        # so all tasks of the whole batch run on each of its parts.
        with self._precision.autocast(part.images.device):
            outputs, distances = self._network(part.images, list(counts))
        terms = {task: self._alpha * at.sum() / images for task, at in distances.items()}
        return labelled(outputs, self._labels_of, part), terms

    def _objectives(
        self,
        losses: Sequence[Tensor],
        weights: Tensor,
        terms: Mapping[str, Tensor],
        names: Sequence[str],
    ) -> tuple[Sequence[Tensor], Tensor]:
        """What gradients are taken of: a task's own term goes with its loss, unweighted."""
        if not terms:
            return losses, weights
        weighed = [loss * weight for loss, weight in zip(losses, weights, strict=True)]
        whole = [
            loss + terms[name] if name in terms else loss
            for loss, name in zip(weighed, names, strict=True)
        ]
        return whole, torch.ones_like(weights)

    def _static(self, losses: Tensor, names: Sequence[str]) -> Tensor:
        """The run's weight of each loss."""
        return send(torch.tensor([self._loss_weights[name] for name in names]), losses.device)

    def _losses(self, found: Mapping[str, LabeledOutputs]) -> list[Tensor]:
        """Each task's loss, a scalar."""
        return [self.tasks[name].loss(at.outputs, at.targets).float() for name, at in found.items()]

    def _measure_again(self, batch: Batch) -> None:
        """Tell the balancer the losses with the new weights; running statistics stay."""
        kept = BufferSnapshot(self._network)
        with torch.no_grad():
            found, _ = self._run(batch, self.counts(batch), len(batch.images))
            losses, names = torch.stack(self._losses(found)), list(found)
        kept.restore()
        self.balancing.after_step(losses, self._static(losses, names), names)

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
        gradients = [at.grad for at in self.parameters if at.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self._clip_norm is None:
            return norm
        # On the CPU the norm is known here, and a gradient within bounds need not be
        # multiplied by 1. A GPU is not waited for.
        if norm.device.type != "cpu" or norm > self._clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self._clip_norm, norm)
        return norm


def _summed(parts: Sequence[BatchLosses], order: Sequence[str]) -> BatchLosses:
    """What the parts of a batch contribute, added up by task."""
    if len(parts) == 1:
        return parts[0]
    means: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for part in parts:
        for (name, count), mean in zip(part.counts.items(), part.means.unbind(), strict=True):
            means[name] = means[name] + mean if name in means else mean
            counts[name] = counts.get(name, 0) + count
    total = torch.stack([part.total for part in parts]).sum()
    found = [name for name in order if name in means]
    return BatchLosses(
        {name: counts[name] for name in found}, torch.stack([means[name] for name in found]), total
    )
