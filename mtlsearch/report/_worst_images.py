"""Pictures of the images with the worst predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from PIL import Image

from mtlsearch.images import to_rgb
from mtlsearch.prediction import decode, draw, side_by_side

if TYPE_CHECKING:
    from mtlsearch.evaluation import Evaluation, EvaluationJob

MAX_TITLE = 44
"""Number of characters of a title."""


def worst_images(
    job: EvaluationJob, evaluation: Evaluation, count: int
) -> Iterator[tuple[str, int, Image.Image]]:
    """Draw label and prediction of the worst images of each task.

    Args:
        job: the network and the images.
        evaluation: its results.
        count: number of images per task.

    Yields:
        Task, rank from 1 and picture: the label on the left, the prediction on the right.
    """
    # mtlsearch.data imports torch, which takes seconds that the tables do not need.
    from mtlsearch.data import label_prediction

    for name, task in evaluation.tasks.items():
        label, output = job.label_by_task[name], job.predictor.outputs[name]
        for rank, result in enumerate(task.images[:count], start=1):
            (sample,) = job.data.samples(job.split, [result.index])
            arrays = job.predictor.run([sample.image])[name]
            prediction = decode(
                output,
                {key: array[0] for key, array in arrays.items()},
                input_size=job.predictor.input_size,
                image_size=(sample.image.size[1], sample.image.size[0]),
            )
            picture = to_rgb(sample.image)
            spec, truth = label_prediction(job.data.labels[label], sample.labels[label])
            panels = [
                (_title("label", result.where), draw(spec, picture, truth)),
                (f"prediction, quality {result.quality:.3f}", draw(output, picture, prediction)),
            ]
            yield name, rank, side_by_side(panels)


def _title(noun: str, where: str) -> str:
    """Return the noun and the end of a place, without folders."""
    name = PurePath(where.replace("\\", "/")).name
    if where.endswith(")") and "(" not in name:  # "table.csv row 3 (images/a.jpg)"
        name = name.removesuffix(")")
    text = f"{noun}, {name}"
    return text if len(text) <= MAX_TITLE else f"{noun}, …{name[-(MAX_TITLE - len(noun) - 3) :]}"
