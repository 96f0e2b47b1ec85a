"""Observations: trials as samplers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from mtlsearch.results import (
    DELTA_M,
    TrialRecord,
    delta_m_by_task,
    delta_m_error_by_task,
)
from mtlsearch.search.samplers._learning_curve import LearningCurveModel
from mtlsearch.search.space import Proposal
from mtlsearch.study import FINISHED_STATES, StudyView, SuggestedParams

OBSERVED_STATES = (*FINISHED_STATES, "infeasible")
"""States of trials whose candidates are not proposed again."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Candidate of a complete, paused, failed or infeasible trial.

    Attributes:
        proposal: the candidate and its params.
        digest: digest of the candidate.
        changes: relative change against the ``independent`` baseline by task, in percent,
            higher is better, with Δm as their mean; of a paused trial, extrapolated to the end of
            training; None if the trial failed or was not trained.
        objective_values: one number per objective; None if Δm is the only objective.
        over_limits: whether the candidate exceeds a limit; only a baseline is trained then.
        number: trial number.
        errors: standard error of the changes over validation images, by task, in percent; without
            tasks whose error is unknown.
        extra_variances: of a paused trial, the noise variance that its extrapolated changes have
            more than complete ones, by task, in percent squared; None for other trials.
        second_seeds: changes of trainings of the same candidate with other seeds.
        num_second_seeds: number of such trainings, failed ones included.
        is_pending: whether another worker trains the candidate; it has no changes yet.
        is_repeating: whether another worker trains the candidate with another seed.
    """

    proposal: Proposal
    digest: str
    changes: Mapping[str, float] | None
    objective_values: tuple[float, ...] | None = None
    over_limits: bool = False
    number: int = -1
    errors: Mapping[str, float] = field(default_factory=dict)
    extra_variances: Mapping[str, float] | None = None
    second_seeds: tuple[Mapping[str, float], ...] = ()
    num_second_seeds: int = 0
    is_pending: bool = False
    is_repeating: bool = False

    @property
    def value(self) -> float | None:
        """Δm in percent; None if the trial failed."""
        return None if self.changes is None else fmean(self.changes.values())

    @property
    def values(self) -> tuple[float, ...] | None:
        """One number per objective, for Optuna's samplers; None if the trial failed."""
        value = self.value
        if value is None:
            return None
        return (value,) if self.objective_values is None else self.objective_values


class ObservationHistory:
    """Observations of a study. Those of trials that do not change are computed only once."""

    def __init__(self) -> None:
        self._reference: TrialRecord | None = None
        self._changes_by_number: dict[int, _TrialChanges] = {}
        self._last_by_number: dict[int, tuple[_TrialChanges, int, bool, Observation]] = {}

    def update(self, view: StudyView) -> list[Observation]:
        """Return all observations of a study.

        Args:
            view: the study.

        Returns:
            Observations by trial number.
        """
        if view.reference is not self._reference:
            self._reference, self._changes_by_number = view.reference, {}
            self._last_by_number = {}
        trials = [
            self._changes_of(record)
            for record in view.records
            if record.state in OBSERVED_STATES or record.state == "running"
        ]
        model = LearningCurveModel({}, {})
        if any(_is_partial(trial.record) for trial in trials):
            model = LearningCurveModel.fit(
                [(trial.at_rungs, trial.at_end) for trial in trials if trial.at_end is not None]
            )
        repeating = frozenset(record.repeats for record in view.running)
        return [
            self._observe(
                trial,
                model,
                view,
                view.repeats_of(trial.record.number),
                is_repeating=trial.record.number in repeating,
            )
            for trial in trials
        ]

    def _changes_of(self, record: TrialRecord) -> _TrialChanges:
        cached = self._changes_by_number.get(record.number)
        # A view contains the same record object until the trial changes.
        if cached is None or cached.record is not record:
            cached = _compare(record, self._reference)
            self._changes_by_number[record.number] = cached
        return cached

    def _observe(
        self,
        trial: _TrialChanges,
        model: LearningCurveModel,
        view: StudyView,
        repeats: Sequence[TrialRecord],
        *,
        is_repeating: bool,
    ) -> Observation:
        record, changes, extra_variances = trial.record, trial.at_end, None
        last = self._last_by_number.get(record.number)
        # The extrapolation of a partial trial changes with the others.
        if last is not None and last[0] is trial and last[1:3] == (len(repeats), is_repeating):
            return last[3]
        if _is_partial(record):
            rung = max(record.rung_results)
            if rung in trial.at_rungs:
                changes = model.extrapolate(rung, trial.at_rungs[rung])
                extra_variances = model.extrapolation_variance(rung, trial.at_rungs[rung])
        suggested = view.params_by_number.get(record.number, SuggestedParams())
        proposal = Proposal(
            record.candidate, suggested.params, suggested.distributions, record.baseline
        )
        values = self._objective_values(record, changes, view)
        if values is None and view.objectives != (DELTA_M,):
            changes = None  # samplers ignore a trial that lacks the value of an objective
        observation = Observation(
            proposal,
            record.candidate.digest,
            changes,
            values,
            over_limits=bool(record.over_limits),
            number=record.number,
            errors=trial.errors,
            extra_variances=extra_variances,
            second_seeds=tuple(
                further
                for repeat in repeats
                if (further := self._changes_of(repeat).at_end) is not None
            ),
            num_second_seeds=len(repeats),
            is_pending=record.state == "running" and changes is None,
            is_repeating=is_repeating,
        )
        if not _is_partial(record):
            self._last_by_number[record.number] = trial, len(repeats), is_repeating, observation
        return observation

    def _objective_values(
        self, record: TrialRecord, changes: Mapping[str, float] | None, view: StudyView
    ) -> tuple[float, ...] | None:
        """Return one number per objective; of a paused trial, its metrics at the last rung."""
        objectives = view.objectives
        if objectives == (DELTA_M,) or changes is None or self._reference is None:
            return None
        results = record.results or record.rung_results[max(record.rung_results)]
        values = [
            fmean(changes.values())
            if objective == DELTA_M
            else objective.value(record, results, self._reference.results)
            for objective in objectives
        ]
        defined = tuple(value for value in values if value is not None)
        return defined if len(defined) == len(values) else None


@dataclass(frozen=True, slots=True)
class _TrialChanges:
    """Relative changes of a trial by task, at the end of training and at its rungs."""

    record: TrialRecord
    at_end: Mapping[str, float] | None
    at_rungs: Mapping[int, Mapping[str, float]]
    errors: Mapping[str, float] = field(default_factory=dict)


def _compare(record: TrialRecord, reference: TrialRecord | None) -> _TrialChanges:
    if reference is None:
        return _TrialChanges(record, None, {})
    is_complete = record.state == "complete"
    at_end = delta_m_by_task(record.results, reference.results) if is_complete else None
    at_rungs = {
        rung: delta_m_by_task(results, reference.rung_results.get(rung, {}))
        for rung, results in record.rung_results.items()
    }
    defined = {rung: changes for rung, changes in at_rungs.items() if changes is not None}
    errors = delta_m_error_by_task(record.results, reference.results) if is_complete else None
    # The reference differs from itself by 0, without an error.
    is_known = errors is not None and record is not reference
    return _TrialChanges(record, at_end, defined, errors if errors and is_known else {})


def _is_partial(record: TrialRecord) -> bool:
    """Return whether a trial has results at a rung only: it is paused, or resumed elsewhere."""
    return record.state == "paused" or (record.state == "running" and bool(record.rung_results))


def measured_digests(observations: Sequence[Observation]) -> frozenset[str]:
    """Return the digests of the candidates that are not proposed again."""
    return frozenset(observation.digest for observation in observations)
