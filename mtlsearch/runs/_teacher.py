"""The network that others of a run learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import reference_trial
from mtlsearch.study import RunDirectory, read_records

if TYPE_CHECKING:
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.runs._training_evaluator import TrainingEvaluator


def load_teacher(evaluator: TrainingEvaluator, backbone: str) -> MultiTaskNetwork:
    """The trained independent baseline of the evaluator's run, on the CPU.

    Args:
        evaluator: what trained it.
        backbone: of the network that is to learn.

    Raises:
        TrainingError: it is not trained yet, its weights are gone, or it has another backbone.
    """
    from mtlsearch.training import load_weights

    first = evaluator.config.backbone.names[0]
    if backbone != first:
        raise TrainingError(
            f"the independent baseline has the backbone {first}, whose features cannot teach "
            f"those of {backbone}",
            next_step="take distillation: mutual, or one backbone",
        )
    run = evaluator.taught_by or evaluator.run
    number = _independent(run, evaluator) if evaluator.teacher is None else evaluator.teacher
    units = len(evaluator.units(first))
    network = evaluator.build(Candidate(SharingPlan.independent(evaluator.tasks, units)))
    try:
        load_weights(network, run.weights(number))
    except RunError as error:
        raise TrainingError(
            f"the independent baseline cannot teach: {error.what}",
            where=error.where,
            next_step="search in a new folder; baselines keep their weights there",
        ) from error
    return network


def _independent(run: RunDirectory, evaluator: TrainingEvaluator) -> int:
    """The number of the run's independent baseline."""
    found = reference_trial(read_records(run.path, evaluator.config))
    if found is None:
        raise TrainingError(
            "knowledge 'distil' learns from the independent baseline, which is not trained yet",
            where=str(run.path),
            next_step="`mtlsearch search` trains it first",
        )
    return found.number
