"""Tables of trained plans: train every tree plan of three tasks over six units.

``python benchmarks/table.py --out results/reference/scenes-plans.csv`` trains the 51 plans
that share the first unit, and ``independent``, on generated scenes at two settings of task
relatedness. Then it trains the best 20 plans of each setting with a second seed. The table has
one row per setting, plan, seed and epoch. ``docs/python-api.md`` describes the columns, and
``benchmarks/replay.py --table`` replays searches on it.

With ``--run RUN.yaml``, the plans for the tasks and the backbone of that run file are trained
instead. ``--set`` changes its values as in ``mtlsearch search``. The setting is the file name.

With ``--draw N``, N plans drawn at random and both baselines are trained with every seed, and the
baselines with ``--baseline-seeds`` seeds. ``--draw-apart N`` adds N plans drawn among those that
do not share the first unit. No plan is chosen by its result, so the spread of plans and the noise
of seeds are unbiased within each of the two draws.

The benchmark can be interrupted and resumes with the same command. The rows of a plan are
written at once when it is trained, and plans in the table are not trained again. The table does
not contain the training settings, so use one command per table.

To use several processes or machines, start ``--shard 0/4 --out part0.csv`` and so on, then
``--merge part*.csv --out all.csv``, which computes Δm. Further seeds need all plans of the
first seed, so repeat both steps from copies of ``all.csv``.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from mtlsearch.config import LoadedRun, RunConfig, load_run
from mtlsearch.errors import TrainingError
from mtlsearch.files import atomic_write
from mtlsearch.models import cut_backbone
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.registry import build_registry
from mtlsearch.results import TaskResult, delta_m
from mtlsearch.runs import Session, open_session
from mtlsearch.search import NullProgress, plan_code
from mtlsearch.search.evaluators._plan_table import NOT_COUNTED, metrics_by_task
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

FIRST_SHARED = 1
IMAGE_SEED = 1000
"""Seed of the images, equal for all training seeds."""

KEYS = ["setting", "plan", "seed", "epoch"]
Row = dict[str, object]


@dataclass
class EpochRecorder(NullProgress):
    """Callbacks that record the metrics and the elapsed seconds of each epoch.

    Attributes:
        clock: returns seconds. On a CPU this is processor time, which excludes other programs.
        start: value of the clock at the start of training.
        epochs: elapsed seconds and metrics of each epoch.
    """

    clock: Callable[[], float]
    start: float = 0.0
    epochs: list[tuple[float, Mapping[str, Mapping[str, float]]]] = field(default_factory=list)

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Record an epoch."""
        self.epochs.append((self.clock() - self.start, metrics))


def loaders_by_setting(options: argparse.Namespace) -> dict[str, Callable[[int], LoadedRun]]:
    """Return functions that load the run of a training seed, by setting."""
    if options.run is None:
        return {
            f"relatedness={relatedness:g}": partial(make_scenes, options, relatedness)
            for relatedness in options.relatedness
        }
    return {options.run.stem: partial(load_run_file, options)}


def load_run_file(options: argparse.Namespace, seed: int) -> LoadedRun:
    """Load the run file of the option ``--run`` with a seed."""
    overrides = [f"train.epochs={options.epochs}", *options.set, f"seed={seed}"]
    return load_run(options.run, overrides, env=os.environ, plugins=options.plugins)


def make_scenes(options: argparse.Namespace, relatedness: float, seed: int) -> LoadedRun:
    """Create a run on generated scenes, similar to ``examples/scenes.yaml``."""
    source = {
        "kind": "scenes",
        "train": options.train,
        "val": options.val,
        "image_size": options.size,
        "relatedness": relatedness,
        "seed_offset": IMAGE_SEED - seed,  # equal images for all training seeds
    }
    augment = {"crop": None, "flip": 0.5, "jitter": 0.1}
    return LoadedRun(
        RunConfig.model_validate(
            {
                "seed": seed,
                "data": {"sources": source, "image_size": options.size, "augment": augment},
                "tasks": {
                    "scene": {"kind": "classification"},
                    "objects": {"kind": "detection"},
                    "shapes": {"kind": "segmentation"},
                },
                "backbone": {"name": options.backbone, "granularity": options.units},
                "train": {
                    "epochs": options.epochs,
                    "batch_size": options.batch,
                    "learning_rate": options.learning_rate,
                },
                "search": {"space": {"kind": "tree", "first_shared": FIRST_SHARED}},
            }
        )
    )


def train_plan(session: Session, plan: SharingPlan) -> list[Row]:
    """Train a plan; return one row per epoch, without setting, seed and Δm."""
    evaluator, candidate = session.evaluator, Candidate(plan)
    cost = evaluator.cost(candidate)
    clock = time.process_time if evaluator.device.type == "cpu" else time.perf_counter
    recorder = EpochRecorder(clock, start=clock())
    evaluator.measure(0, candidate, recorder)
    direction = {
        (name, metric.name): ("max" if metric.higher_is_better else "min")
        + ("" if metric.in_delta_m else NOT_COUNTED)
        for name, task in evaluator.task_by_name.items()
        for metric in task.metrics
    }
    return [
        {
            "plan": plan_code(plan),
            "epoch": epoch,
            **{
                f"{task}.{name}:{direction[task, name]}": value
                for task in sorted(metrics)
                for name, value in metrics[task].items()
                if (task, name) in direction
            },
            "parameters": cost.parameters,
            "flops": cost.flops,
            "seconds": round(seconds, 2),
        }
        for epoch, (seconds, metrics) in enumerate(recorder.epochs, start=1)
    ]


def with_delta_m(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add Δm against ``independent`` of the same setting, seed and epoch."""
    metrics = metrics_by_task(rows)
    units = str(rows["plan"].iloc[0]).split()
    independent = " ".join("".join(map(str, range(len(units[0])))) for _ in units)
    all_rows = pd.concat([table, rows]) if len(table) else rows
    references = {
        (row["setting"], row["seed"], row["epoch"]): results_of(row, metrics)
        for row in all_rows[all_rows["plan"] == independent].to_dict("records")
    }
    values = [
        delta_m(
            results_of(row, metrics),
            references.get((row["setting"], row["seed"], row["epoch"]), {}),
        )[0]
        for row in rows.to_dict("records")
    ]
    result = rows.drop(columns="delta_m", errors="ignore")
    result.insert(
        result.columns.get_loc("parameters"), "delta_m", pd.Series(values, rows.index, dtype=float)
    )
    return result


def results_of(
    row: Mapping[str, object], metrics: Mapping[str, Mapping[str, Metric]]
) -> dict[str, TaskResult]:
    """Return the results in a row, by task."""
    return {
        task: TaskResult(
            {metric.name: float(row[column]) for column, metric in metric_by_column.items()},
            tuple(metric_by_column.values()),
        )
        for task, metric_by_column in metrics.items()
    }


def read(path: Path, epochs: int) -> pd.DataFrame:
    """Read the complete plans; remove rows of a plan whose writing was interrupted."""
    if not path.is_file():
        return pd.DataFrame(columns=KEYS)
    content = path.read_bytes()
    complete_lines = content[: content.rfind(b"\n") + 1]
    if complete_lines != content:
        with path.open("r+b") as file:
            file.truncate(len(complete_lines))
    table = pd.read_csv(path, dtype={"plan": str, "setting": str})
    counts = table.groupby(KEYS[:3])["epoch"].transform("size")
    if (counts < epochs).any():
        write(table[counts >= epochs], path)
    return table[counts >= epochs]


def write(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV."""
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")


def append(rows: pd.DataFrame, path: Path) -> None:
    """Append the rows of a plan in one write, with the columns that the table already has."""
    if path.exists():
        rows = rows.reindex(columns=list(pd.read_csv(path, nrows=0).columns))
    text = rows.to_csv(index=False, header=not path.exists(), float_format="%.6g")
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def plans_by_seed(
    setting: str, plans: Sequence[SharingPlan], options: argparse.Namespace
) -> Iterator[tuple[int, list[SharingPlan]]]:
    """Yield each seed with the plans of the shard to train.

    Without ``--draw``, seed 0 trains all plans. Further seeds train the best plans and ``hard``;
    they start when the table has all plans of seed 0. Only the first shard trains
    ``independent``.
    """
    shard, num_shards = options.shard
    independent = plans[:1] if shard == 0 else []
    if options.draw:
        hard = [plan for plan in plans if str(plan) == "hard"]
        others = [plan for plan in plans[1:] if plan not in hard]
        drawn = [*hard, *random.Random(0).sample(others, options.draw)]
        if options.draw_apart:
            drawn += random.Random(0).sample(list_plans_apart(plans[0]), options.draw_apart)
        for seed in range(max(options.seeds, options.baseline_seeds)):
            chosen = drawn if seed < options.seeds else hard
            yield seed, [*independent, *chosen[shard::num_shards]]
        return
    yield 0, [*independent, *plans[1:][shard::num_shards]]
    table = read(options.out, options.epochs)
    if not len(table):
        return
    rows = table[(table["setting"] == setting) & (table["seed"] == 0)]
    last = rows[rows["epoch"] == options.epochs].set_index("plan")["delta_m"]
    if set(last.index) < {plan_code(plan) for plan in plans}:
        return
    best = list(last.sort_values(ascending=False).index[: options.top])
    repeated = [plan for plan in plans[1:] if plan_code(plan) in best or str(plan) == "hard"]
    for seed in range(1, options.seeds):
        yield seed, [*independent, *repeated[shard::num_shards]]


def fill_table(options: argparse.Namespace, device: torch.device) -> None:
    """Train the plans that are not in the table, at most ``--limit`` of them."""
    registry = build_registry(options.plugins)
    num_trained = 0
    for setting, load in loaders_by_setting(options).items():
        plans = list_plans(load(0))
        for seed, chosen in plans_by_seed(setting, plans, options):
            table = read(options.out, options.epochs)
            trained = set(map(tuple, table[KEYS[:3]].to_numpy()))
            missing = [plan for plan in chosen if (setting, plan_code(plan), seed) not in trained]
            if not missing or num_trained >= options.limit:
                continue
            with tempfile.TemporaryDirectory() as folder:
                session = open_session(
                    registry.resolve(load(seed)),
                    RunDirectory(Path(folder)),
                    device=device,
                    progress=NullProgress(),
                    check=False,
                )
                for plan in missing[: options.limit - num_trained]:
                    num_trained += 1
                    train_and_append(session, plan, setting, seed, options)


def train_and_append(
    session: Session, plan: SharingPlan, setting: str, seed: int, options: argparse.Namespace
) -> None:
    """Train a plan, append its rows and print its result."""
    try:
        rows = pd.DataFrame(train_plan(session, plan))
    except TrainingError as error:
        print(f"{setting} seed {seed} {plan}: {error.what}", flush=True)
        return
    rows.insert(0, "setting", setting)
    rows.insert(2, "seed", seed)
    rows = with_delta_m(rows, read(options.out, options.epochs))
    append(rows, options.out)
    last = rows.iloc[-1]
    print(
        f"{setting} seed {seed} {plan}: Δm {float(last['delta_m']):+.2f} %, "
        f"{last['seconds']:.1f} s",
        flush=True,
    )


def list_plans(run: LoadedRun) -> list[SharingPlan]:
    """Return ``independent`` and every tree plan that shares the first unit."""
    tasks, backbone = sorted(run.config.tasks), run.config.backbone
    cut = cut_backbone(
        backbone.names[0], run.config.data.image_size, granularity=backbone.granularity
    )
    num_units = len(cut.units)
    trees = tree_plans(tasks, num_units, first_shared=FIRST_SHARED)
    return [SharingPlan.independent(tasks, num_units), *trees]


def list_plans_apart(independent: SharingPlan) -> list[SharingPlan]:
    """Return every tree plan that does not share the first unit, except ``independent``."""
    num_units = len(independent.rows)
    shared = {str(plan) for plan in tree_plans(independent.tasks, num_units, first_shared=1)}
    trees = tree_plans(independent.tasks, num_units, first_shared=0)
    return [plan for plan in trees if str(plan) not in shared | {str(independent)}]


def merge(paths: Sequence[Path], out: Path) -> None:
    """Merge tables, each plan once, and compute Δm again."""
    tables = [pd.read_csv(path, dtype={"plan": str, "setting": str}) for path in paths]
    table = pd.concat(tables).drop_duplicates(KEYS).reset_index(drop=True)
    write(with_delta_m(table, table.iloc[:0]), out)


def parse_shard(text: str) -> tuple[int, int]:
    """Parse a shard such as ``2/4``, the third of four."""
    index, _, count = text.partition("/")
    if not 0 <= int(index) < int(count):
        raise argparse.ArgumentTypeError(f"expected I/N with 0 <= I < N, such as 0/4, got {text}")
    return int(index), int(count)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file of the table")
    parser.add_argument("--merge", type=Path, nargs="+", help="only merge these tables into --out")
    parser.add_argument("--run", type=Path, help="run file to train instead of generated scenes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--relatedness", type=float, nargs=2, default=[0.33, 1.0])
    parser.add_argument("--backbone", default="test_efficientnet")
    parser.add_argument("--units", type=int, default=6, help="number of units")
    parser.add_argument("--size", type=int, default=64, help="pixels along one side")
    parser.add_argument("--train", type=int, default=480, help="training images")
    parser.add_argument("--val", type=int, default=320, help="validation images")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=32, help="images per batch")
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--seeds", type=int, default=2, help="training seeds of the best plans")
    parser.add_argument("--top", type=int, default=20, help="number of best plans")
    parser.add_argument("--draw", type=int, default=0, metavar="N", help="plans drawn at random")
    parser.add_argument("--draw-apart", type=int, default=0, metavar="N", help="see above")
    parser.add_argument("--baseline-seeds", type=int, default=5, help="seeds with --draw")
    parser.add_argument("--limit", type=int, default=10**6, help="maximum number of plans to train")
    parser.add_argument(
        "--shard", type=parse_shard, default=(0, 1), metavar="I/N", help="part of the plans"
    )
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def main() -> None:
    """Fill the table, or merge tables."""
    options = parse()
    if options.merge:
        merge(options.merge, options.out)
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    fill_table(options, resolve_device(options.device))


if __name__ == "__main__":
    main()
