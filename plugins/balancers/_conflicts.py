"""Balancers that remove conflicts between gradients.

Two gradients conflict if their inner product is negative. In the formulas, ``J`` is the
Jacobian, with one gradient ``g_i`` per task as a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Settings

from ._aggregated import Aggregated

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator


class UPGrad(Aggregated):
    """UPGrad: the mean of the projections of all gradients onto their dual cone.

    Quinton and Rey 2024, "Jacobian Descent For Multi-Objective Optimization". The dual cone
    ``{x: J x >= 0}`` contains the updates that increase no loss to first order.
    """

    name = "upgrad"
    summary = "projects each gradient so that it increases no loss, and averages"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.UPGrad()


class DualProj(Aggregated):
    """DualProj: the projection of the mean gradient onto the dual cone of all gradients.

    Lopez-Paz and Ranzato 2017, "Gradient Episodic Memory for Continual Learning", Equation 11.
    """

    name = "dualproj"
    summary = "projects the mean gradient so that it increases no loss"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.DualProj()


class PCGrad(Aggregated):
    """PCGrad: each gradient is projected onto the normal plane of each one it conflicts with.

    Yu et al. 2020, "Gradient Surgery for Multi-Task Learning", Algorithm 1:
    ``g_i -= (g_i . g_j) / |g_j|^2 g_j`` if ``g_i . g_j < 0``, in random order of ``j``.
    """

    name = "pcgrad"
    summary = "removes from each gradient the component that conflicts with another"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.PCGrad()


class GradVacSettings(Settings):
    """Options of ``gradvac``."""

    beta: float = Field(
        0.01, ge=0, le=1, description="weight of the current step in the average cosines"
    )


class GradVac(Aggregated[GradVacSettings]):
    """GradVac: gradients are changed until their cosine reaches its running average.

    Wang et al. 2021, "Gradient Vaccine". The average ``phi_ij`` of the cosine of two gradients
    is updated as ``phi_ij = (1 - beta) phi_ij + beta cos(g_i, g_j)``.
    """

    name = "gradvac"
    summary = "raises the cosine of two gradients to its running average"
    Settings = GradVacSettings

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.GradVac(beta=self.settings.beta)


class GradDrop(Aggregated):
    """GradDrop: for each parameter, only gradients of one randomly chosen sign are summed.

    Chen et al. 2020, "Just Pick a Sign", Algorithm 1, lines 10 to 15, without leak.
    """

    name = "graddrop"
    summary = "sums, for each parameter, only gradients of one randomly chosen sign"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.GradDrop()


class ConFIG(Aggregated):
    """ConFIG: the direction that has the same cosine with all gradients.

    Liu et al. 2024, "ConFIG: Towards Conflict-free Training of Physics Informed Neural
    Networks", Equation 2. Its length is the sum of the gradients' projections on it.
    """

    name = "con_fig"
    summary = "follows the direction that has the same cosine with all gradients"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.ConFIG()
