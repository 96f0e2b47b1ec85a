"""Gradients that point against each other are bent until they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Settings

from ._aggregated import Aggregated

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator


class UPGrad(Aggregated):
    """UPGrad (Quinton and Rey 2024): projects each gradient on what hurts no task; their mean."""

    name = "upgrad"
    summary = "projects each gradient on what hurts no task and averages"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, with equal preferences."""
        from torchjd import aggregation

        return aggregation.UPGrad()


class DualProj(Aggregated):
    """DualProj (Lopez-Paz and Ranzato 2017): the mean projected on what hurts no task."""

    name = "dualproj"
    summary = "projects the mean gradient on what hurts no task"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, with equal preferences."""
        from torchjd import aggregation

        return aggregation.DualProj()


class PCGrad(Aggregated):
    """PCGrad (Yu et al. 2020): each gradient loses what conflicts with another, in any order."""

    name = "pcgrad"
    summary = "takes from each gradient what conflicts with another"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's; the order is drawn anew every time."""
        from torchjd import aggregation

        return aggregation.PCGrad()


class GradVacSettings(Settings):
    """Options of ``gradvac``."""

    beta: float = Field(0.01, ge=0, le=1, description="how fast the usual cosines are learned")


class GradVac(Aggregated[GradVacSettings]):
    """Gradient vaccine (Wang et al. 2021): gradients are turned to their usual agreement."""

    name = "gradvac"
    summary = "turns gradients towards the agreement that they usually have"
    Settings = GradVacSettings

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's."""
        from torchjd import aggregation

        return aggregation.GradVac(beta=self.settings.beta)


class GradDrop(Aggregated):
    """GradDrop (Chen et al. 2020): of each weight's gradients one sign is let through, by lot."""

    name = "graddrop"
    summary = "lets one sign of each weight's gradients through, by lot"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, without leak."""
        from torchjd import aggregation

        return aggregation.GradDrop()


class ConFIG(Aggregated):
    """ConFIG (Liu et al. 2024): the direction that all gradients agree with alike."""

    name = "con_fig"
    summary = "goes where all gradients agree alike, as far as they agree"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, with equal preferences."""
        from torchjd import aggregation

        return aggregation.ConFIG()
