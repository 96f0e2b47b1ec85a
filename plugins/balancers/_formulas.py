"""Formulas of the losses alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Settings

from ._scalarized import Scalarized

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.scalarization import Scalarizer

SMALLEST = 1e-8
"""Losses are not taken for smaller: the logarithm of 0 has no gradient."""


class RLW(Scalarized):
    """Random loss weighting (Lin et al. 2022): new weights at every step, summing to 1.

    A litmus test: a method that does not beat it does not balance.
    """

    name = "rlw"
    summary = "weighs losses at random, anew every step: a litmus test"

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """Softmax of normal numbers, by torch's generator, which the host has seeded."""
        from torchjd import scalarization

        return scalarization.Random()


class GLS(Scalarized):
    """Geometric loss strategy (Chennupati et al. 2019): the losses' geometric mean.

    Each task's loss counts by its relative decrease, whatever its scale.
    """

    name = "gls"
    summary = "the geometric mean of the losses: each counts by its relative decrease"

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """The mean over each loss; a loss of 0 or below counts as one next to 0."""
        return super().weigh(losses.clamp(min=SMALLEST), tasks)

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """The geometric mean."""
        from torchjd import scalarization

        return scalarization.GeometricMean()


class STCHSettings(Settings):
    """Options of ``stch``."""

    mu: float = Field(0.5, gt=0, description="smoothing: near 0 the largest loss alone counts")


class STCH(Scalarized[STCHSettings]):
    """Smooth Tchebycheff scalarization (Lin et al. 2024): a soft maximum of the losses."""

    name = "stch"
    summary = "a soft maximum: the largest loss counts most"
    Settings = STCHSettings

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """The soft maximum with equal preferences."""
        from torchjd import scalarization

        return scalarization.STCH(self.settings.mu)


class COSMOSSettings(Settings):
    """Options of ``cosmos``."""

    penalty: float = Field(0.1, ge=0, description="how much losses are drawn towards one size")


class COSMOS(Scalarized[COSMOSSettings]):
    """COSMOS's objective (Ruchte and Grabocka 2021) with equal preferences.

    The sum of the losses, less their cosine with equal losses. The paper conditions the
    network on changing preferences; here they stay.
    """

    name = "cosmos"
    summary = "the sum, drawn towards losses of one size"
    Settings = COSMOSSettings

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """The penalised sum."""
        import torch
        from torchjd import scalarization

        return scalarization.COSMOS(self.settings.penalty, torch.ones_like(losses))


class PBISettings(Settings):
    """Options of ``pbi``."""

    theta: float = Field(
        0.5,
        ge=0,
        description="how much losses are drawn towards one size; above 1 / sqrt(T - 1) "
        "a small loss may be raised for it",
    )


class PBI(Scalarized[PBISettings]):
    """Penalty-based boundary intersection (Zhang and Li 2007) with equal preferences."""

    name = "pbi"
    summary = "the mean, and the distance of the losses from equal ones"
    Settings = PBISettings

    def scalarizer(self, losses: Tensor) -> Scalarizer:
        """The penalised mean."""
        import torch
        from torchjd import scalarization

        return scalarization.PBI(self.settings.theta, torch.ones_like(losses))
