"""Balancers that weigh losses by a formula of the current losses.

In the formulas, ``L_i`` is the loss of one of ``T`` tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Settings

from ._scalarized import Scalarized

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.scalarization import Scalarizer

MIN_LOSS = 1e-8
"""Smallest loss in logarithms; smaller losses count as this."""


class RLW(Scalarized):
    """Random loss weighting (RLW): random weights in every step, with sum 1.

    Lin et al. 2022, "Reasonable Effectiveness of Random Weighting: A Litmus Test for
    Multi-Task Learning", Algorithm 2: ``softmax(z)`` with normal ``z``. Other balancers should
    perform better.
    """

    name = "rlw"
    summary = "random weights of the losses in every step, for comparison"

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        from torchjd import scalarization

        return scalarization.Random()


class GLS(Scalarized):
    """Geometric loss strategy (GLS): the geometric mean of the losses.

    Chennupati et al. 2019, "MultiNet++": ``(L_1 ... L_T) ** (1 / T)``. A loss counts by its
    relative decrease, whatever its scale.
    """

    name = "gls"
    summary = "geometric mean of the losses: each counts by its relative decrease"

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.weigh`."""
        return super().weigh(losses.clamp(min=MIN_LOSS), tasks)

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        from torchjd import scalarization

        return scalarization.GeometricMean()


class STCHSettings(Settings):
    """Options of ``stch``."""

    mu: float = Field(0.5, gt=0, description="smoothing; near 0, only the largest loss counts")


class STCH(Scalarized[STCHSettings]):
    """Smooth Tchebycheff scalarization (STCH): a smooth maximum of the losses.

    Lin et al. 2024, "Smooth Tchebycheff Scalarization for Multi-Objective Optimization":
    ``mu log(sum_i exp(p L_i / mu))``, with equal preferences ``p = 1 / T``.
    """

    name = "stch"
    summary = "smooth maximum of the losses: the largest counts most"
    Settings = STCHSettings

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        from torchjd import scalarization

        return scalarization.STCH(self.settings.mu)


class COSMOSSettings(Settings):
    """Options of ``cosmos``."""

    penalty: float = Field(0.1, ge=0, description="weight of the penalty for unequal losses")


class COSMOS(Scalarized[COSMOSSettings]):
    """COSMOS: the sum of the losses, minus their cosine with equal losses.

    Ruchte and Grabocka 2021, "Scalable Pareto Front Approximation for Deep Multi-Objective
    Learning": ``sum_i L_i - penalty cos(L, 1)``. In the paper, the network also gets preferences,
    which change; here they are equal and constant.
    """

    name = "cosmos"
    summary = "sum of the losses with a penalty for unequal losses"
    Settings = COSMOSSettings

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        import torch
        from torchjd import scalarization

        return scalarization.COSMOS(self.settings.penalty, torch.ones_like(losses))


class PBISettings(Settings):
    """Options of ``pbi``."""

    theta: float = Field(
        0.5,
        ge=0,
        description="weight of the distance from equal losses; above 1 / sqrt(T - 1), a small "
        "loss can have a negative weight",
    )


class PBI(Scalarized[PBISettings]):
    """Penalty-based boundary intersection (PBI), with equal preferences.

    Zhang and Li 2007, "MOEA/D": ``d_1 + theta d_2``, where ``d_1`` is the length of the losses
    along ``(1, ..., 1)`` and ``d_2`` their distance from that direction.
    """

    name = "pbi"
    summary = "mean of the losses plus their distance from equal losses"
    Settings = PBISettings

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        import torch
        from torchjd import scalarization

        return scalarization.PBI(self.settings.theta, torch.ones_like(losses))
