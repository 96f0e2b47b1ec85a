"""Export of a trial of a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlsearch.data import DataModule
from mtlsearch.errors import ExportError
from mtlsearch.export._bundle import export_bundle
from mtlsearch.export._compare import BATCH_SIZES
from mtlsearch.export._measured_precision import MAX_DROP, graph_converter
from mtlsearch.export._precision import Precision
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.results import TrialRecord
from mtlsearch.runs import EXTENDABLE, KeptNetwork, Session, describe_network, load_trial


def export_trial(
    session: Session,
    record: TrialRecord,
    out: Path,
    *,
    precision: Precision = "fp32",
    max_drop: float = MAX_DROP,
    decode: bool = False,
    web: bool = False,
    web_runtime: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the trained network of a trial as a bundle.

    Args:
        session: the opened run.
        record: a complete trial of the run.
        out: folder of the bundle.
        precision: precision of ``model.onnx``; the other formats stay in float32.
        max_drop: largest drop of a primary metric on the validation split by a lower precision,
            in percent of its value.
        decode: whether ``model.onnx`` decodes, with non-maximum suppression.
        web: whether the bundle contains a page for a browser; ``model.onnx`` decodes then.
        web_runtime: npm package onnxruntime-web as a file or folder; None to download it.
        progress: called with one line of text per step.

    Returns:
        ``out``.

    Raises:
        RunError: the weights of the trial are not on disk.
        DataError: an image of the validation split cannot be read.
        ExportError: see :func:`export_bundle`.
    """
    network = load_trial(session, record)
    return export_network(
        session,
        record,
        network,
        out,
        precision=precision,
        max_drop=max_drop,
        decode=decode,
        web=web,
        web_runtime=web_runtime,
        progress=progress,
    )


def export_network(
    session: Session,
    record: TrialRecord,
    network: MultiTaskNetwork,
    out: Path,
    *,
    precision: Precision = "fp32",
    max_drop: float = MAX_DROP,
    decode: bool = False,
    web: bool = False,
    web_runtime: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write a network with the candidate of a trial as a bundle.

    Args:
        session: the opened run.
        record: the trial, with the results of the network.
        network: the network, such as a fine-tuned one.
        out: folder of the bundle.
        precision: precision of ``model.onnx``; the other formats stay in float32.
        max_drop: largest drop of a primary metric on the validation split by a lower precision,
            in percent of its value.
        decode: whether ``model.onnx`` decodes, with non-maximum suppression.
        web: whether the bundle contains a page for a browser; ``model.onnx`` decodes then.
        web_runtime: npm package onnxruntime-web as a file or folder; None to download it.
        progress: called with one line of text per step.

    Returns:
        ``out``.

    Raises:
        DataError: an image of the validation split cannot be read.
        ExportError: see :func:`export_bundle`.
    """
    kept = session.evaluator.kept
    if kept is not None and precision != "fp32":
        raise ExportError(
            f"the kept tasks of an extension ({', '.join(kept.tasks)}) cannot be measured, because "
            "its images need not have their labels, so that only fp32 is exact",
            where=f"--precision {precision}",
            next_step="export without --precision",
        )
    session.evaluator.check_kept(record.candidate, network)
    names = session.config.backbone.names
    # All images are normalized for the first backbone, whichever backbone a trial has.
    preprocessing = session.data.preprocessing
    return export_bundle(
        network,
        session.evaluator.network_tasks,
        out,
        input_size=preprocessing.size,
        mean=preprocessing.mean,
        std=preprocessing.std,
        pixel_format=preprocessing.pixel_format,
        plan=record.candidate.plan,
        candidate=record.candidate,
        backbone=record.candidate.backbone or names[0],
        metrics=_metrics(session, record),
        images=_validation_images(session.data),
        extra={
            "trial": record.number,
            "digest": record.candidate.digest,
            "flops": record.flops,
            "epochs": record.epochs,
            EXTENDABLE: describe_network(session, record),
            **({"compression": asdict(record.compression)} if record.compression else {}),
            **({} if kept is None else {"extends": _describe(kept, record)}),
        },
        convert=None if precision == "fp32" else graph_converter(session, precision, max_drop),
        decode=decode,
        web=web,
        web_runtime=web_runtime,
        progress=progress,
    )


def _metrics(session: Session, record: TrialRecord) -> dict[str, Mapping[str, float]]:
    """Return the metrics of all tasks; those of kept tasks are from the run of their network."""
    kept = session.evaluator.kept
    metrics: dict[str, Mapping[str, float]] = {}
    for task, values in {} if kept is None else kept.config.metrics.items():
        metrics[task] = {
            name: math.nan if value is None else value for name, value in values.items()
        }
    if record.kept is not None:
        metrics |= record.kept.metrics
    return metrics | {task: result.metrics for task, result in record.results.items()}


def _describe(kept: KeptNetwork, record: TrialRecord) -> dict[str, Any]:
    """Return the values of the network in use for ``bundle.json``, without paths."""
    drops = {} if record.kept is None else record.kept.drops
    return {
        "trial": kept.config.trial,
        "digest": kept.candidate.digest,
        "weights": kept.config.weights,
        "tasks": sorted(kept.tasks),
        **(
            {"drops": {task: drop if math.isfinite(drop) else None for task, drop in drops.items()}}
            if drops
            else {}
        ),
    }


def _validation_images(data: DataModule, count: int = 2 * max(BATCH_SIZES)) -> Tensor:
    """Return the first prepared images of the validation split ``[N, C, H, W]``."""
    images = next((batch.images for batch in data.eval_batches("val", count)), None)
    if images is None:
        raise ExportError(
            "the validation split is empty, but export compares the formats on its images",
            next_step="set a validation split in the run file",
        )
    return torch.as_tensor(images)
