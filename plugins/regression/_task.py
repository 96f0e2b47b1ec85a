"""Task kind ``regression``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from mtlsearch.plugin import (
    FeatureSpec,
    Form,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    TargetValues,
    Task,
    hookimpl,
)

from ._settings import RegressionSettings

# Importing torch takes seconds, and listing plugins does not need it: methods import it.
if TYPE_CHECKING:
    from torch import Tensor, nn


class Regression(Task[RegressionSettings]):
    """Task with one number per image."""

    kind = "regression"
    summary = "one number per image, such as an age (mean absolute error)"
    accepts = (Form.NUMBER,)
    Settings = RegressionSettings
    metrics = (
        Metric("MAE", higher_is_better=False, primary=True, high=math.inf),
        # The mean squared error in another form. It can be 0, where a relative change is undefined.
        Metric("R2", higher_is_better=True, low=-math.inf, in_delta_m=False),
    )

    @property
    def output(self) -> OutputSpec:
        """Number in the label's unit."""
        return OutputSpec(Form.NUMBER, unit=self.label.unit)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Return a head that contains mean and standard deviation of the training labels.

        Args:
            features: feature levels of the backbone.

        Returns:
            The head, see :class:`RegressionHead`.
        """
        from ._head import RegressionHead

        return RegressionHead(
            features,
            mean=self.label.mean or 0.0,
            std=self.label.std or 1.0,  # equal or uncounted numbers are not scaled
            levels=self.settings.levels,
            dropout=self.settings.dropout,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the smooth L1 error in standard deviations of the training labels.

        Args:
            outputs: ``{"value": [n], "std": [n]}``.
            targets: true numbers ``[n]``.

        Returns:
            A scalar, the mean over samples.
        """
        from torch.nn import functional

        error = (outputs["value"].float() - cast("Tensor", targets)) / outputs["std"]
        zeros = error.new_zeros(error.shape)
        return functional.smooth_l1_loss(error, zeros, beta=self.settings.beta)

    def meter(self) -> Meter:
        """See :meth:`mtlsearch.plugin.Task.meter`."""
        from ._meter import NumberMeter

        return NumberMeter()

    def predict(self, outputs: Outputs) -> Outputs:
        """Return the numbers.

        Args:
            outputs: ``{"value": [B], "std": [B]}``.

        Returns:
            ``{"value": [B]}``, float32.
        """
        return {"value": outputs["value"].float()}


@hookimpl
def mtlsearch_tasks() -> list[type[Regression]]:
    """Register the task kind ``regression``."""
    return [Regression]
