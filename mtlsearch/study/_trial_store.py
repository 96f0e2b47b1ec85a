"""Trials of a run, stored in an Optuna study."""

from __future__ import annotations

import copy
import math
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from mtlsearch.results import (
    DELTA_M,
    Objective,
    StudyIndex,
    TrialRecord,
    delta_m,
    objective_values,
)
from mtlsearch.study._view import StudyView, SuggestedParams
from mtlsearch.study._worker import (
    FileHeartbeats,
    Heartbeats,
    StudyHeartbeats,
    Worker,
    recent_workers,
)

CLAIM_SECONDS = 60.0
"""Seconds after which a worker that resumed a paused trial and has not written it is dead."""

RUN_FILE = "run_file"
"""User attribute of a study in a database: its run file."""

DATA = "data"
"""User attribute of a study: the digest of the data on which its trials were trained."""

Training = tuple[str, int | None]
"""What a trial trains: the digest of its candidate, and the seed if it is a second one."""


class ClaimLostError(Exception):
    """Another worker has the trial or its candidate."""


class TrialStore:
    """Optuna study whose trials carry a trial record as user attribute.

    Any Optuna tool opens the study: its values are the objectives and its parameters are the
    params that the candidate space asked for. A paused trial may resume: Optuna's state of it is
    WAITING.

    Several workers may use one study. Three changes of a trial's state in Optuna succeed for one
    process only, in every storage: adding a trial, from WAITING to RUNNING, and ending a trial.
    So a candidate belongs to the first trial that was added with it, a paused trial to the worker
    that set it to RUNNING, and a trial whose worker is dead is free once another worker has
    ended it.

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
        self._compressed: dict[int, TrialRecord] = {}
        self._params: dict[int, SuggestedParams] = {}
        self._unended: dict[int, None] = {}  # trials that have not ended in Optuna
        self._open: dict[int, FrozenTrial] = {}  # those of this program
        self._numbers_by_training: dict[Training, list[int]] = defaultdict(list)
        self._number_by_token: dict[str, int] = {}
        self._added_again: set[int] = set()  # trials with the token of an earlier one
        self._interrupted: dict[int, TrialRecord] = {}
        self._claimed_since: dict[int, tuple[Mapping[str, Any], float]] = {}
        self._last_claim = -1
        self._worker: Worker | None = None
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

    @contextmanager
    def joined(self, folder: Path) -> Iterator[None]:
        """Take part in the study as one of several workers.

        Args:
            folder: run directory, which contains the locks of its workers.

        Yields:
            None, while this process counts as a living worker.
        """
        with Worker(folder, self._heartbeats(folder)) as self._worker:
            try:
                yield
            finally:
                self._worker = None

    def read(self, folder: Path) -> StudyView:
        """Read the study without taking part in it or writing anything.

        Args:
            folder: run directory.

        Returns:
            The study with Δm as its objective. Running trials of dead workers are interrupted.
        """
        view = self.refresh()
        alive = self.living_workers(folder) if view.running else frozenset()
        dead = {trial.number for trial in self._open.values() if _worker_of(trial) not in alive}

        def seen(record: TrialRecord) -> TrialRecord:
            is_left = record.state == "running" and record.number in dead
            return as_interrupted(record) if is_left else record

        return StudyView(
            records=tuple(map(seen, view.records)),
            repeats=tuple(map(seen, view.repeats)),
            compressed=view.compressed,
        )

    def living_workers(self, folder: Path) -> frozenset[str]:
        """Return the workers of the study that seem to be alive.

        Args:
            folder: run directory.

        Returns:
            Their ids.
        """
        return recent_workers(folder, self._heartbeats(folder))

    def _heartbeats(self, folder: Path) -> Heartbeats:
        if isinstance(self._storage, JournalStorage):
            return FileHeartbeats(folder)
        return StudyHeartbeats(self._storage, self._study_id)

    @property
    def is_shared(self) -> bool:
        """Whether other workers may use the study, since :meth:`joined`."""
        return self._worker is not None

    @property
    def run_file(self) -> str | None:
        """The run file of the study as YAML, for workers without the run directory."""
        text: str | None = self._storage.get_study_user_attrs(self._study_id).get(RUN_FILE)
        return text

    @run_file.setter
    def run_file(self, text: str) -> None:
        self._storage.set_study_user_attr(self._study_id, RUN_FILE, text)

    @property
    def data_digest(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Digest of the data on which the trials were trained; None of an earlier version."""
        digest: Mapping[str, Mapping[str, Any]] | None
        digest = self._storage.get_study_user_attrs(self._study_id).get(DATA)
        return digest

    @data_digest.setter
    def data_digest(self, digest: Mapping[str, Mapping[str, Any]]) -> None:
        self._storage.set_study_user_attr(self._study_id, DATA, digest)

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
        # A trial that has ended in Optuna cannot change. Optuna replaces the object of a trial that
        # changes, and of a running one in a database.
        news = [
            *(
                trials[number]
                for number in self._unended
                if trials[number] is not self._trials[number]
            ),
            *trials[len(self._trials) :],
        ]
        for trial in news:
            if trial.state.is_finished():
                self._unended.pop(trial.number, None)
            else:
                self._unended[trial.number] = None
        changed = [trial for trial in news if self._is_first_of_token(trial)]
        for trial in changed:
            if trial.state.is_finished() or not trial.user_attrs.keys() & {"record", "claim"}:
                self._open.pop(trial.number, None)
            else:
                self._open[trial.number] = trial
        updated = [
            record
            for trial in changed
            if "record" in trial.user_attrs and (record := self._updated(trial)) is not None
        ]
        self._trials = trials
        self._index.update(updated)
        num_seen = 0 if self._view is None else len(self._view.compressed)
        if updated or self._view is None or num_seen < len(self._compressed):
            self._view = StudyView(
                records=tuple(self._records.values()),
                objectives=self.objectives,
                params_by_number=MappingProxyType(dict(self._params)),
                repeats=tuple(self._repeats.values()),
                compressed=tuple(self._compressed.values()),
                index=self._index,
                revision=self._index.revision,
            )
        return self._view

    def _is_first_of_token(self, trial: FrozenTrial) -> bool:
        """Return whether no earlier trial has the token of a trial, which the search added once."""
        token = trial.user_attrs.get("token")
        if token is None or self._number_by_token.setdefault(token, trial.number) == trial.number:
            return True
        if not trial.state.is_finished():
            self._added_again.add(trial.number)
        return False

    def update(self) -> StudyView:
        """Return the study after ending what dead workers left.

        Returns:
            The study at this moment; the last view if nothing changed, or if this process is the
            only worker.
        """
        if not self.is_shared:
            return self.view()
        self.mark_interrupted()
        return self.refresh()

    def interrupted(self) -> list[TrialRecord]:
        """Return the interrupted trainings that no other trial has repeated or continues.

        Returns:
            The first record of each training, by number.
        """
        first_by_training: dict[Training, TrialRecord] = {}
        for record in self._interrupted.values():
            if not self._is_taken(record):
                first_by_training.setdefault(_training(record), record)
        return list(first_by_training.values())

    def interrupted_before(self, record: TrialRecord) -> list[TrialRecord]:
        """Return the interrupted trials that a new trial continues.

        Args:
            record: the new trial.

        Returns:
            Interrupted trials of the same training, the last one first.
        """
        numbers = self._numbers_by_training.get(_training(record), ())
        return [
            self._interrupted[number] for number in reversed(numbers) if number in self._interrupted
        ]

    def _updated(self, trial: FrozenTrial) -> TrialRecord | None:
        """Parse the record of a trial; return None if it has not changed."""
        number, stored = trial.number, trial.user_attrs["record"]
        seen = self._trials[number] if number < len(self._trials) else None
        if (
            seen is not None
            and seen.state is trial.state
            and seen.user_attrs.get("record") == stored
        ):
            return None
        # The record was written before Optuna assigned the number.
        record = _as_it_is(TrialRecord.from_json({**stored, "number": number}), trial)
        if record.compression is not None:  # apart, since no sampler may use it
            self._compressed[number] = record
            return None
        by_number = self._records if record.repeats is None else self._repeats
        if number not in by_number:
            seed = None if record.repeats is None else record.seed
            digest = stored.get("digest") or record.candidate.digest  # computing it takes time
            self._numbers_by_training[digest, seed].append(number)
        by_number[number] = record
        if record.state == "interrupted":
            self._interrupted[number] = record
        self._params.setdefault(number, SuggestedParams(trial.params, trial.distributions))
        return record

    def _is_taken(self, record: TrialRecord, before: int | None = None) -> bool:
        """Return whether another trial trains or has trained the same.

        Args:
            record: the training.
            before: only trials with a smaller number count; None for all trials.
        """
        training = _training(record)
        claims = (
            trial.number
            for trial in self._open.values()
            if "record" not in trial.user_attrs and trial.user_attrs["claim"]["of"] == [*training]
        )
        trials = (
            number
            for number in self._numbers_by_training.get(training, ())
            if number not in self._interrupted and not self._may_be_repeated(number)
        )
        return any(before is None or number < before for number in (*claims, *trials))

    def _num_added_before(self, record: TrialRecord) -> int:
        """Return how many trials were added after a trial was proposed and before it was."""
        num_trials = record.number if record.basis is None else record.basis.num_trials
        claims = (trial.number for trial in self._open.values() if "record" not in trial.user_attrs)
        trials = (
            number
            for number in range(num_trials, record.number)
            if number in self._records and number not in self._interrupted
        )
        return sum(number < record.number for number in (*claims, *trials))

    def _may_be_repeated(self, number: int) -> bool:
        """Return whether a trial is a failed baseline, which is trained again."""
        record = self._records.get(number)
        return record is not None and record.state == "failed" and record.baseline is not None

    def start(
        self,
        record: TrialRecord,
        params: Mapping[str, Any] = MappingProxyType({}),
        distributions: Mapping[str, BaseDistribution] = MappingProxyType({}),
        max_new: int | None = None,
    ) -> TrialRecord:
        """Add a running trial in one write.

        With several workers, the trial is added first and gets its record in a second write: of
        two trials with the same candidate, the later one is ended without a record. So is a trial
        for which the search has no place left.

        Args:
            record: the trial; its number is ignored.
            params: value by parameter name.
            distributions: distribution by parameter name.
            max_new: number of trials that may be added to those that were known; None for no limit.

        Returns:
            The record with the number of the new trial.

        Raises:
            ClaimLostError: another worker has the candidate, or has added the last trial.
        """
        if not self.is_shared:
            return self._add(record, params, distributions, {"record": self._stored(record)})
        claim = {"of": [*_training(record)], "worker": self._worker_id}
        self.refresh()
        if self._is_taken(record):
            raise ClaimLostError
        record = self._add(record, params, distributions, {"claim": claim})
        self.refresh()
        has_place = max_new is None or self._num_added_before(record) < max_new
        if not has_place or self._is_taken(record, before=record.number):
            self._end(record.number, TrialState.FAIL)
            raise ClaimLostError
        return self.write(record)

    def _add(
        self,
        record: TrialRecord,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
    ) -> TrialRecord:
        self._view = None
        trial_id = self._storage.create_new_trial(
            self._study_id,
            create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=dict(distributions),
                # By its token, a database recognizes a trial that it already contains.
                user_attrs={**attributes, "token": uuid.uuid4().hex},
            ),
        )
        return replace(record, number=self._storage.get_trial_number_from_id(trial_id))

    def add_compressed(self, record: TrialRecord) -> TrialRecord:
        """Add a compressed trial in one write.

        In Optuna it is pruned and has no value, so that no tool takes it for a training of its
        candidate.

        Args:
            record: the complete trial; its number is ignored.

        Returns:
            The record with the number of the new trial.
        """
        self._view = None
        trial = create_trial(
            state=TrialState.PRUNED,
            user_attrs={"record": self._stored(record), "token": uuid.uuid4().hex},
        )
        trial_id = self._storage.create_new_trial(self._study_id, trial)
        return replace(record, number=self._storage.get_trial_number_from_id(trial_id))

    def claim(self, record: TrialRecord) -> TrialRecord:
        """Resume a paused trial, which one worker can do.

        Args:
            record: the paused trial.

        Returns:
            The running trial.

        Raises:
            ClaimLostError: another worker has resumed it.
        """
        storage, trial_id = self._storage, self._id_of(record.number)
        if isinstance(storage, JournalStorage) and trial_id == self._last_claim:
            # A journal takes the last trial that it claimed for claimed again. A copy does not.
            storage = copy.copy(storage)
        self._view = None
        try:
            is_claimed = storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            is_claimed = False
        if not is_claimed:
            raise ClaimLostError
        stored = TrialRecord.from_json(storage.get_trial(trial_id).user_attrs["record"])
        if (stored.state, stored.rung_results) != ("paused", record.rung_results):
            # Another worker has trained it further since this one read the study.
            storage.set_trial_state_values(trial_id, TrialState.WAITING)
            raise ClaimLostError
        self._last_claim = trial_id
        return self.write(replace(record, state="running"))

    def write(self, record: TrialRecord) -> TrialRecord:
        """Replace the record of a trial that may resume.

        Args:
            record: the trial, such as a paused one.

        Returns:
            The same record.

        Raises:
            ClaimLostError: another worker has ended the trial.
        """
        self._view = None
        trial_id = self._id_of(record.number)
        try:
            if record.state == "paused":
                self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
            self._storage.set_trial_user_attr(trial_id, "record", self._stored(record))
        except UpdateFinishedTrialError as error:
            raise ClaimLostError from error
        return record

    def finish(self, record: TrialRecord, value: float | Sequence[float] | None) -> None:
        """Replace the record of a trial that has ended, and end the trial in Optuna.

        Args:
            record: the trial.
            value: one number per objective; None if a number is undefined.

        Raises:
            ClaimLostError: another worker has ended the trial.
        """
        self.write(record)
        if record.state == "complete" and value is not None:
            values = [value] if isinstance(value, float | int) else [*value]
            self._end(record.number, TrialState.COMPLETE, values)
        else:
            self._end(record.number, TrialState.FAIL)

    def mark_interrupted(self) -> int:
        """End the trials that dead workers left running; of a store for one worker, all.

        A trial that was killed between the two writes of its end keeps its record. So does a
        trial that ended before its reference: it gets its values when the reference is complete.

        Returns:
            Number of trials that were left running.
        """
        view = self.refresh()
        for number in self._added_again:
            self._end(number, TrialState.FAIL)
        self._added_again.clear()
        living = self._living()
        left = [
            trial
            for trial in self._open.values()
            if self._should_end(trial, living, view.reference)
        ]
        for trial in left:
            record = self._records.get(trial.number) or self._repeats.get(trial.number)
            if record is None or record.state in ("running", "paused"):
                self._end(trial.number, TrialState.FAIL)
            else:
                self._end_recorded(record, view)
        if left:
            self.refresh()
        return sum("record" in trial.user_attrs for trial in left)

    def _living(self) -> frozenset[str]:
        """Return the living workers; only this one if no other has an open trial."""
        if self._worker is None:
            return frozenset()
        workers = {_worker_of(trial) for trial in self._open.values()}
        this = frozenset({self._worker.id})
        return self._worker.living() if workers - this else this

    def _should_end(
        self, trial: FrozenTrial, living: Collection[str], reference: TrialRecord | None
    ) -> bool:
        """Return whether a trial that is open in Optuna has ended or lost its worker."""
        stored = trial.user_attrs.get("record")
        # Each claim has its own time. A store may miss all that is between two of them.
        paused, since = self._claimed_since.pop(trial.number, (stored, time.monotonic()))
        if stored is None or stored["state"] == "running":
            return _worker_of(trial) not in living
        if stored["state"] != "paused":
            return reference is not None or stored["state"] != "complete" or not self.is_shared
        if trial.state is TrialState.WAITING:
            return False
        if "worker" not in stored:  # written by an earlier version
            self._storage.set_trial_state_values(self._id_of(trial.number), TrialState.WAITING)
            return False
        # Its worker writes the record next. If nothing follows, it was killed before.
        since = since if paused == stored else time.monotonic()
        self._claimed_since[trial.number] = stored, since
        return not self.is_shared or time.monotonic() - since > CLAIM_SECONDS

    def _end_recorded(self, record: TrialRecord, view: StudyView) -> None:
        """End a trial in Optuna whose record has ended."""
        compared = record if record.repeats is None else replace(record, baseline=None)
        if record.state == "complete" and view.reference is not None:
            value, reason = delta_m(record.results, view.reference.results)
            if value is None:
                compared = record = replace(record, state="failed", reason=reason)
        values = objective_values(compared, view.records, self.objectives)
        with suppress(ClaimLostError):  # another worker does the same
            self.finish(record, values)

    def _end(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> None:
        """End a trial in Optuna, unless another worker has ended it."""
        self._view = None
        if values is not None and any(math.isnan(value) for value in values):
            state, values = TrialState.FAIL, None
        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_state_values(self._id_of(number), state, values)

    def _id_of(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _stored(self, record: TrialRecord) -> dict[str, Any]:
        return record.to_json() | {"worker": self._worker_id}

    @property
    def _worker_id(self) -> str | None:
        return None if self._worker is None else self._worker.id


def _training(record: TrialRecord) -> Training:
    """Return what a trial trains: the digest of its candidate, and the seed if it is a second."""
    return record.candidate.digest, None if record.repeats is None else record.seed


def _worker_of(trial: FrozenTrial) -> str | None:
    """Return the worker that runs a trial; None if it was the only one of its study."""
    stored = trial.user_attrs.get("record") or trial.user_attrs["claim"]
    worker: str | None = stored.get("worker")
    return worker


def _as_it_is(record: TrialRecord, trial: FrozenTrial) -> TrialRecord:
    """Return the record of a trial that another worker has ended, or has just resumed."""
    if trial.state.is_finished():
        return as_interrupted(record) if record.state in ("running", "paused") else record
    is_resumed = trial.state is TrialState.RUNNING and record.state == "paused"
    if is_resumed and "worker" in trial.user_attrs["record"]:
        return replace(record, state="running")
    return record


def as_interrupted(record: TrialRecord) -> TrialRecord:
    """Return the record of a trial whose process has ended."""
    return replace(record, state="interrupted", reason="the process was stopped before it ended")
