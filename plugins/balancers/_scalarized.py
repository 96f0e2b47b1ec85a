"""Base of balancers that weigh losses by a TorchJD scalarizer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtlsearch.plugin import Balancer

from ._settings import SettingsT

# Importing torch takes seconds, and listing plugins does not need it: methods import it.
if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.scalarization import Scalarizer


def weights_of(scalarizer: Scalarizer, losses: Tensor) -> Tensor:
    """Return the weights of the losses: the gradient of the scalarizer at the losses, ``[n]``."""
    import torch

    with torch.enable_grad():
        leaf = losses.detach().clone().requires_grad_()
        (weights,) = torch.autograd.grad(scalarizer(leaf), leaf)
    return weights


class Scalarized(Balancer[SettingsT]):
    """Balancer that weighs losses by the gradient of a scalarizer without state."""

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.weigh`."""
        return weights_of(self.scalarizer(losses), losses)

    @abstractmethod
    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """Return a scalarizer for some losses.

        Args:
            losses: the losses, ``[n]``, which determine number and device.

        Returns:
            The scalarizer.
        """
