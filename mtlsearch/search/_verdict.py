"""Verdict of a search: the best plan, what it gains and saves, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from scipy.special import ndtr

from mtlsearch.results import Baseline, Expectation, TrialRecord
from mtlsearch.search._surrogate import surrogate_of
from mtlsearch.search.samplers import (
    Array,
    ObservationHistory,
    SharingFeatures,
    SharingModel,
    SharingPosterior,
    complete_observations,
    features_of,
    surrogate_applies,
    usable_observations,
)
from mtlsearch.study import StudyView

SHOWN = 0.9
"""Probability from which a plan is shown to be better than another."""

FEW_TRAININGS = 5
"""Number of trainings up to which the best plan is more likely to change than not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a search found.

    Attributes:
        winner: number of the trial with the highest expected Δm within the limits.
        recommended: number of the trial to use: the winner if it is shown to beat the cheapest
            baseline within the limits, otherwise that baseline.
        measured: measured Δm of the winner in percent, of its first seed.
        expected_by_number: expected Δm by number of each complete trial whose Δm is defined.
        sentences: the verdict in two to four sentences, and one more after few trainings; that of
            a run also has one for each task that is shown to harm or help others.
        tied: numbers of the proposed trials within the limits than which the winner is not shown to
            be better, the highest expected Δm first.
    """

    winner: int
    recommended: int
    measured: float
    expected_by_number: Mapping[int, Expectation]
    sentences: tuple[str, ...]
    tied: tuple[int, ...] = ()

    @property
    def expected(self) -> Expectation:
        """Expected Δm of the winner."""
        return self.expected_by_number[self.winner]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def verdict_of(view: StudyView) -> Verdict | None:
    """Return the verdict of a study.

    The surrogate learns from all trainings: other plans, second seeds and paused trials. The
    highest measured Δm of many trials is too high by luck, the highest expected Δm is not.

    Args:
        view: the study.

    Returns:
        The verdict; None with a single task, before a trial besides ``independent`` is complete, if
        plans have different numbers of units, or if no complete trial is within the limits.
    """
    surrogate = surrogate_of(view)
    if surrogate is None:
        return None
    observations, posterior = surrogate
    complete = complete_observations(observations)
    feasible = [index for index, item in enumerate(complete) if not item.over_limits]
    if len(complete) < 2 or not feasible:
        return None
    features = features_of(complete)
    index_by_baseline = {
        item.proposal.baseline: index
        for index, item in enumerate(complete)
        if item.proposal.baseline is not None
    }
    independent = index_by_baseline["independent"]
    joint = _Joint.of(posterior, features, sorted(index_by_baseline.values()))
    expectations = [
        Expectation(
            joint.difference(index, independent),
            joint.deviation(index, independent),
            1 + len(item.second_seeds),
            joint.probability(index, independent),
            joint.probability(index, index_by_baseline.get("hard")),
        )
        for index, item in enumerate(complete)
    ]
    winner = max(feasible, key=lambda index: expectations[index].mean)
    record_by_number = {record.number: record for record in view.records}
    records = [record_by_number[item.number] for item in complete]
    cheapest = min(
        (index for index in index_by_baseline.values() if index in feasible),
        key=lambda index: records[index].flops,
        default=None,
    )
    probability = joint.probability(winner, cheapest)
    is_shown = probability is None or probability >= SHOWN
    of_winner = joint.with_column(posterior, features, winner)
    proposed = [index for index in feasible if index not in index_by_baseline.values()]
    tied = [
        index
        for index in sorted(proposed, key=lambda index: -expectations[index].mean)
        if (worse := of_winner.probability(index, winner)) is not None and worse > 1 - SHOWN
    ]
    recommended = winner if is_shown or cheapest is None else cheapest
    verdict = Verdict(
        winner=complete[winner].number,
        recommended=complete[recommended].number,
        measured=complete[winner].value or 0.0,
        expected_by_number=MappingProxyType(
            {item.number: expectations[index] for index, item in enumerate(complete)}
        ),
        sentences=(),
        tied=tuple(complete[index].number for index in tied),
    )
    cheapest_tied = min(
        (records[index] for index in tied), key=lambda record: record.flops, default=None
    )
    sentences = (
        *_sentences(verdict, records[winner], records[independent]),
        *_tie(verdict, cheapest_tied, records[winner], records[independent]),
        *_advice(joint, winner, recommended, records, independent),
    )
    num_trainings = sum(1 + len(item.second_seeds) for item in observations)
    if num_trainings <= FEW_TRAININGS:
        sentences = (*sentences, f"From {num_trainings} trainings: expect this to change.")
    return replace(verdict, sentences=sentences)


class BestExpected:
    """Comparison of a few trials by their expected Δm, updated by each trial that changes."""

    def __init__(self) -> None:
        self._history = ObservationHistory()
        self._model: SharingModel | None = None

    def of(self, view: StudyView, records: Sequence[TrialRecord]) -> int | None:
        """Return which of some trials has the highest expected Δm.

        Args:
            view: the study, from which the surrogate learns.
            records: the trials; those that are not complete are ignored.

        Returns:
            Trial number, that of the winner of the verdict if it is one of them; None if there is
            no verdict, or if no trial is within the limits.
        """
        observations = usable_observations(self._history.update(view.with_delta_m_only()))
        complete = complete_observations(observations)
        if len(complete) < 2 or not surrogate_applies(observations):
            return None
        items = self._history.of_numbers([record.number for record in records])
        named = [item for item in complete_observations(items) if not item.over_limits]
        if not named:
            return None
        if self._model is None:
            self._model = SharingModel(complete[0].proposal.candidate.trained_tasks)
        means = self._model.posterior(observations).mean(features_of(named))
        return named[int(means.argmax())].number


@dataclass(frozen=True, slots=True)
class _Joint:
    """Joint normal distribution of the Δm of trials, as far as they are compared with baselines.

    Attributes:
        means: ``[N]`` in percent.
        variances: ``[N]``.
        covariances: ``[N]`` covariances with a baseline, by the index of the baseline.
    """

    means: Array
    variances: Array
    covariances: Mapping[int, Array]

    @classmethod
    def of(
        cls, posterior: SharingPosterior, features: SharingFeatures, baselines: Sequence[int]
    ) -> _Joint:
        """Compute it, without the covariances of all pairs of trials."""
        columns = posterior.covariance(features, features[:, baselines])
        return cls(
            posterior.mean(features),
            posterior.variance(features),
            dict(zip(baselines, columns.T, strict=True)),
        )

    def with_column(
        self, posterior: SharingPosterior, features: SharingFeatures, index: int
    ) -> _Joint:
        """Return a distribution that also compares trials with another one."""
        if index in self.covariances:
            return self
        column = posterior.covariance(features, features[:, [index]])[:, 0]
        return replace(self, covariances={**self.covariances, index: column})

    def difference(self, left: int, right: int) -> float:
        return float(self.means[left] - self.means[right])

    def deviation(self, left: int, right: int) -> float:
        covariance = self.covariances[right][left]
        variance = self.variances[left] + self.variances[right] - 2 * covariance
        return math.sqrt(max(0.0, float(variance)))

    def probability(self, left: int, right: int | None) -> float | None:
        """Return the probability that one trial is better than another; None for itself."""
        if right is None or left == right:
            return None
        deviation = self.deviation(left, right)
        if deviation == 0.0:
            return 0.5
        return float(ndtr(self.difference(left, right) / deviation))


def _sentences(verdict: Verdict, winner: TrialRecord, independent: TrialRecord) -> tuple[str, ...]:
    """Return which plan is the best one, and how certainly it beats the baselines."""
    expected = verdict.expected
    seeds = "1 seed" if expected.num_seeds == 1 else f"{expected.num_seeds} seeds"
    name = _name(winner)
    if winner.baseline == "independent":
        first = f"Best plan: {name}. No other plan is expected to be better."
    else:
        first = (
            f"Best plan: {name}, {_saving(winner, independent)}: expected Δm "
            f"{expected.mean:+.2f} ± {expected.deviation:.2f} %, measured "
            f"{verdict.measured:+.2f} % ({seeds})."
        )
        if verdict.measured < 0 < expected.mean:
            first += " The loss measured is within the noise, given all other trainings."
    rivals: list[tuple[Baseline, float | None]] = [
        ("independent", expected.beats_independent),
        ("hard", expected.beats_hard),
    ]
    beaten = [
        f"{baseline} with probability {_percent(probability)}"
        for baseline, probability in rivals
        if probability is not None
    ]
    return (first, *([f"It beats {' and '.join(beaten)}."] if beaten else []))


def _tie(
    verdict: Verdict, cheapest: TrialRecord | None, winner: TrialRecord, independent: TrialRecord
) -> tuple[str, ...]:
    """Return that other plans may be as good as the winner, with the cheapest of them."""
    if cheapest is None:
        return ()
    least = f"trial {cheapest.number}, {_saving(cheapest, independent)}"
    if len(verdict.tied) == 1:
        return (f"It is not shown to be better than {least}.",)
    others = f"It is not shown to be better than {len(verdict.tied)} other plans"
    if cheapest.flops >= winner.flops:
        return (f"{others}.",)
    return (f"{others}, of which the cheapest is {least}.",)


def _advice(
    joint: _Joint,
    winner: int,
    recommended: int,
    records: Sequence[TrialRecord],
    independent: int,
) -> tuple[str, ...]:
    """Return which trial is recommended and by how little it is worse, unless it is the winner."""
    if recommended == winner:
        return ()
    difference, deviation = (
        joint.difference(winner, recommended),
        joint.deviation(winner, recommended),
    )
    record = records[recommended]
    return (
        f"The best plan is not shown to beat {record.baseline}, the cheapest baseline "
        f"({_saving(record, records[independent])}): it exceeds it by {difference:.2f} ± "
        f"{deviation:.2f} points. Trial {record.number} is recommended, and `best` names it.",
    )


def _name(record: TrialRecord) -> str:
    plan = record.baseline or record.plan
    return f"trial {record.number}, {plan}"


def _saving(record: TrialRecord, independent: TrialRecord) -> str:
    """Return FLOPs relative to ``independent``, such as ``40 % of the FLOPs of independent``.

    Of an extension, return how much larger it is than the network in use.
    """
    kept = record.kept
    if kept is not None and kept.flops and kept.parameters:
        flops, parameters = record.flops / kept.flops - 1, record.parameters / kept.parameters - 1
        return (
            f"{100 * flops:.0f} % more FLOPs and {100 * parameters:.0f} % more parameters than the "
            "network in use"
        )
    if not independent.flops:
        return "unknown FLOPs"
    return f"{100 * record.flops / independent.flops:.0f} % of the FLOPs of independent"


def _percent(probability: float) -> str:
    """Return a probability in percent, never 0 or 100."""
    if probability > 0.99:
        return "above 99 %"
    if probability < 0.01:
        return "below 1 %"
    return f"{100 * probability:.0f} %"
