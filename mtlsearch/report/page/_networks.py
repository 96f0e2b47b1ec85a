"""Trained networks of a run on the validation split: results and pictures of some images."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mtlsearch.errors import RunError
from mtlsearch.evaluation import evaluate_split, trial_job
from mtlsearch.images import to_rgb
from mtlsearch.labels import Form
from mtlsearch.prediction import class_color, decode, draw, to_json
from mtlsearch.report._contact_sheet import shrink

if TYPE_CHECKING:
    from mtlsearch.evaluation import Evaluation, EvaluationJob
    from mtlsearch.labels import Sample
    from mtlsearch.prediction import OutputSpec, Prediction
    from mtlsearch.results import TrialRecord
    from mtlsearch.runs import Session

SPLIT = "val"

NUM_IMAGES = 8
"""Largest number of images on the page."""

MAX_PICTURES = 120
"""Largest number of pictures on the page; with many tasks, fewer images are shown."""

WIDTH, QUALITY = 260, 78
"""Width of a picture in pixels, and quality of its JPEG."""

PICTURED = (Form.BOXES, Form.MASK, Form.MAP)
"""Forms that are drawn; the others are texts."""

MAX_LEGEND = 24
"""Number of classes up to which a task has a legend."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SampleCell:
    """Label or prediction of one task for one image.

    Attributes:
        picture: the drawn picture as a data URI; empty for texts.
        height: height of the picture in pixels, for :data:`WIDTH` pixels of width.
        text: the class or number; empty for pictures.
        is_correct: whether a predicted class is the label; None where this is undefined.
    """

    picture: str = ""
    height: int = 0
    text: str = ""
    is_correct: bool | None = None


@dataclass(frozen=True, slots=True)
class SampleView:
    """One image with its labels and predictions.

    Attributes:
        name: the end of its file name.
        image: the image.
        rows: the cells of each task: the label and one prediction per network.
    """

    name: str
    image: SampleCell
    rows: Mapping[str, Sequence[SampleCell]]


@dataclass(frozen=True, slots=True)
class NetworkResults:
    """What the page shows of trained networks.

    Attributes:
        evaluations: evaluation on the validation split by title of the network.
        record_by_title: the trial of each network.
        samples: images with labels and predictions.
        legends: name and color of each class by task that is drawn.
        num_images: number of images by split.
        classes: class names by task.
        notes: what is missing and why, in sentences.
    """

    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    record_by_title: Mapping[str, TrialRecord] = field(default_factory=dict)
    samples: Sequence[SampleView] = ()
    legends: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    num_images: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def has_pictures(self) -> bool:
        """Whether a task is drawn on the images."""
        return any(
            cell.picture for sample in self.samples for row in sample.rows.values() for cell in row
        )


def measure_networks(
    session: Session, record_by_title: Mapping[str, TrialRecord], progress: Progress
) -> NetworkResults:
    """Evaluate trained networks on the validation split and draw some of their predictions.

    Images are chosen at random by the seed of the run, those with more labels first.

    Args:
        session: the opened run.
        record_by_title: complete trials by title.
        progress: called with a message, the number of steps done and of all steps.

    Returns:
        Results of the networks whose weights are on disk.

    Raises:
        DataError: an image or a label cannot be read.
    """
    notes, jobs = [], {}
    for title, record in record_by_title.items():
        try:
            jobs[title] = trial_job(session, record, split=SPLIT, resamples=0, seed=0)
        except RunError as error:
            notes.append(f"{title}: {error.what}.")
    evaluations = {
        title: evaluate_split(job, lambda text, done, total: progress(text, done, total))
        for title, job in jobs.items()
    }
    tasks = session.evaluator.task_by_name
    data = session.data
    return NetworkResults(
        evaluations=evaluations,
        record_by_title={title: record_by_title[title] for title in jobs},
        samples=_samples(jobs, session.config.seed, progress) if jobs else (),
        legends={
            name: [(label, _css(class_color(index))) for index, label in enumerate(classes)]
            for name, task in tasks.items()
            if task.output.form in (Form.BOXES, Form.MASK)
            and len(classes := task.output.classes) <= MAX_LEGEND
        },
        num_images={split: data.size(split) for split in ("train", "val", "test")},
        classes={name: tuple(task.label.classes) for name, task in tasks.items()},
        notes=tuple(notes),
    )


def _samples(jobs: Mapping[str, EvaluationJob], seed: int, progress: Progress) -> list[SampleView]:
    first = next(iter(jobs.values()))
    num_pictured = sum(task.output.form in PICTURED for task in first.tasks.values())
    limit = MAX_PICTURES // max(1, num_pictured * (1 + len(jobs)))
    count = max(1, min(NUM_IMAGES, limit, first.data.size(SPLIT)))
    data, labels = first.data, set(first.label_by_task.values())
    order = np.random.default_rng(seed).permutation(data.size(SPLIT))[: 3 * count].tolist()
    # Only one image in its original size is in memory at a time.
    num_labels = {
        index: len(labels & data.samples(SPLIT, [index])[0].labels.keys()) for index in order
    }
    most_first = sorted(order, key=lambda index: -num_labels[index])
    views = []
    for done, index in enumerate(most_first[:count], start=1):
        views.append(_view(jobs, data.samples(SPLIT, [index])[0], data.locate(SPLIT, index)))
        progress("drawing predictions", done, count)
    return views


def _view(jobs: Mapping[str, EvaluationJob], sample: Sample, where: str) -> SampleView:
    # mtlsearch.data imports torch, which takes seconds that the tables do not need.
    from mtlsearch.data import label_prediction

    first = next(iter(jobs.values()))
    small = shrink(sample)
    image = to_rgb(small.image)
    size = (image.height, image.width)
    arrays = {title: job.predictor.run([sample.image]) for title, job in jobs.items()}
    rows = {}
    for task in first.tasks:
        label = first.label_by_task[task]
        truth: Prediction | None = None
        cells = [SampleCell(text="no label")]
        if label in small.labels:
            spec, truth = label_prediction(first.data.labels[label], small.labels[label])
            cells = [_cell(spec, image, truth)]
        for title, job in jobs.items():
            output = job.predictor.outputs[task]
            prediction = decode(
                output,
                {key: array[0] for key, array in arrays[title][task].items()},
                input_size=job.predictor.input_size,
                image_size=size,
            )
            cells.append(_cell(output, image, prediction, truth))
        rows[task] = cells
    shown = SampleCell(picture=_uri(image), height=_height(image))
    return SampleView(_name(where), shown, rows)


def _cell(
    output: OutputSpec, image: Image.Image, prediction: Prediction, truth: Prediction | None = None
) -> SampleCell:
    if output.form in PICTURED:
        picture = draw(output, image, prediction)
        if output.form is not Form.MAP:  # its caption has the range of the numbers
            height = round(picture.width * image.height / image.width)
            picture = picture.crop((0, 0, picture.width, min(height, picture.height)))
        return SampleCell(picture=_uri(picture), height=_height(picture))
    value = to_json(output, prediction)
    if output.form is Form.CATEGORY:
        is_correct = None if truth is None else value["class"] == to_json(output, truth)["class"]
        return SampleCell(text=_scored(value["class"], value.get("score")), is_correct=is_correct)
    if output.form is Form.CATEGORIES:
        names = _class_names(value)
        is_correct = None if truth is None else names == _class_names(to_json(output, truth))
        return SampleCell(text=", ".join(names) or "none", is_correct=is_correct)
    unit = f" {output.unit}" if output.unit else ""
    return SampleCell(text=f"{value['value']:.4g}{unit}")


def _class_names(value: Mapping[str, Any]) -> list[str]:
    return sorted(str(item["class"]) for item in value["classes"])


def _scored(name: str, score: float | None) -> str:
    return name if score is None or score == 1 else f"{name} {score:.2f}"


def _uri(picture: Image.Image) -> str:
    """Return a small JPEG as a data URI."""
    size = (WIDTH, _height(picture))
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _height(picture: Image.Image) -> int:
    return max(1, round(picture.height * WIDTH / picture.width))


def _css(color: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)


def _name(where: str) -> str:
    """Return the end of a place, without folders."""
    # "table.csv row 3 (images/a.jpg)"
    row = re.search(r" row \d+ \((.*)\)$", where)
    return PurePath((row[1] if row else where).replace("\\", "/")).name
