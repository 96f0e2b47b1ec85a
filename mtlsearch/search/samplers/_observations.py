"""Observations: trials as samplers see them, and the selections that samplers ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from statistics import fmean
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mtlsearch.plugin import Candidate
from mtlsearch.search.space import Proposal

MAX_OBSERVATIONS = 150
"""Observations that the surrogate uses: half of them the first ones, half the best others."""


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


class Observations(Sequence[Observation]):
    """Observations by trial number, whose selections take no pass in Python over all of them.

    It does not change: a history of a study shares the columns of one with the next.

    Args:
        items: observations by trial number.
        columns: ``[n]`` one row per item, see :func:`columns_of`; None to compute them.
        digests: digests of their candidates; None to collect them when they are asked for.
    """

    def __init__(
        self,
        items: Iterable[Observation] = (),
        columns: NDArray[np.void] | None = None,
        digests: frozenset[str] | None = None,
    ) -> None:
        self.items = list(items)
        self.columns = columns_of(self.items) if columns is None else columns
        self._digests = digests

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the candidates."""
        if self._digests is None:
            self._digests = frozenset(item.digest for item in self.items)
        return self._digests

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> Observations:
        """Return observations with columns.

        Args:
            observations: any sequence of observations.

        Returns:
            The same object if it has columns.
        """
        return observations if isinstance(observations, cls) else cls(observations)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Observation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...

    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        return self.items[index]

    def where(self, mask: NDArray[np.bool_]) -> Observations:
        """Return a part of the observations.

        Args:
            mask: ``[n]`` whether each one is in the part.

        Returns:
            The part; the same object if it is everything.
        """
        if mask.all():
            return self
        return Observations(compress(self.items, mask.tolist()), self.columns[mask])

    def with_more(self, items: Sequence[Observation]) -> Observations:
        """Return these observations and more.

        Args:
            items: further observations.

        Returns:
            All of them.
        """
        columns = np.concatenate([self.columns, columns_of(items)])
        return Observations([*self.items, *items], columns)


_COLUMNS = np.dtype(
    [
        ("value", np.float64),
        ("shape", np.int64),
        ("is_usable", np.bool_),
        ("is_complete", np.bool_),
        ("is_baseline", np.bool_),
        ("is_pending", np.bool_),
        ("is_over_limits", np.bool_),
    ]
)


def columns_of(items: Sequence[Observation]) -> NDArray[np.void]:
    """Return what selections compare.

    Args:
        items: n observations.

    Returns:
        ``[n]`` Δm, NaN without changes; the shape of the network; and whether an observation has
        changes, is complete, is a baseline, is pending and is over the limits.
    """
    rows = [
        (
            np.nan if item.changes is None else item.value,
            _shape_of(item.proposal.candidate),
            item.changes is not None,
            item.changes is not None and item.extra_variances is None,
            item.proposal.baseline is not None,
            item.is_pending,
            item.over_limits,
        )
        for item in items
    ]
    return np.array(rows, dtype=_COLUMNS)


def _shape_of(candidate: Candidate) -> int:
    """Return a number that is equal for candidates which one surrogate compares."""
    plan = candidate.plan
    return hash((len(plan.tasks), len(plan.rows), candidate.backbone, plan.has_skips))


def usable_observations(observations: Sequence[Observation]) -> Observations:
    """Return the trials with changes.

    Args:
        observations: all trials.

    Returns:
        Complete and paused trials, by number.
    """
    table = Observations.of(observations)
    return table.where(table.columns["is_usable"])


def complete_observations(observations: Sequence[Observation]) -> Observations:
    """Return the trials that are trained in full.

    Args:
        observations: all trials.

    Returns:
        Those with changes that are not paused, by number.
    """
    table = Observations.of(observations)
    return table.where(table.columns["is_complete"])


def pending_observations(observations: Sequence[Observation]) -> Observations:
    """Return the trials that other workers train.

    Args:
        observations: all trials.

    Returns:
        Those without changes yet, by number.
    """
    table = Observations.of(observations)
    return table.where(table.columns["is_pending"])


def within_limits(observations: Sequence[Observation]) -> Observations:
    """Return the trials within the limits; all trials if none is.

    Args:
        observations: trials.

    Returns:
        At least one trial if there is one.
    """
    table = Observations.of(observations)
    is_within = ~table.columns["is_over_limits"]
    return table.where(is_within) if is_within.any() else table


def select_observations(observations: Sequence[Observation]) -> list[Observation]:
    """Return the first trials and the best later ones.

    Args:
        observations: trials with changes.

    Returns:
        At most :data:`MAX_OBSERVATIONS` trials, by number.
    """
    table = Observations.of(observations)
    if len(table) <= MAX_OBSERVATIONS:
        return list(table.items)
    half = MAX_OBSERVATIONS // 2
    values = table.columns["value"][half:]
    best_later = half + _largest(values, MAX_OBSERVATIONS - half)
    return [table.items[index] for index in (*range(half), *best_later.tolist())]


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the ascending indices of the largest values; of equal ones, the first."""
    lowest = -np.partition(-values, count - 1)[count - 1]
    above, equal = np.flatnonzero(values > lowest), np.flatnonzero(values == lowest)
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))


def surrogate_applies(observations: Sequence[Observation]) -> bool:
    """Return whether plans have the same units, all used, and two or more tasks.

    The model has no feature for skipped units: plans that skip many would look like ``hard``.

    Args:
        observations: at least one trial.

    Returns:
        True if the surrogate applies to all of them.
    """
    table = Observations.of(observations)
    plan, shapes = table[0].proposal.candidate.plan, table.columns["shape"]
    return len(plan.tasks) > 1 and not plan.has_skips and bool((shapes == shapes[0]).all())


def measured_digests(observations: Sequence[Observation]) -> frozenset[str]:
    """Return the digests of the candidates that are not proposed again."""
    return Observations.of(observations).digests
