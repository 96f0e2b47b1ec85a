"""Evaluation of a network on a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtlsearch.errors import ConfigError, DataError
from mtlsearch.evaluation._result import Evaluation
from mtlsearch.evaluation._scored_task import ScoredTask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtlsearch.data import DataModule
    from mtlsearch.evaluation._predictor import Predictor
    from mtlsearch.labels import Sample
    from mtlsearch.plugin import Task

BATCH_SIZE = 8
"""Number of images per forward pass."""

Progress = Callable[[str, int, int], None]
"""Callback with a message, the number of steps done and of all steps."""

MeterRunner = Callable[[str], Mapping[str, float]]
"""Function from the name of a task to the metrics of its meter, at the size of the input."""


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """What is evaluated, and on which images.

    Attributes:
        name: description of the network.
        predictor: the network.
        data: the images.
        tasks: the tasks by name.
        label_by_task: the label that each task learns.
        split: name of the split.
        resamples: number of resamples of each confidence interval; 0: no intervals.
        seed: seed of the resamples.
        validation: metrics of the search on the validation split, by task and name.
        run_meter: computes the metrics that no scorer has; None for a bundle, which has no heads.
    """

    name: str
    predictor: Predictor
    data: DataModule
    tasks: Mapping[str, Task]
    label_by_task: Mapping[str, str]
    split: str
    resamples: int
    seed: int
    validation: Mapping[str, Mapping[str, float]]
    run_meter: MeterRunner | None = None


def evaluate_split(job: EvaluationJob, progress: Progress) -> Evaluation:
    """Predict every image of a split and compute all metrics with confidence intervals.

    Images and labels are read and checked first.

    Args:
        job: the network and the images.
        progress: callback.

    Returns:
        The results.

    Raises:
        ConfigError: the split has no images.
        DataError: an image or a label is invalid, or no image carries a label of the tasks.
    """
    _require_images(job)
    report = job.data.check(
        lambda done, total: progress(f"reading {job.split}", done, total), splits=(job.split,)
    )
    report.raise_if_bad()
    scored = {
        name: ScoredTask(task, job.predictor.outputs[name], job.predictor.input_size)
        for name, task in job.tasks.items()
    }
    counts = _add_images(job, scored, progress)
    labeled = {name: task for name, task in scored.items() if counts[name]}
    if not labeled:
        raise DataError(
            f"no image of the split {job.split!r} carries a label of the tasks "
            f"{', '.join(job.tasks)}",
            next_step="add labels to these images, or choose another split with --split",
        )
    return _finish(job, scored, labeled, progress)


def _require_images(job: EvaluationJob) -> None:
    if job.data.size(job.split):
        return
    splits = [split for split in ("test", "val") if job.data.size(split)]
    raise ConfigError(
        f"the split {job.split!r} has no images",
        where="--split",
        allowed=splits,
        next_step="assign images to it in the source's settings, lists or split column; or set "
        "--split val, on which the search has chosen the trial, so that its metrics are "
        "optimistic",
    )


def _add_images(
    job: EvaluationJob, scored: Mapping[str, ScoredTask], progress: Progress
) -> dict[str, int]:
    """Predict all images; return the number of labeled images by task."""
    num_images = job.data.size(job.split)
    counts = dict.fromkeys(scored, 0)
    progress("predicting", 0, num_images)
    for start in range(0, num_images, BATCH_SIZE):
        indices = list(range(start, min(start + BATCH_SIZE, num_images)))
        samples = job.data.samples(job.split, indices)
        arrays = job.predictor.run([sample.image for sample in samples])
        for row, (index, sample) in enumerate(zip(indices, samples, strict=True)):
            for name in _add_sample(job, scored, index, sample, arrays, row):
                counts[name] += 1
        progress("predicting", indices[-1] + 1, num_images)
    return counts


def _add_sample(
    job: EvaluationJob,
    scored: Mapping[str, ScoredTask],
    index: int,
    sample: Sample,
    arrays: Mapping[str, Mapping[str, NDArray[np.float32]]],
    row: int,
) -> list[str]:
    """Add one image to the tasks whose label it carries; return their names."""
    # mtlsearch.data imports torch, which takes seconds that a leaderboard does not need.
    from mtlsearch.data import resized_labels

    present = [name for name in scored if job.label_by_task[name] in sample.labels]
    wanted = {job.label_by_task[name] for name in present}
    resized = resized_labels(sample, job.data.labels, job.predictor.input_size, wanted)
    image_size = (sample.image.size[1], sample.image.size[0])
    for name in present:
        label = job.label_by_task[name]
        scored[name].add(
            index,
            {key: array[row] for key, array in arrays[name].items()},
            {"network": resized[label], "image": sample.labels[label]},
            image_size,
        )
    return present


def _finish(
    job: EvaluationJob,
    scored: Mapping[str, ScoredTask],
    labeled: Mapping[str, ScoredTask],
    progress: Progress,
) -> Evaluation:
    """Compute intervals and the metrics of meters."""
    notes = [f"{name}: no image carries its label" for name in scored if name not in labeled]
    total = job.resamples * sum(task.num_intervals for task in labeled.values())
    done = 0

    def count_resample() -> None:
        nonlocal done
        done += 1
        progress("confidence intervals", done, total)

    results = {}
    for name, task in labeled.items():
        missing = task.missing_metrics()
        measured: Mapping[str, float] = {}
        if missing and job.run_meter is not None:
            values = job.run_meter(name)
            measured = {metric: values[metric] for metric in missing}
            notes.append(
                f"{name}: {', '.join(missing)} from the task's meter, at the size of the "
                "network's input and without interval, because the task has no scorer for it"
            )
        elif missing:
            notes.append(
                f"{name}: {', '.join(missing)} not evaluated, because the task has no scorer and "
                "a bundle has no meter; evaluate the run instead"
            )
        if not measured and not task.num_intervals:
            continue
        results[name] = task.finish(
            resamples=job.resamples,
            seed=job.seed,
            groups=job.data.groups(job.split),
            on_resample=count_resample,
            locate=lambda index: job.data.locate(job.split, index),
            measured=measured,
            validation=job.validation.get(name, {}),
        )
    return Evaluation(
        network=job.name,
        split=job.split,
        num_images=job.data.size(job.split),
        input_size=job.predictor.input_size,
        resamples=job.resamples,
        seed=job.seed,
        tasks=results,
        notes=tuple(notes),
    )
