"""A trial of a search, exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mtlsearch.data import DataModule
from mtlsearch.errors import ExportError
from mtlsearch.export._bundle import export_bundle
from mtlsearch.export._compare import BATCH_SIZES
from mtlsearch.results import TrialRecord
from mtlsearch.runs import Session, load_trial


def export_trial(
    session: Session,
    record: TrialRecord,
    out: Path,
    *,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the network that a trial trained as a bundle.

    Args:
        session: the run, opened.
        record: a complete trial of it.
        out: the bundle's folder.
        progress: called with a line about each step.

    Raises:
        RunError: the trial's weights were not kept.
        DataError: an image of the validation split cannot be read.
        ExportError: see :func:`export_bundle`.
    """
    names = session.config.backbone.names
    # Images are normalised as the first backbone expects, whichever a trial trains.
    first = session.evaluator.cuts[names[0]]
    return export_bundle(
        load_trial(session, record),
        session.evaluator.task_of,
        out,
        input_size=session.config.data.image_size,
        mean=first.mean,
        std=first.std,
        plan=record.candidate.plan,
        candidate=record.candidate,
        backbone=record.candidate.backbone or names[0],
        metrics={task: result.metrics for task, result in record.results.items()},
        images=_validation_images(session.data),
        extra={
            "trial": record.number,
            "digest": record.candidate.digest,
            "flops": record.flops,
            "epochs": record.epochs,
        },
        progress=progress,
    )


def _validation_images(data: DataModule, count: int = 2 * max(BATCH_SIZES)) -> Tensor:
    """The first prepared images of the validation split ``[N, 3, H, W]``.

    Raises:
        ExportError: it has none.
    """
    images = next((batch.images for batch in data.eval_batches("val", count)), None)
    if images is None:
        raise ExportError(
            "the formats are checked on validation images, and there are none",
            next_step="give the run a validation split",
        )
    return torch.as_tensor(images)
