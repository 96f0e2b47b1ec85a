"""History of a study as observations, updated by each trial that changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from mtlsearch.results import (
    DELTA_M,
    TrialRecord,
    delta_m_by_task,
    delta_m_error_by_task,
)
from mtlsearch.search.samplers._learning_curve import LearningCurveModel
from mtlsearch.search.samplers._observations import Observation, Observations, columns_of
from mtlsearch.search.space import Proposal
from mtlsearch.study import FINISHED_STATES, StudyView, SuggestedParams

OBSERVED_STATES = (*FINISHED_STATES, "infeasible", "running")
"""States of trials whose candidates are not proposed again."""

NO_CURVES = LearningCurveModel({}, {})
"""Model while no trial is partial."""


class ObservationHistory:
    """Observations of a study. An update takes time for the trials that changed since the last."""

    def __init__(self) -> None:
        self._view: StudyView | None = None
        self._reference: TrialRecord | None = None
        self._model = NO_CURVES
        self._changes_by_number: dict[int, _TrialChanges] = {}
        self._trial_by_number: dict[int, _TrialChanges] = {}  # those that are observed
        self._partial: set[int] = set()
        self._numbers: list[int] = []
        self._observations = Observations()

    def update(self, view: StudyView) -> Observations:
        """Return all observations of a study.

        Args:
            view: the study.

        Returns:
            Observations by trial number.
        """
        if view is self._view:
            return self._observations
        if view.reference is not self._reference:
            self._reference, self._changes_by_number = view.reference, {}
            self._view = None
        changed = None if self._view is None else view.changed_since(self._view)
        if changed is None:
            self._trial_by_number, self._partial, self._model = {}, set(), NO_CURVES
            self._numbers, self._observations = [], Observations()
            records = sorted(view.records, key=lambda record: record.number)
        else:
            numbers = {_trial_of(view.record(number)) for number in changed}
            records = [view.record(number) for number in sorted(numbers)]
        self._view = view
        stale = {record.number for record in records}
        if self._update_trials(records):
            stale |= self._partial  # their extrapolation changes with the others
        self._replace({number: self._observe(number, view) for number in sorted(stale)})
        return self._observations

    def of_numbers(self, numbers: Iterable[int]) -> list[Observation]:
        """Return the last observations of some trials.

        Args:
            numbers: trial numbers.

        Returns:
            Observations by trial number, without trials that have none.
        """
        indices = ((number, bisect_left(self._numbers, number)) for number in sorted(numbers))
        return [
            self._observations[index]
            for number, index in indices
            if index < len(self._numbers) and self._numbers[index] == number
        ]

    def _update_trials(self, records: Sequence[TrialRecord]) -> bool:
        """Compare trials with the reference; return whether the model of partial ones changed."""
        has_new_curve = False
        for record in records:
            number = record.number
            former = self._trial_by_number.pop(number, None)
            has_new_curve |= former is not None and former.is_curve
            self._partial.discard(number)
            if record.state in OBSERVED_STATES:
                trial = self._trial_by_number[number] = self._changes_of(record)
                has_new_curve |= trial.is_curve
                if _is_partial(record):
                    self._partial.add(number)
        model = self._model
        if not self._partial:
            model = NO_CURVES
        elif has_new_curve or not model.slopes:
            trials = (trial for _, trial in sorted(self._trial_by_number.items()))
            model = LearningCurveModel.fit(
                [(trial.at_rungs, trial.at_end) for trial in trials if trial.at_end is not None]
            )
        is_new, self._model = model != self._model, model
        return is_new

    def _replace(self, observed: Mapping[int, Observation | None]) -> None:
        """Replace, add and remove observations by trial number."""
        numbers = self._numbers
        items, columns = list(self._observations.items), self._observations.columns.copy()
        digests: frozenset[str] | None = self._observations.digests
        if not numbers:  # all at once
            present = [item for item in observed.values() if item is not None]
            self._numbers = [item.number for item in present]
            self._observations = Observations(present)
            return
        for number, item in observed.items():
            index = bisect_left(numbers, number)
            is_known = index < len(numbers) and numbers[index] == number
            if item is None and is_known:
                del numbers[index], items[index]
                columns, digests = np.delete(columns, index), None
            elif item is not None and is_known:
                items[index], columns[index] = item, columns_of([item])[0]
            elif item is not None:
                numbers.insert(index, number)
                items.insert(index, item)
                columns = np.insert(columns, index, columns_of([item])[0])
        if digests is not None:
            digests |= {item.digest for item in observed.values() if item is not None}
        self._observations = Observations(items, columns, digests)

    def _changes_of(self, record: TrialRecord) -> _TrialChanges:
        cached = self._changes_by_number.get(record.number)
        # A view contains the same record object until the trial changes.
        if cached is None or cached.record is not record:
            cached = _compare(record, self._reference)
            self._changes_by_number[record.number] = cached
        return cached

    def _observe(self, number: int, view: StudyView) -> Observation | None:
        """Return the observation of a trial; None if it is not observed."""
        trial = self._trial_by_number.get(number)
        if trial is None:
            return None
        record, changes, extra_variances = trial.record, trial.at_end, None
        if _is_partial(record):
            rung = max(record.rung_results)
            if rung in trial.at_rungs:
                changes = self._model.extrapolate(rung, trial.at_rungs[rung])
                extra_variances = self._model.extrapolation_variance(rung, trial.at_rungs[rung])
        suggested = view.params_by_number.get(number, SuggestedParams())
        proposal = Proposal(
            record.candidate, suggested.params, suggested.distributions, record.baseline
        )
        values = self._objective_values(record, changes, view)
        if values is None and view.objectives != (DELTA_M,):
            changes = None  # samplers ignore a trial that lacks the value of an objective
        repeats = view.repeats_of(number)
        return Observation(
            proposal,
            record.candidate.digest,
            changes,
            values,
            over_limits=bool(record.over_limits),
            number=number,
            errors=trial.errors,
            extra_variances=extra_variances,
            second_seeds=tuple(
                further
                for repeat in repeats
                if (further := self._changes_of(repeat).at_end) is not None
            ),
            num_second_seeds=len(repeats),
            is_pending=record.state == "running" and changes is None,
            is_repeating=any(running.repeats == number for running in view.running),
        )

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

    @property
    def is_curve(self) -> bool:
        """Whether the model of partial trials is fitted to this one."""
        return self.at_end is not None and bool(self.at_rungs)


def _trial_of(record: TrialRecord) -> int:
    """Return the number of the trial that a training belongs to, such as a second seed."""
    return record.number if record.repeats is None else record.repeats


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
    errors = None
    # The reference differs from itself by 0, without an error.
    if at_end is not None and record is not reference:
        errors = delta_m_error_by_task(record.results, reference.results, is_defined=True)
    return _TrialChanges(record, at_end, defined, errors or {})


def _is_partial(record: TrialRecord) -> bool:
    """Return whether a trial has results at a rung only: it is paused, or resumed elsewhere."""
    return record.state == "paused" or (record.state == "running" and bool(record.rung_results))
