"""Key ``search.early_stopping`` of a run file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator

from mtlsearch.config._section import Section

FIRST_RUNG = 8
"""First epoch at which ``auto`` compares trials, except at half of a shorter training."""

MIN_EPOCHS = 6
"""Number of epochs below which ``auto`` has no rung."""


class EarlyStoppingConfig(Section):
    """Early stopping by successive halving; a paused trial resumes if it is promoted."""

    rungs: Literal["auto"] | tuple[PositiveInt, ...] = Field(
        "auto",
        description="epochs after which trials are compared; auto: train.epochs divided by "
        "reduction_factor, repeatedly, down to epoch 8; if that leaves no rung, half of the "
        "epochs; below 6 epochs no rung",
    )
    reduction_factor: Annotated[int, Field(ge=2)] = Field(
        3, description="one of this many compared trials is promoted"
    )

    @field_validator("rungs")
    @classmethod
    def _check_rungs(cls, value: Any) -> Any:
        if value != "auto" and (not value or list(value) != sorted(set(value))):
            raise ValueError("`rungs` must be a rising list of epochs, such as [2, 4]")
        return value

    def rungs_of(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which trials are compared.

        ``auto`` has no rung before epoch 8, because the ranks of trials correlate too little with
        the final ranks before. If that leaves no rung, the only rung is at half of the training,
        rounded up. Below 6 epochs there is no rung and every trial trains for all epochs.

        Args:
            epochs: epochs of a complete trial.

        Returns:
            The rungs, rising.
        """
        if self.rungs != "auto":
            return self.rungs
        rungs, rung = list[int](), epochs // self.reduction_factor
        while rung >= FIRST_RUNG:
            rungs.append(rung)
            rung //= self.reduction_factor
        if not rungs and epochs >= MIN_EPOCHS:
            rungs = [-(-epochs // 2)]
        return tuple(reversed(rungs))
