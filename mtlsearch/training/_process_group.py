"""Several processes that train one network, a device each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from mtlsearch.plugin import Batch
from mtlsearch.training._micro_batches import micro_batches


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """How many processes train together, and which of them this is.

    Each has the whole network and works on its part of every batch; gradients are added up
    after the backward pass. All of them call the methods below in the same order. Alone,
    nothing is sent.

    Attributes:
        rank: this process's number, from 0.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    def part(self, batch: Batch) -> Batch | None:
        """This process's images of a batch; None where there are fewer images than processes."""
        parts = micro_batches(batch, self.count)
        return parts[self.rank] if self.rank < len(parts) else None

    def any(self, said: bool, device: torch.device) -> bool:
        """Whether any process says so; all learn the same."""
        if self.count == 1:
            return said
        flag = torch.tensor(float(said), device=device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag.item())

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add up the gradients of all processes.

        Which parameters have one is agreed upon first: where only some processes had labels
        of a task, the others send zeros; what no process used keeps no gradient.
        """
        if self.count == 1:
            return
        has = [parameter.grad is not None for parameter in parameters]
        used = torch.tensor(has, dtype=torch.float32, device=parameters[0].device)
        distributed.all_reduce(used, distributed.ReduceOp.MAX)
        chosen = [at for at, any_has in zip(parameters, used.tolist(), strict=True) if any_has]
        for parameter in chosen:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [at.grad for at in chosen if at.grad is not None]
        flat = self.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()

    def average_buffers(self, network: nn.Module) -> None:
        """Give all processes the mean of their running statistics."""
        for buffer in network.buffers() if self.count > 1 else ():
            if buffer.is_floating_point():
                self.sum(buffer).div_(self.count)


def joined_process_group() -> ProcessGroup:
    """Those of torch's default process group; this process alone where there is none."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return ProcessGroup()
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size())
