"""One direction that serves all tasks, found from the gradients' products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtlsearch.plugin import Settings

from ._aggregated import Aggregated

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator


class MGDA(Aggregated):
    """Multiple-gradient descent (Désidéri 2012; Sener and Koltun 2018): the shortest mixture."""

    name = "mgda"
    summary = "the shortest mixture of the gradients: it helps every task, small ones most"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's Frank-Wolfe solver."""
        from torchjd import aggregation

        return aggregation.MGDA()


class CRMOGMSettings(Settings):
    """Options of ``cr_mogm``."""

    alpha: float = Field(0.9, ge=0, le=1, description="what part of the weights stays each step")


class CRMOGM(Aggregated[CRMOGMSettings]):
    """CR-MOGM (Zhou et al. 2022): MGDA whose mixture is averaged over the steps."""

    name = "cr_mogm"
    summary = "mgda with weights averaged over the steps"
    Settings = CRMOGMSettings

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's smoothing of its MGDA."""
        from torchjd.aggregation import CRMOGMWeighting, GramianWeightedAggregator, MGDAWeighting

        return GramianWeightedAggregator(CRMOGMWeighting(MGDAWeighting(), self.settings.alpha))


class CAGradSettings(Settings):
    """Options of ``cagrad``."""

    c: float = Field(0.4, ge=0, description="how far from the mean it may go; 0 is the mean")


class CAGrad(Aggregated[CAGradSettings]):
    """Conflict-averse gradient descent (Liu et al. 2021): near the mean, best for the worst off."""

    name = "cagrad"
    summary = "near the mean gradient, what is best for the task that gains least"
    Settings = CAGradSettings

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, solved by cvxpy."""
        from torchjd import aggregation

        return aggregation.CAGrad(self.settings.c)

    def failures(self) -> tuple[type[Exception], ...]:
        """The solver's own, and TypeError, where it returns nothing."""
        from cvxpy.error import SolverError

        return (*super().failures(), SolverError, TypeError)


class IMTLG(Aggregated):
    """Impartial learning's gradient balance (Liu et al. 2021): equal share in every gradient."""

    name = "imtl_g"
    summary = "the mixture with equal projections on all gradients"

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's."""
        from torchjd import aggregation

        return aggregation.IMTLG()


class AlignedMTLSettings(Settings):
    """Options of ``aligned_mtl``."""

    scale: Literal["min", "median", "rmse"] = Field(
        "min", description="which singular value all others are set to"
    )


class AlignedMTL(Aggregated[AlignedMTLSettings]):
    """Aligned-MTL (Senushkin et al. 2023): gradients made orthogonal and equally long."""

    name = "aligned_mtl"
    summary = "makes the gradients orthogonal and equally long, then averages"
    Settings = AlignedMTLSettings

    def aggregator(self, count: int) -> Aggregator:
        """TorchJD's, with equal preferences."""
        from torchjd import aggregation

        return aggregation.AlignedMTL(scale_mode=self.settings.scale)


class RandomGradients(Aggregated):
    """Random gradient weighting (Lin et al. 2022): a random mixture every step, in each unit.

    A litmus test, as ``rlw``, at the cost of the methods it tests.
    """

    name = "rgw"
    summary = "a random mixture of the gradients, anew in every step and unit: a litmus test"

    def aggregator(self, count: int) -> Aggregator:
        """Softmax of normal numbers, by torch's generator, which the host has seeded."""
        from torchjd import aggregation

        return aggregation.Random()
