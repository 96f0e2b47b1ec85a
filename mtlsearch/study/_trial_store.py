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
from optuna.trial import FrozenTrial, TrialState, create_trial

from mtlsearch.results import (
    DELTA_M,
    Objective,
    StudyIndex,
    TrialRecord,
    objective_values,
)
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
        self._storage, self._study_id = storage, storage.get_study_id_from_name(name)
        self._index = StudyIndex(self.objectives)
        self._trials: list[FrozenTrial] = []
        self._records: dict[int, TrialRecord] = {}
        self._repeats: dict[int, TrialRecord] = {}
        self._params: dict[int, SuggestedParams] = {}
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
        return list(self.refresh().records)

    def repeats(self) -> list[TrialRecord]:
        """Read the records of second seeds from the storage.

        Returns:
            The records, by number.
        """
        return list(self.refresh().repeats)

    def view(self) -> StudyView:
        """Return the study after the last write of this store.

        Returns:
            The view; read once per write.
        """
        return self.refresh() if self._view is None else self._view

    def refresh(self) -> StudyView:
        """Read what was written to the storage since the last view, also by other processes.

        Only trials that changed are parsed.

        Returns:
            The study at this moment; the last view if nothing changed.
        """
        trials = self.trials
        # Optuna replaces the object of a trial that changes, and of a running one in a database.
        changed = [
            trial for trial, seen in zip(trials, self._trials, strict=False) if trial is not seen
        ]
        changed += trials[len(self._trials) :]
        updated = [
            record
            for trial in changed
            if "record" in trial.user_attrs and (record := self._updated(trial)) is not None
        ]
        self._trials = trials
        self._index.update(updated)
        if updated or self._view is None:
            self._view = StudyView(
                records=tuple(self._records.values()),
                objectives=self.objectives,
                params_by_number=MappingProxyType(dict(self._params)),
                repeats=tuple(self._repeats.values()),
                index=self._index,
                revision=self._index.revision,
            )
        return self._view

    def _updated(self, trial: FrozenTrial) -> TrialRecord | None:
        """Parse the record of a trial; return None if it has not changed."""
        number, stored = trial.number, trial.user_attrs["record"]
        seen = self._trials[number] if number < len(self._trials) else None
        if seen is not None and seen.user_attrs["record"] == stored:
            return None
        # The record was written before Optuna assigned the number.
        record = replace(TrialRecord.from_json(stored), number=number)
        (self._records if record.repeats is None else self._repeats)[number] = record
        self._params.setdefault(number, SuggestedParams(trial.params, trial.distributions))
        return record

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
        self._view = None
        trial_id = self._storage.create_new_trial(
            self._study_id,
            create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=dict(distributions),
                # By its token, a database recognizes a trial that it already contains.
                user_attrs={"record": record.to_json(), "token": uuid.uuid4().hex},
            ),
        )
        return replace(record, number=self._storage.get_trial_number_from_id(trial_id))

    def write(self, record: TrialRecord) -> TrialRecord:
        """Replace the record of a trial that may resume.

        Args:
            record: the trial, such as a paused one.

        Returns:
            The same record.
        """
        self._view = None
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(
            self._study_id, record.number
        )
        self._storage.set_trial_user_attr(trial_id, "record", record.to_json())
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
        view = self.refresh()
        left_running = [
            record
            for record in (*view.records, *view.repeats)
            if self._trials[record.number].state is TrialState.RUNNING and record.state != "paused"
        ]
        for record in left_running:
            ended = as_interrupted(record)
            if ended.state == "paused":
                self.write(ended)
            else:
                self.finish(ended, objective_values(ended, view.records, self.objectives))
        return len(left_running)


def as_interrupted(record: TrialRecord) -> TrialRecord:
    """Return the record of a trial whose process has ended."""
    if record.state != "running":
        return record
    if record.rung_results:  # it was paused at a rung before it resumed
        return replace(record, state="paused")
    return replace(record, state="interrupted", reason="the process was stopped before it ended")
