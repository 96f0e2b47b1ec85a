"""Trials of a run, stored in an Optuna study."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from mtlsearch.results import DELTA_M, Objective, TrialRecord, objective_values
from mtlsearch.study._view import StudyView, SuggestedParams


class TrialStore:
    """Optuna study whose trials carry a trial record as user attribute.

    Any Optuna tool opens the study: its values are the objectives and its parameters are the
    params that the candidate space asked for. A paused trial may resume, so Optuna's state of
    it is RUNNING.

    Args:
        storage: the Optuna storage that holds the study.
        name: the study's name in the storage; a missing study is created.
        objectives: what the values of the study are.
    """

    def __init__(
        self, storage: BaseStorage, name: str, objectives: Sequence[Objective] = (DELTA_M,)
    ) -> None:
        self.objectives = tuple(objectives)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if not self.is_in(storage, name):  # load_study writes nothing, create_study always does
            optuna.create_study(
                storage=storage,
                study_name=name,
                directions=[objective.direction for objective in objectives],
                load_if_exists=True,
            )
        self._study = optuna.load_study(storage=storage, study_name=name)
        self._parsed_by_number: dict[int, tuple[object, TrialRecord]] = {}
        self._view: StudyView | None = None

    @classmethod
    def in_memory(cls, objectives: Sequence[Objective] = (DELTA_M,)) -> TrialStore:
        """Create a store that ends with the process.

        Args:
            objectives: what the values of the study are.

        Returns:
            An empty store.
        """
        return cls(InMemoryStorage(), "mtlsearch", objectives)

    @staticmethod
    def is_in(storage: BaseStorage, name: str) -> bool:
        """Return whether a storage holds a study; write nothing.

        Args:
            storage: an Optuna storage.
            name: the study's name.

        Returns:
            True if the study exists.
        """
        return name in optuna.get_all_study_names(storage)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials of the Optuna study, those of other tools included."""
        return self._study.get_trials(deepcopy=False)

    def records(self) -> list[TrialRecord]:
        """Read the records from the storage.

        Returns:
            All trial records but second seeds, by number; the same objects as long as a trial
            does not change.
        """
        return [record for record in self._all_records() if record.repeats is None]

    def repeats(self) -> list[TrialRecord]:
        """Read the records of second seeds from the storage.

        Returns:
            The records, by number.
        """
        return [record for record in self._all_records() if record.repeats is not None]

    def _all_records(self) -> list[TrialRecord]:
        return [self._parse(trial) for trial in self.trials if "record" in trial.user_attrs]

    def view(self) -> StudyView:
        """Return the study after the last write of this store.

        Returns:
            The view; built once per write.
        """
        if self._view is None:
            self._view = self._build_view()
        return self._view

    def start(
        self,
        record: TrialRecord,
        params: Mapping[str, Any] = MappingProxyType({}),
        distributions: Mapping[str, BaseDistribution] = MappingProxyType({}),
    ) -> TrialRecord:
        """Add a running trial in one write.

        Args:
            record: the trial; its number is ignored.
            params: value by parameter name.
            distributions: distribution by parameter name.

        Returns:
            The record with the number of the new trial.
        """
        token = uuid.uuid4().hex
        self._view = None
        self._study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=dict(distributions),
                user_attrs={"record": record.to_json(), "token": token},
            )
        )
        is_new = (
            trial for trial in reversed(self.trials) if trial.user_attrs.get("token") == token
        )
        return replace(record, number=next(is_new).number)

    def write(self, record: TrialRecord) -> TrialRecord:
        """Replace the record of a trial that may resume.

        Args:
            record: the trial, such as a paused one.

        Returns:
            The same record.
        """
        self._view = None
        self._optuna_trial(record.number).set_user_attr("record", record.to_json())
        return record

    def finish(self, record: TrialRecord, value: float | Sequence[float] | None) -> None:
        """Replace the record of a trial that has ended, and end the trial in Optuna.

        Args:
            record: the trial.
            value: one number per objective; None if a number is undefined.
        """
        self.write(record)
        if record.state == "complete" and value is not None:
            self._study.tell(record.number, value)
        else:
            self._study.tell(record.number, state=TrialState.FAIL)

    def mark_interrupted(self) -> int:
        """End the trials that a killed process left running.

        A trial that was killed between the two writes of its end keeps its record. A trial
        that was paused before returns to its rung.

        Returns:
            Number of trials that were left running.
        """
        records, trials = self._all_records(), self.trials
        left_running = [
            record
            for record in records
            if trials[record.number].state is TrialState.RUNNING and record.state != "paused"
        ]
        for record in left_running:
            ended = as_interrupted(record)
            if ended.state == "paused":
                self.write(ended)
            else:
                self.finish(ended, objective_values(ended, records, self.objectives))
        return len(left_running)

    def _build_view(self) -> StudyView:
        trials = [trial for trial in self.trials if "record" in trial.user_attrs]
        records = [self._parse(trial) for trial in trials]
        return StudyView(
            records=tuple(record for record in records if record.repeats is None),
            objectives=self.objectives,
            params_by_number={
                trial.number: SuggestedParams(trial.params, trial.distributions) for trial in trials
            },
            repeats=tuple(record for record in records if record.repeats is not None),
        )

    def _parse(self, trial: FrozenTrial) -> TrialRecord:
        """Return a trial's record, parsed again only if its stored form has changed."""
        stored = trial.user_attrs["record"]
        parsed = self._parsed_by_number.get(trial.number)
        if parsed is None or parsed[0] != stored:
            parsed = self._parsed_by_number[trial.number] = (stored, self._parse_stored(trial))
        return parsed[1]

    def _parse_stored(self, trial: FrozenTrial) -> TrialRecord:
        # The record was written before Optuna assigned the number.
        return replace(TrialRecord.from_json(trial.user_attrs["record"]), number=trial.number)

    def _optuna_trial(self, number: int) -> Trial:
        """Return the Optuna trial whose user attributes can be set.

        Optuna has no public function that returns it for a trial that another process started.
        ``_trial_id`` is private: this is the only use of it, and a test covers it.
        """
        return Trial(self._study, self.trials[number]._trial_id)


def as_interrupted(record: TrialRecord) -> TrialRecord:
    """Return the record of a trial whose process has ended."""
    if record.state != "running":
        return record
    if record.rung_results:  # it was paused at a rung before it resumed
        return replace(record, state="paused")
    return replace(record, state="interrupted", reason="the process was stopped before it ended")
