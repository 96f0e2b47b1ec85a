"""Files of an evaluation: JSON, CSV, text and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.evaluation import Evaluation
from mtlsearch.report._confusion_picture import draw_confusion
from mtlsearch.report._evaluation_frames import (
    class_frame,
    confusion_frame,
    evaluation_json,
    image_frame,
    metric_frame,
)
from mtlsearch.report._evaluation_text import evaluation_text
from mtlsearch.report._worst_images import worst_images

if TYPE_CHECKING:
    from mtlsearch.evaluation import EvaluationJob
    from mtlsearch.files import Outputs

WORST = "worst"
"""Subfolder of the pictures of the worst images."""

NUM_WORST = 20
"""Number of images per task that are drawn."""


def evaluation_files(job: EvaluationJob, folder: Path) -> list[Path]:
    """Return the files that :func:`write_evaluation` may write.

    Args:
        job: the network and the images.
        folder: target folder.

    Returns:
        Paths, also of pictures that a task may not have.
    """
    names = ["evaluation.json", "metrics.csv", "classes.csv", "images.csv", "tables.txt"]
    for task in job.tasks:
        names += [f"{task}-confusion.csv", f"{task}-confusion.png"]
        names += [_worst_name(task, rank) for rank in range(1, NUM_WORST + 1)]
    return [folder / name for name in names]


def write_evaluation(
    job: EvaluationJob,
    evaluation: Evaluation,
    folder: Path,
    outputs: Outputs,
    progress: Callable[[int, int], None],
) -> None:
    """Write an evaluation to a folder, in place of what an earlier call wrote there.

    ========================  ==========================================================
    ``evaluation.json``       all results
    ``metrics.csv``           one row per task, metric and size
    ``classes.csv``           one row per task, metric, class and size
    ``images.csv``            quality of each image, the worst first
    ``tables.txt``            the tables to read
    ``TASK-confusion.csv``    confusion matrix, and ``.png``
    ``worst/TASK-NN.png``     label beside prediction of the twenty worst images
    ========================  ==========================================================

    Args:
        job: the network and the images.
        evaluation: its results.
        folder: target folder, created if it does not exist.
        outputs: writer of the files.
        progress: called with the number of pictures done and of all pictures.

    Raises:
        ConfigError: a file exists that this command did not write.
    """
    outputs.remove_earlier([folder, folder / WORST])
    texts = {
        "evaluation.json": json.dumps(
            evaluation_json(evaluation), indent=1, ensure_ascii=False, allow_nan=False
        )
        + "\n",
        "metrics.csv": metric_frame(evaluation).to_csv(index=False, lineterminator="\n"),
        "classes.csv": class_frame(evaluation).to_csv(index=False, lineterminator="\n"),
        "images.csv": image_frame(evaluation).to_csv(index=False, lineterminator="\n"),
        "tables.txt": evaluation_text(evaluation),
    }
    for name, task in evaluation.tasks.items():
        matrix = confusion_frame(task)
        if matrix is not None:
            texts[f"{name}-confusion.csv"] = matrix.to_csv(lineterminator="\n")
            with outputs.write(folder / f"{name}-confusion.png") as partial:
                draw_confusion(f"{name}, {evaluation.split}", task, partial)
    for file, text in texts.items():
        with outputs.write(folder / file) as partial:
            partial.write_text(text, encoding="utf-8")
    total = sum(min(NUM_WORST, len(task.images)) for task in evaluation.tasks.values())
    for done, (name, rank, picture) in enumerate(worst_images(job, evaluation, NUM_WORST), start=1):
        with outputs.write(folder / _worst_name(name, rank)) as partial:
            picture.save(partial, "PNG")
        progress(done, total)


def _worst_name(task: str, rank: int) -> str:
    return f"{WORST}/{task}-{rank:02d}.png"
