"""Balancers that compute one common direction from the inner products of the gradients.

In the formulas, ``J`` is the Jacobian, with one gradient ``g_i`` per task as a row, and ``w``
are weights with ``w >= 0`` and ``sum(w) = 1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtlsearch.plugin import Settings

from ._aggregated import Aggregated

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator


class MGDA(Aggregated):
    """Multiple-gradient descent (MGDA): the convex combination of gradients with smallest norm.

    Désidéri 2012; Sener and Koltun 2018, "Multi-Task Learning as Multi-Objective
    Optimization", Algorithm 2 (Frank-Wolfe): ``J^T w`` with ``w = argmin |J^T w|^2``.
    """

    name = "mgda"
    summary = "the convex combination of gradients with smallest norm; favors small gradients"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.MGDA()


class CRMOGMSettings(Settings):
    """Options of ``cr_mogm``."""

    alpha: float = Field(
        0.9, ge=0, le=1, description="weight of the previous steps in the average weights"
    )


class CRMOGM(Aggregated[CRMOGMSettings]):
    """CR-MOGM: MGDA with weights that are averaged over steps.

    Zhou et al. 2022, "On the Convergence of Stochastic Multi-Objective Gradient Manipulation
    and Beyond": ``w_k = alpha w_(k-1) + (1 - alpha) w``, with ``w`` of MGDA in step ``k``.
    """

    name = "cr_mogm"
    summary = "mgda with weights that are averaged over steps"
    Settings = CRMOGMSettings

    def aggregator(self, count: int) -> Aggregator:
        from torchjd.aggregation import CRMOGMWeighting, GramianWeightedAggregator, MGDAWeighting

        return GramianWeightedAggregator(CRMOGMWeighting(MGDAWeighting(), self.settings.alpha))


class CAGradSettings(Settings):
    """Options of ``cagrad``."""

    c: float = Field(
        0.4,
        ge=0,
        description="largest distance from the mean gradient, relative to its norm; 0: the mean",
    )


class CAGrad(Aggregated[CAGradSettings]):
    """Conflict-averse gradient descent (CAGrad): near the mean, best for the worst task.

    Liu et al. 2021, "Conflict-Averse Gradient Descent for Multi-task Learning", Algorithm 1:
    ``max_d min_i g_i . d`` with ``|d - g| <= c |g|``, where ``g`` is the mean gradient.
    """

    name = "cagrad"
    summary = "near the mean gradient, the direction that improves the worst task most"
    Settings = CAGradSettings

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.CAGrad(self.settings.c)

    def failures(self) -> tuple[type[Exception], ...]:
        """See :meth:`Aggregated.failures`."""
        from cvxpy.error import SolverError

        # TorchJD raises a TypeError if the solver returns nothing.
        return (*super().failures(), SolverError, TypeError)


class IMTLG(Aggregated):
    """IMTL-G: the combination with equal projections on all gradients.

    Liu et al. 2021, "Towards Impartial Multi-task Learning": ``d . g_i / |g_i|`` is the same
    for all ``i``, with ``d = J^T w`` and ``sum(w) = 1``; ``w`` may be negative.
    """

    name = "imtl_g"
    summary = "the combination with equal projections on all gradients"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.IMTLG()


class AlignedMTLSettings(Settings):
    """Options of ``aligned_mtl``."""

    scale: Literal["min", "median", "rmse"] = Field(
        "min", description="the singular value to which all others are set"
    )


class AlignedMTL(Aggregated[AlignedMTLSettings]):
    """Aligned-MTL: gradients are made orthogonal and equal in norm, and averaged.

    Senushkin et al. 2023, "Independent Component Alignment for Multi-Task Learning",
    Algorithm 1: all singular values of ``J`` are set to one value.
    """

    name = "aligned_mtl"
    summary = "makes the gradients orthogonal and equal in norm, and averages"
    Settings = AlignedMTLSettings

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.AlignedMTL(scale_mode=self.settings.scale)


class RandomGradients(Aggregated):
    """Random gradient weighting (RGW): random weights in every step and unit.

    Lin et al. 2022, "Reasonable Effectiveness of Random Weighting: A Litmus Test for
    Multi-Task Learning", Algorithm 2: ``w = softmax(z)`` with normal ``z``. It costs as much as
    other balancers of gradients, which should perform better.
    """

    name = "rgw"
    summary = "random weights of the gradients in every step and unit, for comparison"

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.Random()
