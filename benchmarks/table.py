"""Train every tree plan of three tasks over six units and write what was measured.

``python benchmarks/table.py --out results/reference/scenes-plans.csv`` trains the 51 plans
that share the first unit, and ``independent``, on generated scenes at two settings of how
related the tasks are, and then the best 20 of each setting with a second seed. One row a
setting, plan, seed and epoch; ``docs/python-api.md`` describes the columns, and
``benchmarks/replay.py --table`` replays searches on it.

With ``--run RUN.yaml`` (and ``--set``, as behind ``mtlsearch search``) the plans of that run
file's tasks over its backbone's units are trained instead, and the setting is the file's name.

It can be stopped at any time and goes on with the same command: a plan's rows are written in
one piece when it is trained, and what is there is passed over. The settings of the training
are part of no row, so keep to one command for one file.

Several processes or machines: ``--shard 0/4 --out part0.csv`` and so on, then ``--merge
part*.csv --out all.csv``, which works out Δm; then all of it once more from copies of
``all.csv`` for the further seeds, which need all plans of the first.
"""

from __future__ import annotations

import argparse
import os
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
from mtlsearch.models import cut_backbone
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate
from mtlsearch.registry import build_registry
from mtlsearch.results import TaskResult, delta_m
from mtlsearch.runs import Session, open_session
from mtlsearch.search import NullProgress, plan_code
from mtlsearch.search.evaluators._plan_table import metrics_by_task
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

FIRST_SHARED = 1
IMAGES = 1000
"""The seed of the images, the same for every training seed."""

KEYS = ["setting", "plan", "seed", "epoch"]
Row = dict[str, object]


@dataclass
class Epochs(NullProgress):
    """Keeps each epoch's metrics and the seconds until its end.

    Seconds are the process's own on a CPU, so that other work on the machine does not count,
    and the clock's on a GPU.
    """

    now: Callable[[], float]
    began: float = 0.0
    seen: list[tuple[float, Mapping[str, Mapping[str, float]]]] = field(default_factory=list)

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Remember it."""
        self.seen.append((self.now() - self.began, metrics))


def settings_of(options: argparse.Namespace) -> dict[str, Callable[[int], LoadedRun]]:
    """What is trained, by the setting's name: a run for every training seed."""
    if options.run is None:
        return {
            f"relatedness={at:g}": partial(make_scenes, options, at) for at in options.relatedness
        }
    return {options.run.stem: partial(make_run, options)}


def make_run(options: argparse.Namespace, seed: int) -> LoadedRun:
    """The given run file with so many epochs and that seed."""
    given = [f"train.epochs={options.epochs}", *options.set, f"seed={seed}"]
    return load_run(options.run, given, env=os.environ, plugins=options.plugins)


def make_scenes(options: argparse.Namespace, relatedness: float, seed: int) -> LoadedRun:
    """The run file: the example ``scenes``, as small as the options say."""
    source = {
        "kind": "scenes",
        "train": options.train,
        "val": options.val,
        "image_size": options.size,
        "relatedness": relatedness,
        "seed_offset": IMAGES - seed,  # the same images for every training seed
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
    """One row an epoch, without the setting, the seed and Δm."""
    candidate = Candidate(plan)
    cost = session.evaluator.cost(candidate)
    now = time.process_time if session.evaluator.device.type == "cpu" else time.perf_counter
    epochs = Epochs(now, began=now())
    session.evaluator.measure(0, candidate, epochs)
    arrow = {
        (task, spec.name): "max" if spec.higher_is_better else "min"
        for task, made in session.evaluator.task_by_name.items()
        for spec in made.metrics
    }
    return [
        {
            "plan": plan_code(plan),
            "epoch": number,
            **{
                f"{task}.{name}:{arrow[task, name]}": value
                for task in sorted(metrics)
                for name, value in metrics[task].items()
                if (task, name) in arrow
            },
            "parameters": cost.parameters,
            "flops": cost.flops,
            "seconds": round(seconds, 2),
        }
        for number, (seconds, metrics) in enumerate(epochs.seen, start=1)
    ]


def with_delta_m(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The rows with Δm against ``independent`` of the same setting, seed and epoch."""
    specs = metrics_by_task(rows)
    units = str(rows["plan"].iloc[0]).split()
    alone = " ".join("".join(map(str, range(len(units[0])))) for _ in units)
    both = pd.concat([table, rows]) if len(table) else rows
    references = {
        (row["setting"], row["seed"], row["epoch"]): _results(row, specs)
        for row in both[both["plan"] == alone].to_dict("records")
    }
    values = [
        delta_m(
            _results(row, specs), references.get((row["setting"], row["seed"], row["epoch"]), {})
        )[0]
        for row in rows.to_dict("records")
    ]
    found = rows.drop(columns="delta_m", errors="ignore")
    found.insert(
        found.columns.get_loc("parameters"), "delta_m", pd.Series(values, rows.index, dtype=float)
    )
    return found


def _results(row: Mapping[str, object], specs: Mapping[str, Mapping[str, object]]) -> dict:
    return {
        task: TaskResult({at.name: float(row[name]) for name, at in of.items()}, tuple(of.values()))
        for task, of in specs.items()
    }


def read(path: Path, epochs: int) -> pd.DataFrame:
    """The plans that are there whole; rows of others, torn by a kill, are dropped."""
    if not path.is_file():
        return pd.DataFrame(columns=KEYS)
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    table = pd.read_csv(path, dtype={"plan": str, "setting": str})
    counts = table.groupby(KEYS[:3])["epoch"].transform("image_size")
    if (counts < epochs).any():
        write(table[counts >= epochs], path)
    return table[counts >= epochs]


def write(table: pd.DataFrame, path: Path) -> None:
    """The whole table, or nothing."""
    atomic_write = path.with_name(f".{path.name}.tmp")
    table.to_csv(atomic_write, index=False, float_format="%.6g")
    atomic_write.replace(path)


def append(rows: pd.DataFrame, path: Path) -> None:
    """A plan's rows in one write."""
    text = rows.to_csv(index=False, header=not path.exists(), float_format="%.6g")
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def wanted(
    table: pd.DataFrame, setting: str, plans: Sequence[SharingPlan], options: argparse.Namespace
) -> Iterator[tuple[int, list[SharingPlan]]]:
    """What to train with which seed: all plans with seed 0; when they are there, the best again.

    ``hard`` is trained again as well, and ``independent``, which only the first shard trains.
    """
    number, shards = options.shard
    alone = plans[:1] if number == 0 else []
    yield 0, [*alone, *plans[1:][number::shards]]
    first = read(options.out, options.epochs)
    if not len(first):
        return
    ends = first[(first["setting"] == setting) & (first["seed"] == 0)]
    ends = ends[ends["epoch"] == options.epochs].set_index("plan")["delta_m"]
    if set(ends.index) < {plan_code(plan) for plan in plans}:
        return
    best = list(ends.sort_values(ascending=False).index[: options.top])
    again = [plan for plan in plans[1:] if plan_code(plan) in best or str(plan) == "hard"]
    for seed in range(1, options.seeds):
        yield seed, [*alone, *again[number::shards]]


def fill(options: argparse.Namespace, device: torch.device) -> None:
    """Train what the table lacks, until ``--limit`` plans were trained."""
    registry = build_registry(options.plugins)
    trained = 0
    for setting, run_of in settings_of(options).items():
        plans = listed(run_of(0))
        for seed, chosen in wanted(read(options.out, options.epochs), setting, plans, options):
            table = read(options.out, options.epochs)
            there = set(map(tuple, table[KEYS[:3]].to_numpy()))
            left = [plan for plan in chosen if (setting, plan_code(plan), seed) not in there]
            if not left or trained >= options.limit:
                continue
            with tempfile.TemporaryDirectory() as folder:
                run = RunDirectory(Path(folder))
                session = open_session(
                    registry.resolve(run_of(seed)),
                    run,
                    device=device,
                    progress=NullProgress(),
                    check=False,
                )
                for plan in left[: options.limit - trained]:
                    trained += 1
                    train_and_append(session, plan, setting, seed, options)


def train_and_append(
    session: Session, plan: SharingPlan, setting: str, seed: int, options: argparse.Namespace
) -> None:
    """Train one plan, write its rows and say how it went."""
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


def listed(run: LoadedRun) -> list[SharingPlan]:
    """``independent`` and every tree plan that shares the first unit."""
    tasks, backbone = sorted(run.config.tasks), run.config.backbone
    cut = cut_backbone(
        backbone.names[0], run.config.data.image_size, granularity=backbone.granularity
    )
    units = len(cut.units)
    trees = tree_plans(tasks, units, first_shared=FIRST_SHARED)
    return [SharingPlan.independent(tasks, units), *trees]


def merge(paths: Sequence[Path], out: Path) -> None:
    """One table of several, each plan once, Δm anew."""
    parts = [pd.read_csv(path, dtype={"plan": str, "setting": str}) for path in paths]
    table = pd.concat(parts).drop_duplicates(KEYS).reset_index(drop=True)
    write(with_delta_m(table, table.iloc[:0]), out)


def shard(text: str) -> tuple[int, int]:
    """``2/4``: the third of four."""
    number, _, count = text.partition("/")
    if not 0 <= int(number) < int(count):
        raise argparse.ArgumentTypeError(f"{text} is no shard, such as 0/4")
    return int(number), int(count)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the table")
    parser.add_argument("--merge", type=Path, nargs="+", help="only merge these tables into --out")
    parser.add_argument("--run", type=Path, help="a run file to take in place of scenes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--relatedness", type=float, nargs=2, default=[0.33, 1.0])
    parser.add_argument("--backbone", default="test_efficientnet")
    parser.add_argument("--units", type=int, default=6)
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--train", type=int, default=480, help="training images")
    parser.add_argument("--val", type=int, default=320, help="validation images")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--seeds", type=int, default=2, help="of the best plans")
    parser.add_argument("--top", type=int, default=20, help="plans that get further seeds")
    parser.add_argument("--limit", type=int, default=10**6, help="train so many plans, then stop")
    parser.add_argument("--shard", type=shard, default=(0, 1), metavar="I/N")
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def main() -> None:
    """Fill the table, or merge."""
    options = parse()
    if options.merge:
        merge(options.merge, options.out)
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    fill(options, resolve_device(options.device))


if __name__ == "__main__":
    main()
