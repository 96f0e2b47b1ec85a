"""How much each task gains, shared out fairly."""

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

    every: int = Field(1, ge=1, description="the bargain is made anew every so many steps")
    max_norm: float = Field(1.0, ge=0, description="largest norm of a unit's gradient; 0: any")


class NashMTL(Aggregated[NashMTLSettings]):
    """Nash-MTL (Navon et al. 2022): the gradient that tasks would agree on by bargaining."""

    name = "nash_mtl"
    summary = "the gradient that the tasks would agree on by bargaining; slow"
    Settings = NashMTLSettings
    scaled = False  # it scales by itself, and bounds the norm of what comes out

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, solved by cvxpy in at most 20 rounds."""
        from torchjd import aggregation

        return aggregation.NashMTL(count, self.settings.max_norm, self.settings.every, 20)


class FairGradSettings(Settings):
    """Options of ``fairgrad``."""

    alpha: float = Field(1.0, gt=0, description="fairness: 1 proportional, towards max-min above")


class FairGrad(Aggregated[FairGradSettings]):
    """FairGrad (Ban and Ji 2024): shares progress out as networks share bandwidth."""

    name = "fairgrad"
    summary = "shares progress out by alpha-fairness"
    Settings = FairGradSettings

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, solved by scipy."""
        from torchjd import aggregation

        return aggregation.FairGrad(self.settings.alpha)

    def back(self, scale: Tensor) -> Tensor:
        """From ``G x = x ** (-1 / alpha)``: the longer the gradients, the smaller their weights."""
        alpha = self.settings.alpha
        return scale ** ((1 - alpha) / (1 + alpha))


class ExcessMTLSettings(Settings):
    """Options of ``excess_mtl``."""

    step_size: float = Field(0.01, gt=0, description="how fast weights follow the excess risks")


class ExcessMTL(Aggregated[ExcessMTLSettings]):
    """ExcessMTL (He et al. 2024): tasks that are far from their best weigh more.

    It remembers squared gradients, a number a task and weight.
    """

    name = "excess_mtl"
    summary = "tasks that are far from the best they can reach weigh more"
    Settings = ExcessMTLSettings
    scaled = False

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, compared with the first step."""
        from torchjd import aggregation

        return aggregation.ExcessMTL(self.settings.step_size)
