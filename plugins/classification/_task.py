"""Task kind ``classification``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from mtlsearch.plugin import (
    FeatureSpec,
    Form,
    LabelSpec,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    TargetValues,
    Task,
    TrainingError,
    hookimpl,
)

from ._settings import ClassificationSettings

# Importing torch takes seconds, and listing plugins does not need it: methods import it.
if TYPE_CHECKING:
    from torch import Tensor, nn


class Classification(Task[ClassificationSettings]):
    """Task with one class per image, or with several.

    Args:
        name: name of the task in the run file.
        settings: options of the task.
        label: label of the form ``category`` or ``categories``.

    Raises:
        TrainingError: the label has too few classes.
    """

    kind = "classification"
    summary = "one class per image (accuracy), or several (mean average precision)"
    accepts = (Form.CATEGORY, Form.CATEGORIES)
    Settings = ClassificationSettings

    def __init__(self, name: str, settings: ClassificationSettings, label: LabelSpec) -> None:
        super().__init__(name, settings, label)
        self._is_multilabel = label.form is Form.CATEGORIES
        minimum = 1 if self._is_multilabel else 2
        if len(label.classes) < minimum:
            raise TrainingError(
                f"classification needs {minimum} or more classes, got {label.describe()}",
                where=f"task {name}",
                next_step="set the `label` of the task to one with two or more classes",
            )

    @property
    def metrics(self) -> Sequence[Metric]:
        """Accuracy and macro F1 for one class per image, mAP for several; the likelihood."""
        # It measures what accuracy measures, so that Δm counts it only if `rank_by` names it.
        nll = Metric("nll", higher_is_better=False, high=math.inf, in_delta_m=False)
        if self._is_multilabel:
            return (Metric("mAP", higher_is_better=True, primary=True), nll)
        return (
            Metric("accuracy", higher_is_better=True, primary=True),
            Metric("f1", higher_is_better=True),
            nll,
        )

    @property
    def output(self) -> OutputSpec:
        """Probabilities of the classes."""
        threshold = {"score_threshold": self.settings.score_threshold}
        options = threshold if self._is_multilabel else {}
        return OutputSpec(self.label.form, self.label.classes, options=options)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """See :meth:`mtlsearch.plugin.Task.build_head`."""
        from ._head import ClassificationHead

        return ClassificationHead(
            features,
            len(self.label.classes),
            levels=self.settings.levels,
            dropout=self.settings.dropout,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the cross-entropy, for several classes the binary one averaged over classes.

        The mean is over samples and not over class weights, so that the loss of a sample does
        not depend on its batch.

        Args:
            outputs: ``{"logits": [n, C]}``.
            targets: class indices ``[n]``, or zeros and ones ``[n, C]``.

        Returns:
            A scalar.
        """
        from mtlsearch.plugin.layers import class_weights

        from ._loss import categories_loss, category_loss

        logits, truth = outputs["logits"].float(), cast("Tensor", targets)
        where = f"tasks.{self.name}.class_weights"
        weight = class_weights(self.settings.class_weights, self.label, where=where)
        losses = (categories_loss if self._is_multilabel else category_loss)(
            logits,
            truth,
            weight=None if weight is None else weight.to(logits.device),
            smoothing=self.settings.label_smoothing,
        )
        return losses.mean()

    def meter(self) -> Meter:
        """See :meth:`mtlsearch.plugin.Task.meter`."""
        from ._meter import CategoriesMeter, CategoryMeter

        meter = CategoriesMeter if self._is_multilabel else CategoryMeter
        return meter(self.label.classes)

    def predict(self, outputs: Outputs) -> Outputs:
        """Return the probabilities.

        Args:
            outputs: ``{"logits": [B, C]}``.

        Returns:
            ``{"scores": [B, C]}``, float32.
        """
        logits = outputs["logits"].float()
        return {"scores": logits.sigmoid() if self._is_multilabel else logits.softmax(1)}


@hookimpl
def mtlsearch_tasks() -> list[type[Classification]]:
    """Register the task kind ``classification``."""
    return [Classification]
