"""Time per decision of the default sampler by the number of trials.

Run ``python benchmarks/deciding.py``. A decision is what a search does between two trainings: it
proposes a plan, compares it with second seeds, and decides whether it is settled. Trees of 3, 4
and 5 tasks over 6 units, the first one shared, have 51, 561 and 7,556 plans. Trials have changes of
a formula with noise, in random order. If there are fewer plans than trainings, second seeds of all
plans are the rest, at most five seeds of each. ``median`` and ``maximum`` are milliseconds of
processor time of decisions after the first one, each after one more trial.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.files import atomic_write
from mtlsearch.plugin import Candidate
from mtlsearch.search import CandidateSpace, FunctionEvaluator, build_candidate_space
from mtlsearch.search.samplers import Observation, SharingGPSampler
from mtlsearch.search.space import Proposal, proposal_of, propose_baseline

NUM_UNITS, NOISE, MAX_SEEDS = 6, 2.0, 5


def make_space(num_tasks: int) -> CandidateSpace:
    """Build the space of trees that share the first unit."""
    tasks = tuple("abcdefgh"[:num_tasks])
    return build_candidate_space(
        TreeSpace(TreeSettings(first_shared=1)), FunctionEvaluator(lambda _: {}, tasks, NUM_UNITS)
    )


def make_observations(space: CandidateSpace, count: int) -> list[Observation]:
    """Return trials with second seeds, ``count`` trainings in total or a few more."""
    rng = np.random.default_rng(0)
    candidates = list(space.enumerate() or ())
    order = rng.permutation(len(candidates))
    proposals = [propose_baseline(space, "independent"), propose_baseline(space, "hard")]
    baseline_digests = {proposal.candidate.digest for proposal in proposals}
    proposals += [
        proposal_of(space, candidates[index])
        for index in order
        if candidates[index].digest not in baseline_digests
    ]
    proposals = proposals[: min(count, len(proposals) - 20)]  # some plans are left to propose
    num_seeds = min(MAX_SEEDS, -(-count // len(proposals))) - 1
    return [
        make_observation(space, proposal, number, num_seeds, rng)
        for number, proposal in enumerate(proposals)
    ]


def make_observation(
    space: CandidateSpace,
    proposal: Proposal,
    number: int,
    num_seeds: int,
    rng: np.random.Generator,
) -> Observation:
    """Return a trial whose changes follow from the sizes of the groups of each task."""
    true = true_changes(proposal.candidate)
    first, *others = (
        dict(
            zip(space.tasks, map(float, true + NOISE * rng.standard_normal(len(true))), strict=True)
        )
        for _ in range(1 + num_seeds)
    )
    return Observation(
        proposal,
        proposal.candidate.digest,
        first,
        number=number,
        second_seeds=tuple(others),
        num_second_seeds=num_seeds,
    )


def true_changes(candidate: Candidate) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return changes that are best with groups of two in early units."""
    rows = np.array(candidate.plan.rows)
    sizes = (rows[:, :, None] == rows[:, None, :]).sum(axis=2)
    benefits = np.array([0.0, 0.0, 2.0, 1.0, -1.0, -3.0])[np.minimum(sizes, 5)]
    return np.asarray((benefits * np.linspace(1.0, -0.5, len(rows))[:, None]).sum(axis=0))


def measure(num_tasks: int, count: int, decisions: int) -> dict[str, object]:
    """Measure the time per decision after some number of trainings."""
    space = make_space(num_tasks)
    sampler = SharingGPSampler.for_space(space)
    if sampler is None:
        raise SystemExit("the default sampler does not support this space")
    observations = make_observations(space, count)
    rng = np.random.default_rng(1)
    times = []
    for _ in range(decisions + 1):
        start = time.process_time()
        sampler.is_settled(observations)
        proposal = sampler.propose(observations, seed=0)
        sampler.second_seed(observations, proposal, MAX_SEEDS)
        times.append(1000.0 * (time.process_time() - start))
        if proposal is not None:
            new = make_observation(space, proposal, len(observations), 0, rng)
            observations = [*observations, new]
        else:
            observations = [replace(observations[0]), *observations[1:]]
    return {
        "tasks": num_tasks,
        "plans": len(space.enumerate() or ()),
        "trainings": sum(1 + item.num_second_seeds for item in observations) - decisions - 1,
        "trials": len(observations) - decisions - 1,
        "median_ms": round(statistics.median(times[1:]), 1),
        "maximum_ms": round(max(times[1:]), 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, nargs="+", default=[3, 4, 5])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--decisions", type=int, default=10, help="decisions of each size")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    options = parser.parse_args(arguments)
    rows = []
    for num_tasks in options.tasks:
        for count in options.trials:
            rows.append(measure(num_tasks, count, options.decisions))
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if options.out is not None:
        with atomic_write(options.out) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
