"""Conversion of a graph to a lower precision, with all metrics before and after."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.bundle import Preprocessing, open_graph
from mtlsearch.errors import ConfigError
from mtlsearch.evaluation import Evaluation, EvaluationJob, evaluate_split
from mtlsearch.export._precision import (
    NUM_CALIBRATION_IMAGES,
    MetricChange,
    Precision,
    changes_text,
    convert_graph,
    require_small_drop,
    to_json,
)
from mtlsearch.models.programs import INPUT
from mtlsearch.results import relative_drop
from mtlsearch.runs import Session

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

    from mtlsearch.images import AnyImage
    from mtlsearch.plugin import OutputSpec

MAX_DROP = 2.0
"""Largest drop of a primary metric in percent of its value, by default."""
BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class _GraphPredictor:
    """Predictor with an ONNX graph."""

    graph: onnxruntime.InferenceSession
    outputs: Mapping[str, OutputSpec]
    preprocessing: Preprocessing

    @property
    def input_size(self) -> tuple[int, int]:
        return self.preprocessing.size

    def run(self, images: Sequence[AnyImage]) -> Mapping[str, Mapping[str, NDArray[np.float32]]]:
        inputs = np.stack([self.preprocessing(image) for image in images])
        names = [output.name for output in self.graph.get_outputs()]
        arrays: dict[str, dict[str, NDArray[np.float32]]] = {name: {} for name in self.outputs}
        for name, array in zip(names, self.graph.run(names, {INPUT: inputs}), strict=True):
            task, _, tensor = name.rpartition(".")
            arrays[task][tensor] = array
        return arrays


def graph_converter(
    session: Session, precision: Precision, max_drop: float
) -> Callable[[Path, Callable[[str], None]], Mapping[str, Any]]:
    """Return the function that converts a graph and measures what that costs.

    Args:
        session: the opened run, whose training images calibrate ``int8``.
        precision: ``fp16`` or ``int8``.
        max_drop: largest drop of a primary metric in percent.

    Returns:
        A function from the path of a graph and a callback for messages to values for
        ``bundle.json``. It raises :class:`ExportError` if the limit is exceeded.

    Raises:
        ConfigError: the limit is not a number.
    """
    if math.isnan(max_drop):
        raise ConfigError(
            "the largest drop must be a number of percent, got nan",
            where="--max-drop",
            next_step="set a number such as 2, or inf for no limit",
        )

    def convert(path: Path, report: Callable[[str], None]) -> Mapping[str, Any]:
        report("evaluating the float32 graph on the validation split")
        before = _evaluate(session, path, "fp32")
        report(f"converting the graph to {precision}")
        convert_graph(path, precision, _calibration_batches(session))
        report(f"evaluating the {precision} graph")
        after = _evaluate(session, path, precision)
        changes = list(_changes(before, after))
        report(changes_text(changes, precision))
        for name in sorted(session.evaluator.task_by_name.keys() - after.tasks.keys()):
            report(f"{name}: not measured, because the task has no scorer or no labels")
        require_small_drop(changes, precision, max_drop)
        num_images = min(NUM_CALIBRATION_IMAGES, session.data.size("train"))
        return {
            "precision": {
                "name": precision,
                "max_drop": max_drop if math.isfinite(max_drop) else None,
                "validation": to_json(changes),
                **({"calibration_images": num_images} if precision == "int8" else {}),
            }
        }

    return convert


def _calibration_batches(session: Session) -> Iterator[NDArray[np.float32]]:
    """Yield prepared training images that are spread over the whole split."""
    count = session.data.size("train")
    indices = np.unique(np.linspace(0, count - 1, NUM_CALIBRATION_IMAGES).round().astype(int))
    for start in range(0, len(indices), BATCH_SIZE):
        samples = session.data.samples("train", indices[start : start + BATCH_SIZE].tolist())
        yield np.stack([session.data.preprocessing(sample.image) for sample in samples])


def _evaluate(session: Session, path: Path, name: str) -> Evaluation:
    tasks = session.evaluator.task_by_name
    outputs = {task: value.output for task, value in tasks.items()}
    predictor = _GraphPredictor(open_graph(path), outputs, session.data.preprocessing)
    job = EvaluationJob(
        name=name,
        predictor=predictor,
        data=session.data,
        tasks=tasks,
        label_by_task=session.evaluator.label_by_task,
        split="val",
        resamples=0,
        seed=0,
        validation={},
    )
    return evaluate_split(job, lambda _message, _done, _total: None)


def _changes(before: Evaluation, after: Evaluation) -> Iterator[MetricChange]:
    """Yield the metrics at the size of the network's input, as in the leaderboard."""
    for name, task in before.tasks.items():
        for spec in task.specs:
            estimate = task.sizes["network"].metrics.get(spec.name)
            if estimate is None:
                continue
            old = estimate.value
            new = after.tasks[name].sizes["network"].metrics[spec.name].value
            drop = relative_drop(old, new, higher_is_better=spec.higher_is_better)
            is_limited = spec.primary and not math.isnan(old)
            yield MetricChange(name, spec.name, old, new, drop, is_limited)
