"""Index of a study: values derived from its trials, updated by each trial that changes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from mtlsearch.results._delta_m import delta_m
from mtlsearch.results._objective import DELTA_M, Objective
from mtlsearch.results._rung_ranking import RungRank
from mtlsearch.results._trial import TrialRecord

OrderName = tuple[Literal["complete", "within limits", "measured", "paused"], int]
"""What trials are ordered by, and the epoch; 0 for the end of training."""


class StudyIndex:
    """Trials of a study in the orders that a search asks for.

    An update takes time for the trials that changed, not for all trials. Orders are computed when
    they are first asked for.

    Args:
        objectives: the objectives of the study. Rungs are ordered by a single objective only.
    """

    def __init__(self, objectives: Sequence[Objective] = (DELTA_M,)) -> None:
        self._objectives = tuple(objectives)
        self._record_by_number: dict[int, TrialRecord] = {}
        self._changes: list[int] = []
        self._running: dict[int, TrialRecord] = {}
        self._paused: dict[int, dict[int, TrialRecord]] = defaultdict(dict)
        self._references: dict[int, TrialRecord] = {}
        self._reference: TrialRecord | None = None
        self._num_finished = 0
        self._deltas = _Orders(self._delta_values)
        self._rungs = _Orders(self._rung_values)

    def update(self, records: Iterable[TrialRecord]) -> None:
        """Add new trials and replace changed ones.

        Args:
            records: trials and second seeds.
        """
        for record in records:
            former = self._record_by_number.get(record.number)
            self._record_by_number[record.number] = record
            self._changes.append(record.number)
            if former is not None:
                self._num_finished -= former.is_finished
                if former.state == "paused" and former.rung_results:
                    del self._paused[max(former.rung_results)][former.number]
            self._num_finished += record.is_finished
            self._running.pop(record.number, None)
            if record.state == "running":
                self._running[record.number] = record
            if record.repeats is not None:
                continue
            if record.state == "paused" and record.rung_results:
                self._paused[max(record.rung_results)][record.number] = record
            if record.baseline == "independent":
                self._update_reference(record)

    def _update_reference(self, record: TrialRecord) -> None:
        self._references.pop(record.number, None)
        if record.state == "complete":
            self._references[record.number] = record
        first = min(self._references, default=None)
        reference = None if first is None else self._references[first]
        if reference is not self._reference:
            self._reference = reference
            self._deltas, self._rungs = _Orders(self._delta_values), _Orders(self._rung_values)

    @property
    def revision(self) -> int:
        """Number of changes so far."""
        return len(self._changes)

    def changed_between(self, first: int, last: int) -> tuple[int, ...]:
        """Return which trials changed between two revisions.

        Args:
            first: the earlier revision.
            last: the later revision.

        Returns:
            Numbers, each once, in the order of their first change.
        """
        return tuple(dict.fromkeys(self._changes[first:last]))

    @property
    def num_finished(self) -> int:
        """Number of trials and second seeds that are complete, paused or failed."""
        return self._num_finished

    @property
    def running(self) -> tuple[TrialRecord, ...]:
        """The running trials, then the running second seeds, each by number."""
        return tuple(
            sorted(self._running.values(), key=lambda item: (item.repeats is not None, item.number))
        )

    def record(self, number: int) -> TrialRecord:
        """Return a trial or second seed.

        Args:
            number: its number.

        Returns:
            The record.
        """
        return self._record_by_number[number]

    @property
    def reference(self) -> TrialRecord | None:
        """The complete ``independent`` trial, to which Δm refers; None if there is none."""
        return self._reference

    def delta_m_by_number(self) -> dict[int, float]:
        """Return Δm in percent of each complete trial that has one.

        Returns:
            Δm by trial number, ascending.
        """
        return dict(sorted(self._order(self._deltas, ("complete", 0)).items()))

    @property
    def best(self) -> tuple[int, float] | None:
        """Number and Δm of the best complete trial within the limits; None if there is none."""
        return self._order(self._deltas, ("within limits", 0)).first

    def paused_outside(self, rungs: Collection[int]) -> tuple[TrialRecord, ...]:
        """Return the paused trials whose last rung is none of some rungs.

        Args:
            rungs: epochs, from 1.

        Returns:
            Records by number.
        """
        paused = {
            number: record
            for epoch, of_epoch in self._paused.items()
            if epoch not in rungs
            for number, record in of_epoch.items()
        }
        return tuple(paused[number] for number in sorted(paused))

    def best_paused(self, epoch: int) -> tuple[TrialRecord, int, int] | None:
        """Return the best of the trials that are paused at a rung.

        Args:
            epoch: the rung, from 1.

        Returns:
            The trial, its rank from 1 among all trials measured at the rung, and their number;
            None if no trial is paused there.
        """
        first = self._order(self._rungs, ("paused", epoch)).first
        if first is None:
            return None
        measured = self._order(self._rungs, ("measured", epoch))
        return self._record_by_number[first[0]], measured.rank(first[0]), len(measured)

    def rung_rank(self, number: int) -> RungRank | None:
        """Return the rank of a paused trial at its last rung.

        Args:
            number: number of a paused trial.

        Returns:
            The rank; None if the study has several objectives, which this index does not order.
        """
        if len(self._objectives) > 1:
            return None
        record = self._record_by_number[number]
        epoch = max(record.rung_results)
        measured = self._order(self._rungs, ("measured", epoch))
        reference = None if self._reference is None else self._reference.rung_results.get(epoch)
        value, _ = delta_m(record.rung_results[epoch], reference or {})
        return RungRank(epoch, measured.rank(number), len(measured), value)

    def _order(self, orders: _Orders, name: OrderName) -> _Order:
        orders.update(self._record_by_number, self._changes)
        return orders.by_name[name]

    def _delta_values(self, record: TrialRecord) -> dict[OrderName, float]:
        if record.state != "complete" or record.repeats is not None or self._reference is None:
            return {}
        value, _ = delta_m(record.results, self._reference.results)
        if value is None:
            return {}
        values: dict[OrderName, float] = {("complete", 0): value}
        return values if record.over_limits else values | {("within limits", 0): value}

    def _rung_values(self, record: TrialRecord) -> dict[OrderName, float]:
        if record.baseline is not None or record.repeats is not None:
            return {}
        if record.state == "interrupted":  # another trial continues it
            return {}
        values: dict[OrderName, float] = {}
        (objective,) = self._objectives
        for epoch, results in record.rung_results.items():
            reference = None if self._reference is None else self._reference.rung_results.get(epoch)
            gain = objective.gain(record, results, reference or {})
            values["measured", epoch] = gain
            if record.state == "paused" and epoch == max(record.rung_results):
                values["paused", epoch] = gain
        return values


class _Order:
    """Trials by descending value; of equal values the earlier trial first."""

    def __init__(self) -> None:
        self._keys: list[tuple[float, int]] = []
        self._value_by_number: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, number: int, value: float) -> None:
        insort(self._keys, (-value, number))
        self._value_by_number[number] = value

    def remove(self, number: int) -> None:
        del self._keys[self.rank(number) - 1]
        del self._value_by_number[number]

    def rank(self, number: int) -> int:
        return bisect_left(self._keys, (-self._value_by_number[number], number)) + 1

    def items(self) -> Iterable[tuple[int, float]]:
        return self._value_by_number.items()

    @property
    def first(self) -> tuple[int, float] | None:
        if not self._keys:
            return None
        number = self._keys[0][1]
        return number, self._value_by_number[number]


class _Orders:
    """Orders of trials, updated by the changes since they were last asked for."""

    def __init__(self, values_of: Callable[[TrialRecord], Mapping[OrderName, float]]) -> None:
        self._values_of = values_of
        self._names_by_number: dict[int, tuple[OrderName, ...]] = {}
        self._position = 0
        self.by_name: dict[OrderName, _Order] = defaultdict(_Order)

    def update(self, records: Mapping[int, TrialRecord], changes: Sequence[int]) -> None:
        for number in dict.fromkeys(changes[self._position :]):
            for name in self._names_by_number.pop(number, ()):
                self.by_name[name].remove(number)
            values = self._values_of(records[number])
            for name, value in values.items():
                self.by_name[name].add(number, value)
            if values:
                self._names_by_number[number] = tuple(values)
        self._position = len(changes)
