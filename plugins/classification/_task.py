"""The task kind ``classification``."""

from __future__ import annotations

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

# Torch takes seconds to import, and plugins are also listed: methods import what they need.
if TYPE_CHECKING:
    from torch import Tensor, nn


class Classification(Task[ClassificationSettings]):
    """One class an image, or any number of them.

    Raises:
        TrainingError: one class an image of fewer than two.
    """

    kind = "classification"
    summary = "one class an image (accuracy), or several (mean average precision)"
    accepts = (Form.CATEGORY, Form.CATEGORIES)
    Settings = ClassificationSettings

    def __init__(self, name: str, settings: ClassificationSettings, label: LabelSpec) -> None:
        super().__init__(name, settings, label)
        self._several = label.form is Form.CATEGORIES
        if len(label.classes) < (1 if self._several else 2):
            raise TrainingError(
                f"there is nothing to tell apart in {label.describe()}",
                where=f"task {name}",
                next_step="give the task a label of at least two classes",
            )

    @property
    def metrics(self) -> Sequence[Metric]:
        """Accuracy and macro F1 for one class an image, mAP for several."""
        if self._several:
            return (Metric("mAP", higher_is_better=True, primary=True),)
        return (
            Metric("accuracy", higher_is_better=True, primary=True),
            Metric("f1", higher_is_better=True),
        )

    @property
    def output(self) -> OutputSpec:
        """Probabilities."""
        options = {"score_threshold": self.settings.score_threshold} if self._several else {}
        return OutputSpec(self.label.form, self.label.classes, options=options)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Average pooling, a norm and a linear layer."""
        from ._head import ClassificationHead

        return ClassificationHead(
            features,
            len(self.label.classes),
            levels=self.settings.levels,
            dropout=self.settings.dropout,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Cross-entropy, or the mean binary cross-entropy over classes.

        Weighted losses are averaged over samples, not over their weights, so that a sample
        counts the same whatever batch it is in.
        """
        from mtlsearch.plugin.layers import class_weights

        from ._loss import categories_loss, category_loss

        logits, truth = outputs["logits"].float(), cast("Tensor", targets)
        where = f"task {self.name}, class_weights"
        weight = class_weights(self.settings.class_weights, self.label, where=where)
        losses = (categories_loss if self._several else category_loss)(
            logits,
            truth,
            weight=None if weight is None else weight.to(logits.device),
            smoothing=self.settings.label_smoothing,
        )
        return losses.mean()

    def meter(self) -> Meter:
        """See :attr:`metrics`."""
        from ._meter import CategoriesMeter, CategoryMeter

        return CategoriesMeter() if self._several else CategoryMeter(len(self.label.classes))

    def predict(self, outputs: Outputs) -> Outputs:
        """``scores`` ``[B, C]``."""
        logits = outputs["logits"].float()
        return {"scores": logits.sigmoid() if self._several else logits.softmax(1)}


@hookimpl
def mtlsearch_tasks() -> list[type[Classification]]:
    """Contribute the task kind ``classification``."""
    return [Classification]
