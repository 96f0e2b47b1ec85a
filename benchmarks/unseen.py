"""Plans that searches on a table name, judged by training seeds that the searches did not see.

``python benchmarks/unseen.py --table results/reference/leaves-plans.csv`` runs searches as
``mtlsearch search`` does, with the results of a table instead of trainings. Each seed of the
table judges in turn: it is hidden from the search, which sees the other ones. The first of these
is the seed of all trials, the others are its second seeds. Only plans with all seeds take part.

* ``hard``: the baseline.
* ``random``: the highest measured Δm of random plans, in as many trainings.
* ``default``: the best plan of the verdict, the highest expected Δm.
* ``recommended``: the plan that ``mtlsearch export`` takes.
* ``estimate``: the highest expected Δm of ``mtlsearch estimate``, for the price of 4 trainings.
* ``best known``: the highest mean of all plans over the seeds that do not judge.

``unseen`` is the Δm of the named plan with the hidden seed, against ``independent`` of that seed.
Its error is the standard error over the judging seeds, so it contains the noise of training.
``seen`` is the Δm by which the plan was named. ``vs random`` is the difference to ``random``.
``--markdown`` prints the rows as ``docs/does-it-work.md`` shows them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from statistics import fmean

import pandas as pd
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import SearchConfig
from mtlsearch.plan import SharingPlan
from mtlsearch.results import delta_m
from mtlsearch.results._seed_statistics import standard_error
from mtlsearch.search import (
    CandidateSpace,
    NullProgress,
    TableEvaluator,
    build_candidate_space,
    search,
    verdict_of,
)
from mtlsearch.search.estimate import rank_plans, train_for_estimate
from mtlsearch.search.evaluators._plan_table import TrainedPlan, read_table, trained_plans
from mtlsearch.study import StudyView, TrialStore

MIN_PLANS = 8
"""Plans that a seed must have to take part."""

NAMED = {
    "hard": "`hard`",
    "random": "random search: highest measured Δm",
    "default": "default search: best plan of the verdict",
    "recommended": "default search: recommended",
    "estimate": "`mtlsearch estimate`",
    "best known": "best mean of all plans over the other seeds",
}
"""Methods, and what the documentation calls them."""


@dataclass(frozen=True)
class Turn:
    """One hidden seed, and the others in one order.

    Attributes:
        judge: Δm in percent of each plan with the hidden seed.
        seen: results of each plan, by visible seed; the first one is that of all trials.
        flops: FLOPs of each plan relative to ``independent``.
        hidden: the hidden seed.
    """

    judge: dict[SharingPlan, float]
    seen: tuple[dict[SharingPlan, TrainedPlan], ...]
    flops: dict[SharingPlan, float]
    hidden: int

    def changes(self, index: int) -> dict[SharingPlan, float]:
        """Return Δm of each plan with a visible seed."""
        return delta_ms(self.seen[index])


@dataclass(frozen=True)
class Choice:
    """A plan that a method named.

    Attributes:
        method: one of ``NAMED``.
        plan: the plan.
        seen: Δm in percent by which it was named.
        trainings: number of trainings.
    """

    method: str
    plan: SharingPlan
    seen: float
    trainings: float


def delta_ms(trained: dict[SharingPlan, TrainedPlan]) -> dict[SharingPlan, float]:
    """Return Δm of each plan after its last epoch."""
    independent = next(plan for plan in trained if str(plan) == "independent")
    reference = trained[independent].results
    values = {plan: delta_m(result.results, reference)[0] for plan, result in trained.items()}
    return {plan: value for plan, value in values.items() if value is not None}


def turns(path: Path, setting: str | None) -> Iterator[Turn]:
    """Yield every hidden seed with every order of the others."""
    table = read_table(path, setting)
    by_seed = {int(seed): trained_plans(table, int(seed)) for seed in table["seed"].unique()}
    by_seed = {
        seed: plans for seed, plans in sorted(by_seed.items()) if len(plans) >= MIN_PLANS
    }  # baselines may have more seeds than plans
    if len(by_seed) < 2:
        raise SystemExit(f"{path}: fewer than two seeds have {MIN_PLANS} plans")
    common = set.intersection(*(set(plans) for plans in by_seed.values()))
    if missing := {"independent", "hard"} - {str(plan) for plan in common}:
        raise SystemExit(f"{path}: not trained with every seed: {', '.join(sorted(missing))}")
    by_seed = {
        seed: {plan: result for plan, result in plans.items() if plan in common}
        for seed, plans in by_seed.items()
    }
    print(f"{path.name}: {len(common)} plans with the seeds {', '.join(map(str, by_seed))}")
    for hidden in by_seed:
        judge = delta_ms(by_seed[hidden])
        cost = {plan: result.cost.flops for plan, result in by_seed[hidden].items()}
        reference = next(value for plan, value in cost.items() if str(plan) == "independent")
        flops = {plan: value / reference for plan, value in cost.items()}
        for order in permutations(seed for seed in by_seed if seed != hidden):
            yield Turn(judge, tuple(by_seed[seed] for seed in order), flops, hidden)


def make_space(turn: Turn, trials: int, sampler: str) -> tuple[CandidateSpace, TableEvaluator]:
    """Return the space of the plans of a turn, and the evaluator of its first seed."""
    evaluator = TableEvaluator(turn.seen[0])
    config = SearchConfig(trials=trials, sampler=sampler, max_seeds=len(turn.seen))
    space = build_candidate_space(
        TreeSpace(TreeSettings(first_shared=0)), evaluator, config, allowed_plans=evaluator.plans
    )
    return space, evaluator


def searched(turn: Turn, trials: int, seed: int, sampler: str) -> tuple[StudyView, float]:
    """Run a search; return its study and the number of its trainings."""
    space, evaluator = make_space(turn, trials, sampler)
    store = TrialStore.in_memory()
    outcome = search(
        space,
        evaluator,
        store,
        trials=trials,
        seed=seed,
        at_seed=lambda second: TableEvaluator(turn.seen[second - seed]),
    )
    return store.view(), outcome.num_finished


def choices(turn: Turn, trials: int, seed: int) -> Iterator[Choice]:
    """Yield the plan that each method names."""
    first = turn.changes(0)
    hard = next(plan for plan in first if str(plan) == "hard")
    yield Choice("hard", hard, first[hard], 0)
    view, count = searched(turn, trials, seed, "random")
    plan = max((record.candidate.plan for record in view.records), key=first.__getitem__)
    yield Choice("random", plan, first[plan], count)
    view, count = searched(turn, trials, seed, "auto")
    verdict = verdict_of(view)
    if verdict is None:
        raise SystemExit("the trials of a search allow no verdict")
    plan_by_number = {record.number: record.candidate.plan for record in view.records}
    for method, number in (("default", verdict.winner), ("recommended", verdict.recommended)):
        expected = verdict.expected_by_number[number].mean
        yield Choice(method, plan_by_number[number], expected, count)
    yield estimated(turn)
    means = {
        plan: fmean(turn.changes(index)[plan] for index in range(len(turn.seen))) for plan in first
    }
    best = max(means, key=means.__getitem__)
    yield Choice("best known", best, means[best], len(means) * len(turn.seen))


def estimated(turn: Turn) -> Choice:
    """Return the plan with the highest expected Δm of an estimate."""
    space, evaluator = make_space(turn, 16, "auto")
    store = TrialStore.in_memory()
    epochs = train_for_estimate(space, evaluator, store, progress=NullProgress())
    view = store.view()
    estimate = rank_plans(
        space, view, cost=evaluator.cost, epochs=epochs, full_epochs=evaluator.epochs
    )
    trained = sum(record.epochs for record in view.records) / evaluator.epochs
    return Choice("estimate", estimate.plans[0].plan, estimate.plans[0].mean, trained)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error over the judging seeds, by method."""
    lines = []
    random_by_seed = rows[rows["method"] == "random"].groupby("hidden")["unseen"].mean()
    for method in NAMED:
        group = rows[rows["method"] == method]
        by_seed = group.groupby("hidden")["unseen"].mean()
        lines.append(
            {
                "": method,
                "trainings": group["trainings"].mean(),
                "plans": group["plan"].nunique(),
                "seen": group["seen"].mean(),
                "unseen": by_seed.mean(),
                "error": standard_error(by_seed.tolist()),
                "vs random": (by_seed - random_by_seed).mean(),
                "its error": standard_error((by_seed - random_by_seed).tolist()),
                "FLOPs": group["flops"].mean(),
            }
        )
    return pd.DataFrame(lines)


def show_markdown(table: pd.DataFrame) -> None:
    """Print the methods as rows of Markdown."""
    print("| names a plan | trainings | seen | hidden seed | FLOPs relative to `independent` |")
    print("| --- | --: | --: | --: | --: |")
    for row in table.to_dict("records"):
        count = f"{row['trainings']:.0f}" if row["trainings"] else ""
        unseen = f"{row['unseen']:+.1f} ± {row['error']:.1f}"
        cells = [NAMED[row[""]], count, f"{row['seen']:+.1f}", unseen, f"{row['FLOPs']:.2f}"]
        print("| " + " | ".join(cells) + " |")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, required=True, help="table of trained plans")
    parser.add_argument("--setting", help="value of the table's column `setting`")
    parser.add_argument("--trials", type=int, default=16, help="trainings per search")
    parser.add_argument("--searches", type=int, default=50, help="searches per turn")
    parser.add_argument("--markdown", action="store_true", help="print rows of Markdown too")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser.parse_args()


def main() -> None:
    """Search, judge and print."""
    options = parse()
    rows = pd.DataFrame(
        {
            "method": choice.method,
            "hidden": turn.hidden,
            "plan": str(choice.plan),
            "trainings": choice.trainings,
            "seen": choice.seen,
            "unseen": turn.judge[choice.plan],
            "flops": turn.flops[choice.plan],
        }
        for turn in turns(options.table, options.setting)
        for seed in range(options.searches)
        for choice in choices(turn, options.trials, seed)
    )
    table = summarize(rows)
    print(table.to_string(index=False, float_format="%.2f"))
    if options.markdown:
        show_markdown(table)
    named = rows[rows["method"].isin(["default", "estimate", "best known"])]
    print(
        named.groupby("method")["plan"]
        .value_counts(normalize=True)
        .groupby("method")
        .head(4)
        .to_string(float_format="%.2f")
    )
    if options.out is not None:
        table.to_csv(options.out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
