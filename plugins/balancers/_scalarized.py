"""What a TorchJD scalarizer makes of losses, as weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtlsearch.plugin import Balancer

from ._settings import SettingsT

# Torch takes seconds to import, and plugins are also listed: methods import what they need.
if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.scalarization import Scalarizer


def weights_of(scalarizer: Scalarizer, losses: Tensor) -> Tensor:
    """The scalarizer's gradient at these losses: by so much does each loss's gradient count."""
    import torch

    with torch.enable_grad():
        leaf = losses.detach().clone().requires_grad_()
        (weights,) = torch.autograd.grad(scalarizer(leaf), leaf)
    return weights


class Scalarized(Balancer[SettingsT]):
    """Weighs losses by a formula that remembers nothing."""

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """The formula's gradient."""
        return weights_of(self.scalarizer(losses), losses)

    @abstractmethod
    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """The formula for so many losses, on their device."""
