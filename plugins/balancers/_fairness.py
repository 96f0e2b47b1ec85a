"""Balancers that distribute the improvement between tasks.

In the formulas, ``G = J J^T`` is the Gramian of the gradients, and ``w`` are their weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Settings

from ._aggregated import Aggregated

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class NashMTLSettings(Settings):
    """Options of ``nash_mtl``."""

    every: int = Field(1, ge=1, description="number of steps between two solutions")
    max_norm: float = Field(
        1.0, ge=0, description="largest norm of the gradient of a unit; 0: no limit"
    )


class NashMTL(Aggregated[NashMTLSettings]):
    """Nash-MTL: the Nash bargaining solution of the tasks.

    Navon et al. 2022, "Multi-Task Learning as a Bargaining Game", Algorithm 1: ``G w = 1 / w``,
    solved in at most 20 iterations.
    """

    name = "nash_mtl"
    summary = "the Nash bargaining solution of the tasks; slow"
    Settings = NashMTLSettings
    scaled = False  # the method scales the gradients itself and limits the norm of the result

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.NashMTL(count, self.settings.max_norm, self.settings.every, 20)


class FairGradSettings(Settings):
    """Options of ``fairgrad``."""

    alpha: float = Field(
        1.0, gt=0, description="fairness: 1 is proportional, larger values approach max-min"
    )


class FairGrad(Aggregated[FairGradSettings]):
    """FairGrad: alpha-fair distribution of the improvement.

    Ban and Ji 2024, "Fair Resource Allocation in Multi-Task Learning", Equation 4:
    ``G w = w ** (-1 / alpha)``.
    """

    name = "fairgrad"
    summary = "distributes the improvement by alpha-fairness"
    Settings = FairGradSettings

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.FairGrad(self.settings.alpha)

    def rescaling(self, scale: Tensor) -> Tensor:
        """See :meth:`Aggregated.rescaling`."""
        # By Equation 4, gradients that grow by `scale` have weights that shrink.
        alpha = self.settings.alpha
        return scale ** ((1 - alpha) / (1 + alpha))


class ExcessMTLSettings(Settings):
    """Options of ``excess_mtl``."""

    step_size: float = Field(
        0.01, gt=0, description="step size with which weights follow the excess risks"
    )


class ExcessMTL(Aggregated[ExcessMTLSettings]):
    """ExcessMTL: tasks far from their optimum have larger weights.

    He et al. 2024, "Robust Multi-Task Learning with Excess Risks": excess risks by Equations 6
    and 7, weights by Equation 9. It stores one number per task and parameter.
    """

    name = "excess_mtl"
    summary = "larger weights for tasks that are far from their optimum"
    Settings = ExcessMTLSettings
    scaled = False

    def aggregator(self, count: int) -> Aggregator:
        from torchjd import aggregation

        return aggregation.ExcessMTL(self.settings.step_size)
