"""One task of an evaluation: its scorers at both sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtlsearch.evaluation._bootstrap import Estimate, Estimates, bootstrap
from mtlsearch.evaluation._result import ImageResult, Size, TaskEvaluation
from mtlsearch.evaluation._scorers import make_scorer, scored_output
from mtlsearch.labels import Form
from mtlsearch.prediction import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.labels import RawLabel
    from mtlsearch.plugin import OutputSpec, Scorer, Task

SIZED_FORMS = (Form.BOXES, Form.MASK, Form.MAP)
"""Forms whose predictions depend on the size; the others have equal results at both sizes."""


class ScoredTask:
    """Scorers of one task, at the size of the network's input and of each image.

    Args:
        task: the task.
        output: specification of its predictions.
        input_size: ``(height, width)`` of the network's input in pixels.
    """

    def __init__(self, task: Task, output: OutputSpec, input_size: tuple[int, int]) -> None:
        self.task = task
        self.output = output
        self._input_size = input_size
        self._scored = scored_output(output)
        self._is_sized = output.form in SIZED_FORMS
        self._scorers: dict[Size, Scorer] = {}
        sizes: tuple[Size, ...] = ("network", "image") if self._is_sized else ("image",)
        for size in sizes:
            scorer = make_scorer(task, output)
            if scorer is not None:
                self._scorers[size] = scorer
        self._indices: list[int] = []

    @property
    def num_intervals(self) -> int:
        """Number of scorers whose results get confidence intervals."""
        return len(self._scorers)

    def add(
        self,
        index: int,
        arrays: Mapping[str, NDArray[np.float32]],
        labels: Mapping[Size, RawLabel],
        image_size: tuple[int, int],
    ) -> None:
        """Add one image.

        Args:
            index: index of the image in the split.
            arrays: the tensors of the task for this image, without the batch dimension.
            labels: the label by size.
            image_size: ``(height, width)`` of the image in pixels.
        """
        self._indices.append(index)
        target_sizes: Mapping[Size, tuple[int, int]] = {
            "network": self._input_size,
            "image": image_size,
        }
        for size, scorer in self._scorers.items():
            prediction = decode(
                self._scored,
                arrays,
                input_size=self._input_size,
                image_size=target_sizes[size],
            )
            scorer.add(prediction, labels[size])

    def missing_metrics(self) -> tuple[str, ...]:
        """Return the declared metrics that no scorer has."""
        scored_metrics: set[str] = set()
        for scorer in self._scorers.values():
            scored_metrics |= set(scorer.compute(np.ones(len(self._indices), np.int64)))
        return tuple(spec.name for spec in self.task.metrics if spec.name not in scored_metrics)

    def finish(
        self,
        *,
        resamples: int,
        seed: int,
        groups: Sequence[Hashable],
        on_resample: Callable[[], None],
        locate: Callable[[int], str],
        measured: Mapping[str, float],
        validation: Mapping[str, float],
    ) -> TaskEvaluation:
        """Compute all results.

        Args:
            resamples: number of resamples.
            seed: seed of the resamples.
            groups: the group of each image of the split.
            on_resample: called after each resample.
            locate: function from the index of an image to its file and row.
            measured: metrics of the task's meter that no scorer has.
            validation: metrics of the search on the validation split.

        Returns:
            The results.
        """
        sizes = {
            size: bootstrap(
                scorer,
                len(self._indices),
                count=resamples,
                seed=seed,
                groups=[groups[index] for index in self._indices],
                on_resample=on_resample,
            )
            for size, scorer in self._scorers.items()
        }
        if not self._is_sized and "image" in sizes:
            sizes = {"network": sizes["image"], **sizes}
        if measured:
            sizes = {**sizes, "network": _with_metrics(sizes.get("network"), measured)}
        scorer = self._scorers.get("image")
        return TaskEvaluation(
            form=self.output.form,
            classes=tuple(self.output.classes),
            specs=tuple(self.task.metrics),
            num_images=len(self._indices),
            sizes=sizes,
            validation=dict(validation),
            support=dict(scorer.support()) if scorer else {},
            confusion=scorer.confusion() if scorer else None,
            images=tuple(sorted(self._images(locate), key=_worst_first)) if scorer else (),
        )

    def _images(self, locate: Callable[[int], str]) -> Iterator[ImageResult]:
        qualities = self._scorers["image"].qualities()
        for index, quality in zip(self._indices, qualities, strict=True):
            yield ImageResult(index, locate(index), float(quality))


def _worst_first(image: ImageResult) -> tuple[bool, float, int]:
    """Return the key that sorts the worst image first and images without a result last."""
    is_undefined = math.isnan(image.quality)
    return is_undefined, 0.0 if is_undefined else image.quality, image.index


def _with_metrics(estimates: Estimates | None, measured: Mapping[str, float]) -> Estimates:
    """Add metrics without intervals."""
    added = {name: Estimate(value) for name, value in measured.items()}
    if estimates is None:
        return Estimates(added, {})
    return Estimates({**estimates.metrics, **added}, estimates.per_class)
