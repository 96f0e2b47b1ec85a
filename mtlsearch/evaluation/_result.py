"""Results of an evaluation, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mtlsearch.labels import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtlsearch.evaluation._bootstrap import Estimates
    from mtlsearch.plugin import Metric

Size = Literal["network", "image"]
"""Pixels in which predictions and labels are compared: those of the network's input, or those of
each image as its file has it."""

NO_BOX, NO_CLASS = "(background)", "(none)"
"""Name of the last row and column of a confusion matrix of boxes, and of other forms."""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """Quality of the prediction for one image.

    Attributes:
        index: index of the image in the split.
        where: the file, and the row in it.
        quality: higher is better; NaN without a result.
    """

    index: int
    where: str
    quality: float


@dataclass(frozen=True, slots=True, eq=False)
class TaskEvaluation:
    """Results of one task.

    Attributes:
        form: form of the label.
        classes: class names by index; empty for maps and numbers.
        specs: the task's metrics, with their directions and the primary one marked.
        num_images: number of images with the task's label.
        sizes: results by size; a task whose metrics only its meter has lacks ``"image"``.
        validation: metric values of the search on the validation split, by name.
        support: number of images, boxes or pixels by class name, at the size of the images.
        confusion: number of images, boxes or pixels, ``[true, predicted class]``, at the size of
            the images; None if the form has none.
        images: quality of each image, the worst first.
    """

    form: Form
    classes: tuple[str, ...]
    specs: tuple[Metric, ...]
    num_images: int
    sizes: Mapping[Size, Estimates]
    validation: Mapping[str, float]
    support: Mapping[str, int]
    confusion: NDArray[np.int64] | None
    images: tuple[ImageResult, ...]

    @property
    def confusion_names(self) -> tuple[str, ...]:
        """Names of the rows and columns of :attr:`confusion`; empty without one."""
        if self.confusion is None:
            return ()
        no_counterpart = NO_BOX if self.form is Form.BOXES else NO_CLASS
        return (*self.classes, no_counterpart)[: len(self.confusion)]

    @property
    def zero_classes(self) -> tuple[str, ...]:
        """The classes whose first result per class is 0, which a mean over classes hides."""
        if not any(spec.primary and spec.higher_is_better for spec in self.specs):
            return ()
        estimates = self.sizes.get("image", self.sizes["network"])
        for by_class in estimates.per_class.values():
            return tuple(name for name, estimate in by_class.items() if estimate.value == 0)
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Results of one network on one split.

    Attributes:
        network: what was evaluated, such as a bundle or a trial of a run.
        split: name of the split.
        num_images: number of images of the split.
        input_size: ``(height, width)`` of the network's input in pixels.
        resamples: number of resamples of each confidence interval.
        seed: seed of the resamples.
        tasks: results by task.
        notes: remarks, such as tasks that were not evaluated.
    """

    network: str
    split: str
    num_images: int
    input_size: tuple[int, int]
    resamples: int
    seed: int
    tasks: Mapping[str, TaskEvaluation]
    notes: tuple[str, ...] = ()
