"""Process group: several processes that train one network, one device each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Batch
from mtlsearch.training._micro_batches import micro_batches


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Processes of one distributed training, and the rank of this process.

    Each process has the whole network and trains on its part of every batch. Gradients are
    summed after the backward pass. All processes call the methods in the same order. All methods
    but :meth:`local_batch` communicate and need a group of at least two processes.

    Attributes:
        rank: rank of this process, from 0.
        size: number of processes ("world size" in ``torch.distributed``).
    """

    rank: int = 0
    size: int = 1

    def local_batch(self, batch: Batch) -> Batch | None:
        """Return the part of a batch that this process trains on.

        Args:
            batch: the whole batch.

        Returns:
            This process's images; None if the batch has fewer images than there are processes.
        """
        parts = micro_batches(batch, self.size)
        return parts[self.rank] if self.rank < len(parts) else None

    def any(self, flag: bool, device: torch.device) -> bool:
        """Return whether a flag is true in any process.

        Args:
            flag: the value of this process.
            device: device of this process, on which the flag is communicated.

        Returns:
            The same value in every process.
        """
        value = torch.tensor(float(flag), device=device)
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return bool(value.item())

    def sum(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place.

        Args:
            values: tensor of the same shape in every process.

        Returns:
            ``values``.
        """
        distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Sum the gradients of all processes, in place.

        A parameter with a gradient in only some processes counts as zero in the others. A
        parameter without a gradient in any process keeps none.

        Args:
            parameters: the trained parameters, in the same order in every process.
        """
        has_gradient = [parameter.grad is not None for parameter in parameters]
        used = torch.tensor(has_gradient, dtype=torch.float32, device=parameters[0].device)
        distributed.all_reduce(used, distributed.ReduceOp.MAX)
        chosen = [
            parameter
            for parameter, is_used in zip(parameters, used.tolist(), strict=True)
            if is_used
        ]
        for parameter in chosen:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in chosen if parameter.grad is not None]
        flat = self.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()

    def average_buffers(self, network: nn.Module) -> None:
        """Average the floating-point buffers over all processes, in place.

        Those of frozen modules are equal in all processes, and their mean could differ by rounding.

        Args:
            network: module with buffers such as running statistics.
        """
        frozen: set[int] = set()
        if isinstance(network, MultiTaskNetwork):
            frozen.update(map(id, network.frozen_buffers()))
        for buffer in network.buffers():
            if buffer.is_floating_point() and id(buffer) not in frozen:
                self.sum(buffer).div_(self.size)


SINGLE_PROCESS = ProcessGroup()


def joined_process_group() -> ProcessGroup:
    """Return torch's default process group, or a group of one where none is initialized.

    Returns:
        The group, with the rank of this process.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return ProcessGroup()
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size())
