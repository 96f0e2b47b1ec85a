"""The trials of a run, kept by Optuna."""

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

from mtlsearch.results import DELTA_M, Objective, TrialRecord, deltas, objective_values

FINISHED_STATES = ("complete", "paused", "failed")
"""States of trials that count and are not tried again."""


class TrialStore:
    """An Optuna study whose trials carry our records as user attributes.

    The study opens in any Optuna tool: its values are the objectives, Δm in percent, its
    parameters are the answers that the space asked for. A trial that was stopped early may go
    on, so Optuna has it for running.

    Args:
        storage: where Optuna keeps it.
        name: the study's name there; it is made if there is none.
        objectives: what its values are.
    """

    def __init__(
        self, storage: BaseStorage, name: str, objectives: Sequence[Objective] = (DELTA_M,)
    ) -> None:
        self.objectives = tuple(objectives)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if not self.is_in(storage, name):  # loading writes nothing, making always does
            optuna.create_study(
                storage=storage,
                study_name=name,
                directions=[at.direction for at in objectives],
                load_if_exists=True,
            )
        self._study = optuna.load_study(storage=storage, study_name=name)

        self._read: dict[int, tuple[object, TrialRecord]] = {}

    @classmethod
    def in_memory(cls, objectives: Sequence[Objective] = (DELTA_M,)) -> TrialStore:
        """A store that is gone with the process."""
        return cls(InMemoryStorage(), "mtlsearch", objectives)

    @staticmethod
    def is_in(storage: BaseStorage, name: str) -> bool:
        """Whether the storage holds a study of that name; writes nothing."""
        return name in optuna.get_all_study_names(storage)

    @property
    def trials(self) -> list[FrozenTrial]:
        """Optuna's own view of the trials."""
        return self._study.get_trials(deepcopy=False)

    def records(self) -> list[TrialRecord]:
        """Every trial, by number; the same objects as long as nothing new was written."""
        return [self._parsed(trial) for trial in self.trials if "record" in trial.user_attrs]

    def best(self) -> tuple[int, float] | None:
        """Number and Δm of the best complete trial within the budget, a baseline or not."""
        records = self.records()
        known = deltas(records)
        for record in records:
            if record.over_limits:
                known.pop(record.number, None)
        return max(known.items(), key=lambda item: item[1], default=None)

    def start(
        self,
        record: TrialRecord,
        params: Mapping[str, Any] = MappingProxyType({}),
        distributions: Mapping[str, BaseDistribution] = MappingProxyType({}),
    ) -> TrialRecord:
        """Write a running trial down, all of it in one step; gives the record its number."""
        token = uuid.uuid4().hex
        self._study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=dict(distributions),
                user_attrs={"record": record.to_json(), "token": token},
            )
        )
        number = next(t.number for t in reversed(self.trials) if t.user_attrs.get("token") == token)
        return replace(record, number=number)

    def write(self, record: TrialRecord) -> TrialRecord:
        """Write down how a trial stands that is not over, such as one that was stopped early."""
        frozen = self.trials[record.number]
        Trial(self._study, frozen._trial_id).set_user_attr("record", record.to_json())
        return record

    def finish(self, record: TrialRecord, value: float | Sequence[float] | None) -> None:
        """Write down how a trial ended; ``value`` is a number an objective, None for none."""
        self.write(record)
        if record.state == "complete" and value is not None:
            self._study.tell(record.number, value)
        else:
            self._study.tell(record.number, state=TrialState.FAIL)

    def mark_interrupted(self) -> int:
        """Settle trials that a killed process left running; they will be run again.

        One that was killed while it was being settled keeps what was written of it, and one
        that had been stopped early goes back to where it stopped.
        """
        records, trials = self.records(), self.trials
        left = [at for at in records if trials[at.number].state is TrialState.RUNNING]
        left = [record for record in left if record.state != "paused"]
        for record in left:
            ended = as_interrupted(record)
            if ended.state == "paused":
                self.write(ended)
            else:
                self.finish(ended, objective_values(ended, records, self.objectives))
        return len(left)

    def _parsed(self, trial: FrozenTrial) -> TrialRecord:
        written = trial.user_attrs["record"]
        known = self._read.get(trial.number)
        if known is None or known[0] is not written:
            known = self._read[trial.number] = written, _record(trial)
        return known[1]


def as_interrupted(record: TrialRecord) -> TrialRecord:
    """The record as it is once nobody runs it any more."""
    if record.state != "running":
        return record
    if record.rung_results:  # it had come to a rung before
        return replace(record, state="paused")
    return replace(record, state="interrupted", reason="the process was stopped before it ended")


def _record(trial: FrozenTrial) -> TrialRecord:
    record = TrialRecord.from_json(trial.user_attrs["record"])
    return replace(record, number=trial.number)
