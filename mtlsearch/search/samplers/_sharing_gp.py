"""Sharing GP sampler: compares all plans of an enumerable space before each trial.

The run file selects it by ``auto``. The sampler ``gp`` is Optuna's ``GPSampler``, which models
the params of the space instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter, is_

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.search.samplers._gp_surrogate import (
    Array,
    SharingFeatures,
    SharingPosterior,
    TaskParams,
    TrainingRows,
    fit_tasks,
    sharing_features,
)
from mtlsearch.search.samplers._observations import (
    Observation,
    Observations,
    complete_observations,
    measured_digests,
    pending_observations,
    select_observations,
    surrogate_applies,
    usable_observations,
    within_limits,
)
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of

N_STARTUP = 1
"""Random proposals after the baselines, before the surrogate is used."""

NUM_REPEATABLE = 6
"""Best trials of which a second seed is considered, besides both baselines."""

NUM_NODES = 15
"""Nodes of the Gauss-Hermite quadrature of the knowledge gradient."""

NUM_HOPEFUL, NUM_DRAWS = 64, 256
"""Candidates and draws by which the expected regret is estimated."""

MAX_EXPECTED_REGRET = 0.03
"""Expected regret in percent of Δm below which a search is settled."""

MIN_SETTLED = 10
"""Complete trials before a search can be settled."""

MIN_EXTRA_VARIANCE = 1e-6
"""Noise variance, in percent squared, by which an expected result differs from a measured one."""

DEVIATION_FACTOR = 2.0
"""Factor of the standard deviations by which plans are proposed, and the search is settled.

The surrogate of each task is independent of the others. In fact a group of tasks is better or worse
than expected for most of them, so that errors of Δm are larger than those of independent tasks.
"""

REFITS = (*range(2, 33), 40, 48, 64)
"""Numbers of trainings at which the hyperparameters are fitted, to the first ones."""


class SharingGPSampler:
    """Gaussian-process sampler over the sharing features of plans.

    It proposes the plan with the largest expected improvement of Δm over the plan of the highest
    posterior mean. The best measurement would be too high, by luck.

    Args:
        space: the candidate space.
        candidates: all candidates of the space: trees with the same number of units, each once.
    """

    def __init__(self, space: CandidateSpace, candidates: Sequence[Candidate]) -> None:
        self._space = space
        self._candidates = candidates
        self._index_by_digest = {
            candidate.digest: index for index, candidate in enumerate(candidates)
        }
        self._features = candidate_features(candidates)
        # Many plans have equal features of a task. The posterior is computed once for each.
        unique = [np.unique(of_task, axis=0, return_inverse=True) for of_task in self._features]
        self._unique_features: list[SharingFeatures] = [rows for rows, _ in unique]
        self._unique_index = [inverse.reshape(-1) for _, inverse in unique]
        self.model = SharingModel(space.tasks)
        self._last_differences: tuple[SharingPosterior, SharingFeatures, Array, Array] | None = None

    @classmethod
    def for_space(cls, space: CandidateSpace) -> SharingGPSampler | None:
        """Create a sampler if the candidates are enumerable trees that differ in the plan only.

        Args:
            space: the candidate space.

        Returns:
            The sampler; None for other spaces and for a single task.
        """
        candidates = space.enumerate()
        if not candidates or len(candidates[0].plan.tasks) < 2 or len(space.backbones) > 1:
            return None
        plans = {(candidate.plan, str(candidate)) for candidate in candidates}
        # Of a kept network, the paths that new tasks follow may be any.
        is_modeled = attrgetter("is_tree") if space.kept_plan is None else _has_no_skips
        if len(plans) < len(candidates) or not all(is_modeled(plan) for plan, _ in plans):
            return None
        return cls(space, candidates)

    def propose(self, observations: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        is_free = np.ones(len(self._candidates), dtype=bool)
        is_free[self._indices_of(observations)] = False
        if not is_free.any():
            return None
        rng = np.random.default_rng([seed, len(observations)])
        # Random numbers order candidates with equal expected improvement.
        scores = rng.random(len(is_free))
        usable, pending = usable_observations(observations), pending_observations(observations)
        num_proposed = int((~usable.columns["is_baseline"]).sum())
        if num_proposed >= N_STARTUP:
            improvement = self.log_expected_improvement(self.model.with_expected(usable, pending))
            is_best = improvement >= improvement[is_free].max() - 1e-9
            scores = np.where(is_best, scores, -1.0)
        scores[~is_free] = -2.0
        return proposal_of(self._space, self._candidates[int(scores.argmax())])

    def log_expected_improvement(self, observations: Sequence[Observation]) -> Array:
        """Compute the log expected improvement of Δm of every candidate.

        Args:
            observations: trials with changes.

        Returns:
            ``[N]`` log of the expected improvement over the highest posterior mean of the trials
            within the limits.
        """
        posterior = self.model.posterior(observations)
        named = features_of(select_observations(within_limits(observations)))
        mean, deviation = self._differences(posterior, named)
        return np.asarray(np.log(deviation) + log_improvement(mean / deviation))

    def second_seed(
        self, observations: Sequence[Observation], proposal: Proposal | None, max_seeds: int
    ) -> Observation | None:
        """Return the trial whose second seed is worth more than a new trial.

        The value of a second seed is its knowledge gradient (Frazier et al. 2009): how much it is
        expected to raise the highest posterior mean, which is the plan that a search names. The
        value of a new plan is its expected improvement, since other trainings follow from it.

        Args:
            observations: all trials, as for :meth:`propose`.
            proposal: what :meth:`propose` returned.
            max_seeds: maximum number of trainings per candidate.

        Returns:
            One of the best trials or a baseline; None if the proposal is worth more.
        """
        complete = complete_observations(observations)
        named = select_observations(within_limits(complete))
        if len(complete) <= 2 + N_STARTUP:
            return None
        posterior = self.model.posterior(usable_observations(observations))
        means = posterior.mean(features_of(named))
        ranked = [named[int(index)] for index in np.argsort(-means, kind="stable")]
        baselines = complete.where(complete.columns["is_baseline"])
        chosen: dict[str, Observation] = {
            item.digest: item for item in (*ranked[:NUM_REPEATABLE], *baselines)
        }
        options = [
            item
            for item in chosen.values()
            if item.num_second_seeds + 1 < max_seeds and not item.is_repeating
        ]
        if not options:
            return None
        values = knowledge_gradient(posterior, features_of(options), features_of(named))
        best = int(values.argmax())
        if proposal is not None:
            mean, deviation = self._differences(posterior, features_of(named))
            index = self._index_by_digest[proposal.candidate.digest]
            score = mean[index] / deviation[index]
            if values[best] <= float(deviation[index] * np.exp(log_improvement(score))):
                return None
        return options[best]

    def is_settled(self, observations: Sequence[Observation]) -> bool:
        """Return whether further trainings would hardly change the named plan.

        Args:
            observations: all trials, as for :meth:`propose`.

        Returns:
            True if the expected regret is at most :data:`MAX_EXPECTED_REGRET`.
        """
        return self.expected_regret(observations) <= MAX_EXPECTED_REGRET

    def expected_regret(self, observations: Sequence[Observation]) -> float:
        """Return how much the best plan of the space is expected to exceed the named one.

        Args:
            observations: all trials, as for :meth:`propose`.

        Returns:
            The expected difference of Δm in percent; infinity before enough trials.
        """
        named = select_observations(within_limits(complete_observations(observations)))
        if len(named) < MIN_SETTLED:
            return float("inf")
        posterior = self.model.posterior(usable_observations(observations))
        features = features_of(named)
        winner = features[:, [int(posterior.mean(features).argmax())]]
        mean, deviation = self._differences(posterior, features)
        hopeful = np.argsort(-(mean + deviation), kind="stable")
        hopeful = hopeful[self._can_be_named(observations)[hopeful]][:NUM_HOPEFUL]
        compared = np.concatenate([winner, self._features[:, hopeful]], axis=1)
        covariance = DEVIATION_FACTOR**2 * posterior.covariance(compared, compared)
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        root = eigenvectors * np.sqrt(np.maximum(eigenvalues, 0.0))
        draws = np.random.default_rng(0).standard_normal((NUM_DRAWS, len(root))) @ root.T
        values = posterior.mean(compared) + draws
        return float((values.max(axis=1) - values[:, 0]).mean())

    def _can_be_named(self, observations: Sequence[Observation]) -> NDArray[np.bool_]:
        """Return which candidates are not known to fail or to exceed a limit, ``[N]``."""
        table = Observations.of(observations)
        columns = table.columns
        is_without_result = ~(columns["is_usable"] | columns["is_pending"])
        excluded = table.where(columns["is_over_limits"] | is_without_result)
        result = np.ones(len(self._candidates), dtype=bool)
        result[self._indices_of(excluded)] = False
        return result

    def _differences(
        self, posterior: SharingPosterior, named: SharingFeatures
    ) -> tuple[Array, Array]:
        """Return mean and deviation of Δm of every candidate minus that of the best named plan."""
        best = int(posterior.mean(named).argmax())
        winner = named[:, [best]]
        last = self._last_differences
        if last is not None and last[0] is posterior and np.array_equal(last[1], winner):
            return last[2:]
        mean, variance = np.zeros(len(self._candidates)), np.zeros(len(self._candidates))
        for task, features in enumerate(self._unique_features):
            task_mean, task_variance = posterior.differences(task, features, winner[task])
            index = self._unique_index[task]
            mean += task_mean[index]
            variance += task_variance[index]
        num_tasks = len(self._unique_features)
        deviation = DEVIATION_FACTOR * np.sqrt(variance) / num_tasks
        self._last_differences = (posterior, winner, mean / num_tasks, deviation)
        return self._last_differences[2:]

    def _indices_of(self, observations: Sequence[Observation]) -> list[int]:
        indices = map(self._index_by_digest.get, measured_digests(observations))
        return [index for index in indices if index is not None]


class SharingModel:
    """Surrogate of a study: hyperparameters and posterior, the same ones after a resume.

    Args:
        tasks: task names, sorted.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self._tasks = tasks
        self._params: dict[bytes, tuple[TaskParams, ...]] = {}
        self._last: tuple[list[Observation], SharingPosterior] | None = None

    def posterior(self, observations: Sequence[Observation]) -> SharingPosterior:
        """Fit the hyperparameters to the first trainings and condition on the selected ones.

        Args:
            observations: trials with changes.

        Returns:
            The posterior of Δm.
        """
        selected = select_observations(observations)
        # Each decision asks several times. Trials are compared by identity, and kept alive.
        if self._last is not None and _are_same(self._last[0], selected):
            return self._last[1]
        rows = training_rows(selected, self._tasks)
        num_rows = rows.changes.shape[0]
        count = max((count for count in REFITS if count <= num_rows), default=num_rows)
        params = self._fit(rows.first(count))
        posterior = SharingPosterior.condition(rows, params, merge=True)
        self._last = (selected, posterior)
        return posterior

    def with_expected(
        self, observations: Sequence[Observation], pending: Sequence[Observation]
    ) -> Observations:
        """Add candidates that other workers train, with the changes that the model expects.

        Then the model is as certain about their plans as after the trainings, and expects less
        improvement from similar plans.

        Args:
            observations: trials with changes.
            pending: trials without changes yet.

        Returns:
            ``observations`` and the pending trials.
        """
        if not pending:
            return Observations.of(observations)
        posterior, features = self.posterior(observations), features_of(pending)
        means = {
            task: posterior.moments(index, features[index])[0]
            for index, task in enumerate(self._tasks)
        }
        expected = [
            replace(
                item,
                changes={task: float(values[index]) for task, values in means.items()},
                # Hyperparameters are fitted to complete trainings only.
                extra_variances=dict.fromkeys(self._tasks, MIN_EXTRA_VARIANCE),
            )
            for index, item in enumerate(pending)
        ]
        return Observations.of(observations).with_more(expected)

    def _fit(self, rows: TrainingRows) -> tuple[TaskParams, ...]:
        key = rows.features.tobytes() + rows.changes.tobytes() + rows.min_deviations.tobytes()
        if key not in self._params:
            self._params = {key: fit_tasks(rows)}
        return self._params[key]


def leader(
    observations: Sequence[Observation], model: SharingModel
) -> tuple[int, float, tuple[float, float]] | None:
    """Return the trial of the highest expected Δm so far, for the progress of a search.

    It is the winner of the verdict, of which nothing else is computed. Of many trials, only
    those that the surrogate uses are compared.

    Args:
        observations: all trials of the study.
        model: the surrogate of the search, which keeps its last posterior.

    Returns:
        Its number, its measured Δm in percent, and mean and standard deviation of its expected Δm;
        None where the verdict is None.
    """
    usable = usable_observations(observations)
    complete = complete_observations(usable)
    baselines = complete.where(complete.columns["is_baseline"])
    independent = [item for item in baselines if item.proposal.baseline == "independent"]
    named = [item for item in select_observations(complete) if not item.over_limits]
    if len(complete) < 2 or not named or not independent or not surrogate_applies(usable):
        return None
    posterior = model.posterior(usable)
    best = named[int(posterior.mean(features_of(named)).argmax())]
    features = features_of([best, independent[0]])
    mean, covariance = posterior.mean(features), posterior.covariance(features, features)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    expected = float(mean[0] - mean[1]), math.sqrt(max(0.0, float(variance)))
    return best.number, best.value or 0.0, expected


def _has_no_skips(plan: SharingPlan) -> bool:
    return not plan.has_skips


def _are_same(left: Sequence[Observation], right: Sequence[Observation]) -> bool:
    return len(left) == len(right) and all(map(is_, left, right))


def training_rows(observations: Sequence[Observation], tasks: Sequence[str]) -> TrainingRows:
    """Return all trainings of some trials, second seeds after the first one.

    Args:
        observations: trials with changes.
        tasks: task names, sorted.

    Returns:
        The trainings.
    """
    trainings = [
        (observation, changes, observation.extra_variances if changes is first else None)
        for observation in observations
        if (first := observation.changes) is not None
        for changes in (first, *observation.second_seeds)
    ]
    errors = [
        [observation.errors[task] for observation in observations if task in observation.errors]
        for task in tasks
    ]
    return TrainingRows(
        features=features_of([observation for observation, _, _ in trainings]),
        changes=np.array([[changes[task] for task in tasks] for _, changes, _ in trainings]),
        extra_variances=np.array(
            [[(extra or {}).get(task, 0.0) for task in tasks] for _, _, extra in trainings]
        ),
        # The error of a change contains that of the reference, which is half of its variance.
        min_deviations=np.array(
            [float(np.median(of_task)) / 2**0.5 if of_task else 0.0 for of_task in errors]
        ),
    )


def knowledge_gradient(
    posterior: SharingPosterior, features: SharingFeatures, named: SharingFeatures
) -> Array:
    """Compute how much one training of each plan raises the highest posterior mean.

    Args:
        posterior: the posterior of Δm.
        features: ``[T, A, U]`` features of the plans to train.
        named: ``[T, B, U]`` features of the plans that can be named.

    Returns:
        ``[A]`` expected increase in percent.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NUM_NODES)
    scale = DEVIATION_FACTOR**2
    variances = scale * np.maximum(posterior.covariance(features, features).diagonal(), 0.0)
    slopes = scale * posterior.covariance(features, named)
    slopes = slopes / np.sqrt(variances + posterior.noise_variance)[:, None]
    means, values = posterior.mean(named), np.zeros(features.shape[1])
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        values += weight * (means + slopes * node).max(axis=1)
    return np.asarray(values - means.max(), dtype=float)


def features_of(observations: Sequence[Observation]) -> SharingFeatures:
    """Return the sharing features of the plans of some trials.

    Args:
        observations: n trials of T tasks.

    Returns:
        ``[T, n, U]`` features, see :func:`candidate_features`.
    """
    return candidate_features([observation.proposal.candidate for observation in observations])


def candidate_features(candidates: Sequence[Candidate]) -> SharingFeatures:
    """Return the sharing features of the trained tasks of some candidates.

    A unit that a new task uses alone also has its origin as a feature: a further index behind those
    of the tasks. So a copy of a kept unit resembles the kept unit more than one that starts from
    the weights of the backbone.

    Args:
        candidates: n candidates with the same tasks.

    Returns:
        ``[T, n, U]`` features of the T trained tasks, see :func:`sharing_features`.
    """
    features = sharing_features([candidate.plan for candidate in candidates])
    tasks, trained = candidates[0].plan.tasks, candidates[0].trained_tasks
    if trained == tasks:
        return features
    features = features[[tasks.index(task) for task in trained]]
    is_kept = sum(1 << index for index, task in enumerate(tasks) if task not in trained)
    for row, task in enumerate(trained):
        for column, candidate in enumerate(candidates):
            origin = (candidate.origins or {}).get(task)
            if origin is not None:
                is_copy = (features[row, column] & is_kept) == 0
                features[row, column, is_copy] |= 1 << (len(tasks) + tasks.index(origin))
    return features


def log_improvement(score: Array) -> Array:
    """Compute ``log E[max(0, z + score)]`` of a standard normal ``z``, accurate far below 0.

    Args:
        score: standardized differences to the best value.

    Returns:
        Array of the same shape.
    """
    positive, negative = np.maximum(score, 0.0), np.minimum(score, 0.0)
    log_density = -0.5 * np.log(2.0 * np.pi) - 0.5 * score**2
    above = np.log(np.exp(-0.5 * positive**2) / np.sqrt(2.0 * np.pi) + positive * ndtr(positive))
    # Dividing by the density keeps the difference of two nearly equal terms accurate. Below
    # -1e5 it is not, and the density alone determines the result.
    clipped = np.maximum(negative, -1e5)
    below = log_density + np.log1p(clipped * np.sqrt(np.pi / 2.0) * erfcx(-clipped / np.sqrt(2.0)))
    return np.asarray(np.where(score > 0.0, above, below))
