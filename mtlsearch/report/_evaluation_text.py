"""Evaluation as tables to read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from mtlsearch.evaluation import Estimate, Evaluation, TaskEvaluation
from mtlsearch.labels import Form
from mtlsearch.report._marks import ZERO_CLASS

MAX_CONFUSION = 12
"""Number of classes up to which a confusion matrix is printed."""

GAP, MAX_NAMES = 4, 80
"""Width of the space around a heading, and of all class names that are headings."""

MAX_ZERO_CLASSES = 5
"""Number of classes that a note names."""

NUM_WORST = 5
"""Number of worst images that are listed."""

UNDEFINED = "-"

COUNTED = {Form.BOXES: "boxes", Form.MASK: "pixels"}
"""What the support of a class counts, by form; images for other forms."""


def evaluation_text(evaluation: Evaluation) -> str:
    """Return all tables of an evaluation.

    Args:
        evaluation: the results.

    Returns:
        Text that ends with a newline.
    """
    return "\n\n".join(_sections(evaluation)) + "\n"


def _sections(evaluation: Evaluation) -> Iterator[str]:
    height, width = evaluation.input_size
    images = "1 image" if evaluation.num_images == 1 else f"{evaluation.num_images} images"
    yield f"{evaluation.network}\n{evaluation.split}: {images}"
    yield _metrics(evaluation, f"network, {height} x {width} px")
    notes = [*_zero_notes(evaluation), *_interval_notes(evaluation), *evaluation.notes]
    yield "\n".join(notes)
    for name, task in evaluation.tasks.items():
        yield from _task_sections(name, task)


def _metrics(evaluation: Evaluation, network_title: str) -> str:
    rows = []
    for name, task in evaluation.tasks.items():
        mark = f"{ZERO_CLASS} " if task.zero_classes else ""
        network = task.sizes["network"].metrics
        image = task.sizes["image"].metrics if "image" in task.sizes else {}
        for metric, estimate in network.items():
            validation = task.validation.get(metric, math.nan)
            rows.append(
                (
                    f"{name}.{metric}",
                    mark + _estimate(estimate),
                    mark + _estimate(image[metric]) if metric in image else UNDEFINED,
                    _number(validation),
                    str(task.num_images),
                )
            )
    titles = ("metric", network_title, "size of the image", "val after training", "images")
    return _table(titles, rows)


def _zero_notes(evaluation: Evaluation) -> Iterator[str]:
    for name, task in evaluation.tasks.items():
        if classes := task.zero_classes:
            listed = ", ".join(classes[:MAX_ZERO_CLASSES])
            num_more = len(classes) - MAX_ZERO_CLASSES
            more = f" and {num_more} more" if num_more > 0 else ""
            yield f"{ZERO_CLASS} {name}: classes at 0: {listed}{more}"


def _interval_notes(evaluation: Evaluation) -> list[str]:
    if not evaluation.resamples:
        return []
    return [
        f"[low, high]: 95 % confidence interval, {evaluation.resamples} resamples of the images, "
        f"seed {evaluation.seed}"
    ]


def _task_sections(name: str, task: TaskEvaluation) -> Iterator[str]:
    if "image" in task.sizes and task.sizes["image"].per_class:
        size = ", at the size of the image" if task.form in COUNTED else ""
        yield f"{name}: classes{size}\n\n{_classes(task)}"
    if task.confusion is not None and len(task.classes) <= MAX_CONFUSION:
        title = f"{name}: {_support_noun(task)} by true class (row) and predicted class (column)"
        yield f"{title}\n\n{_confusion(task)}"
    if task.images:
        rows = [(_number(image.quality), image.where) for image in task.images[:NUM_WORST]]
        yield f"{name}: worst images\n\n{_table(('quality', 'image'), rows, left=(1,))}"


def _classes(task: TaskEvaluation) -> str:
    per_class = task.sizes["image"].per_class
    rows = [
        (
            class_name,
            str(task.support.get(class_name, UNDEFINED)),
            *(_estimate(by_class[class_name]) for by_class in per_class.values()),
        )
        for class_name in task.classes
    ]
    return _table(("class", _support_noun(task), *per_class), rows)


def _confusion(task: TaskEvaluation) -> str:
    """Return the confusion matrix; if names are long, columns have the numbers of the classes."""
    matrix = [] if task.confusion is None else task.confusion.tolist()
    names = columns = task.confusion_names
    if sum(len(name) + GAP for name in names) > MAX_NAMES:
        columns = tuple(f"({index})" for index in range(len(names)))
        names = tuple(map(" ".join, zip(columns, names, strict=True)))
    rows = [
        (name, *(str(count) for count in counts))
        for name, counts in zip(names, matrix, strict=True)
    ]
    return _table(("true class", *columns), rows)


def _support_noun(task: TaskEvaluation) -> str:
    return COUNTED.get(task.form, "images")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    alignment = ["left" if column in left else "right" for column in range(len(titles))]
    return str(tabulate(rows, titles, tablefmt="simple", disable_numparse=True, colalign=alignment))


def _estimate(estimate: Estimate) -> str:
    """Return ``0.647 [0.471, 0.794]``."""
    value = _number(estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} [{_number(estimate.low)}, {_number(estimate.high)}]"


def _number(value: float) -> str:
    """Return three decimals, or one for values from 100."""
    if math.isnan(value):
        return UNDEFINED
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"
