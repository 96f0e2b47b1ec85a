"""The trials of a run, kept by Optuna."""

from __future__ import annotations

import uuid
from dataclasses import replace

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from mtlsearch.record import TrialRecord, delta_m, reference_of
from mtlsearch.search._proposal import Proposal

SETTLED = ("complete", "failed")
"""States of trials that count and are not tried again."""


class TrialStore:
    """An Optuna study whose trials carry our records as user attributes.

    The study opens in any Optuna tool: its value is Δm in percent, its parameters are the
    answers that the space asked for.

    Args:
        storage: where Optuna keeps it.
        name: the study's name there; it is made if there is none.
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if not self.is_in(storage, name):  # loading writes nothing, making always does
            optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )
        self._study = optuna.load_study(storage=storage, study_name=name)

        self._read: dict[int, tuple[object, TrialRecord]] = {}

    @classmethod
    def in_memory(cls) -> TrialStore:
        """A store that is gone with the process."""
        return cls(InMemoryStorage(), "mtlsearch")

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
        values = {
            trial.number: trial.value
            for trial in self.trials
            if trial.state is TrialState.COMPLETE
            and trial.value is not None
            and not trial.user_attrs.get("record", {}).get("over_budget")
        }
        return max(values.items(), key=lambda item: item[1]) if values else None

    def start(self, proposal: Proposal, record: TrialRecord) -> TrialRecord:
        """Write a running trial down, all of it in one step; gives the record its number."""
        token = uuid.uuid4().hex
        self._study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(proposal.params),
                distributions=dict(proposal.distributions),
                user_attrs={"record": record.to_json(), "token": token},
            )
        )
        number = next(t.number for t in reversed(self.trials) if t.user_attrs.get("token") == token)
        return replace(record, number=number)

    def settle(self, record: TrialRecord, delta_m: float | None) -> None:
        """Write down how a trial ended."""
        frozen = self.trials[record.number]
        Trial(self._study, frozen._trial_id).set_user_attr("record", record.to_json())
        if record.state == "complete" and delta_m is not None:
            self._study.tell(record.number, delta_m)
        else:
            self._study.tell(record.number, state=TrialState.FAIL)

    def close_interrupted(self) -> int:
        """Settle trials that a killed process left running; they will be run again.

        One that was killed while it was being settled keeps what was written of it.
        """
        records, trials = self.records(), self.trials
        left = [at for at in records if trials[at.number].state is TrialState.RUNNING]
        for record in left:
            value, _ = delta_m(record.results, reference_of(records))
            self.settle(closed(record), value)
        return len(left)

    def _parsed(self, trial: FrozenTrial) -> TrialRecord:
        written = trial.user_attrs["record"]
        known = self._read.get(trial.number)
        if known is None or known[0] is not written:
            known = self._read[trial.number] = written, _record(trial)
        return known[1]


def closed(record: TrialRecord) -> TrialRecord:
    """The record as it is once nobody runs it any more."""
    if record.state != "running":
        return record
    return replace(record, state="interrupted", why="the process was stopped before it ended")


def _record(trial: FrozenTrial) -> TrialRecord:
    record = TrialRecord.from_json(trial.user_attrs["record"])
    return replace(record, number=trial.number)
