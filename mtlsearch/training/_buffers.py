"""Running statistics and the like, put back as they were."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn


class BufferSnapshot:
    """A network's buffers beside a copy of them.

    Args:
        network: whose they are.
    """

    def __init__(self, network: nn.Module) -> None:
        by_type: dict[tuple[torch.device, torch.dtype], list[Tensor]] = defaultdict(list)
        for buffer in network.buffers():
            by_type[buffer.device, buffer.dtype].append(buffer)
        self._buffers = list(by_type.values())
        self._copies = [[buffer.clone() for buffer in alike] for alike in self._buffers]

    def keep(self) -> None:
        """Copy them as they are now."""
        _copy(self._buffers, self._copies)

    def restore(self) -> None:
        """Put them back as they were when last kept."""
        _copy(self._copies, self._buffers)


def _copy(source: list[list[Tensor]], target: list[list[Tensor]]) -> None:
    """All tensors of one type at once: mixed, torch copies them one by one."""
    with torch.no_grad():
        for alike, copies in zip(source, target, strict=True):
            torch._foreach_copy_(copies, alike)
