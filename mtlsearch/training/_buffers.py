"""Running statistics and the like, put back as they were."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeptBuffers:
    """A network's buffers beside a copy of them.

    Args:
        network: whose they are.
    """

    def __init__(self, network: nn.Module) -> None:
        self._buffers = list(network.buffers())
        self._copies = [buffer.clone() for buffer in self._buffers]

    def keep(self) -> None:
        """Copy them as they are now."""
        _copy(self._buffers, self._copies)

    def restore(self) -> None:
        """Put them back as they were when last kept."""
        _copy(self._copies, self._buffers)


def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    if source:
        with torch.no_grad():
            torch._foreach_copy_(target, source)
