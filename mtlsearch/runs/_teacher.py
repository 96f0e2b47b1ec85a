"""The teacher of distillation: the trained ``independent`` baseline of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.config import RunConfig
from mtlsearch.errors import RunError, TrainingError
from mtlsearch.results import reference_trial
from mtlsearch.study import RunDirectory, read_records

if TYPE_CHECKING:
    from mtlsearch.models import MultiTaskNetwork


def require_teacher_backbone(backbone: str, teacher_backbone: str) -> None:
    """Check that the features of the teacher have the shapes of a candidate's features.

    Args:
        backbone: timm name of the candidate's backbone.
        teacher_backbone: timm name of the teacher's backbone.

    Raises:
        TrainingError: the backbones differ.
    """
    if backbone != teacher_backbone:
        raise TrainingError(
            f"the independent baseline has the backbone {teacher_backbone}, whose features cannot "
            f"teach those of {backbone}",
            next_step="set `distillation: mutual`, or search one backbone",
        )


def find_teacher(run: RunDirectory, config: RunConfig) -> int:
    """Return the number of the trial that is the teacher of a run.

    Args:
        run: run directory.
        config: its run file.

    Returns:
        Number of the complete ``independent`` baseline.

    Raises:
        TrainingError: the baseline is not complete.
    """
    record = reference_trial(read_records(run.path, config))
    if record is None:
        raise TrainingError(
            "distillation from the baseline requires the trained independent baseline, which is "
            "not complete",
            where=str(run.path),
            next_step="run `mtlsearch search`, which trains it first",
        )
    return record.number


def load_teacher(network: MultiTaskNetwork, weights: Path) -> MultiTaskNetwork:
    """Load the weights of the teacher into its network.

    Args:
        network: an untrained network of the ``independent`` plan, on the CPU.
        weights: the safetensors file of the baseline.

    Returns:
        ``network``.

    Raises:
        TrainingError: the weights do not exist or do not fit.
    """
    from mtlsearch.training import load_weights

    try:
        load_weights(network, weights)
    except RunError as error:
        raise TrainingError(
            f"the independent baseline cannot teach: {error.what}",
            where=error.where,
            next_step="search in a new run directory, where the weights of baselines are kept",
        ) from error
    return network
