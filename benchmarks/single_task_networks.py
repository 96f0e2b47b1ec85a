"""Three single-task networks merged to one, on coffee leaves.

``python benchmarks/single_task_networks.py --data-root PATH --out FILE.csv`` trains, for every
seed, one network per task of ``examples/leaves.yaml`` from ImageNet weights. Then it trains
plans that share, for a few epochs more. Each plan starts once from the networks of the tasks
(``backbone.checkpoints``: a shared unit starts from the mean of its networks), and from the
ImageNet weights: for these epochs only, and for as many epochs as single-task networks and
shared plan had together.

The table has one row per seed, start, plan and number of epochs, with the metrics after the last
epoch. ``seconds`` is processor time of the training, for single-task networks the sum.
``--report`` prints the mean over seeds and the mean change relative to the single-task networks
of the same seed, with its standard error over seeds.

The benchmark can be interrupted and resumes with the same command. The row of a training is
written when it ends, and rows in the table are not trained again. Weights of the single-task
networks are in a folder beside the table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from table import append, train_plan

from mtlsearch.config import LoadedRun, load_run
from mtlsearch.plan import SharingPlan
from mtlsearch.registry import build_registry
from mtlsearch.runs import open_session, run_search
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, read_records
from mtlsearch.training import resolve_device

LEAVES = Path(__file__).resolve().parents[1] / "examples" / "leaves.yaml"
NUM_UNITS = 6
TASKS = ("stress", "symptoms", "tissue")
SINGLE = "single-task"
"""Start and plan of the networks of one task each."""


class Key(NamedTuple):
    """A training.

    Attributes:
        seed: seed of the training.
        start: initial weights: ``single-task``, ``checkpoints`` or ``imagenet``.
        plan: name of the plan, see :func:`plans`; ``single-task`` for one network per task.
        epochs: passes over the training images.
    """

    seed: int
    start: str
    plan: str
    epochs: int


def plans() -> dict[str, SharingPlan]:
    """Return the plans by name."""
    groups = [["stress"], ["symptoms", "tissue"]]
    return {
        "hard": SharingPlan.hard(TASKS, NUM_UNITS),
        "stress | symptoms+tissue @0": SharingPlan.from_groups([groups] * NUM_UNITS),
    }


def keys(options: argparse.Namespace) -> Iterator[Key]:
    """Yield all trainings, in order."""
    for seed in range(options.seeds):
        yield Key(seed, SINGLE, SINGLE, options.epochs)
        for plan in plans():
            yield Key(seed, "checkpoints", plan, options.more)
            yield Key(seed, "imagenet", plan, options.more)
            yield Key(seed, "imagenet", plan, options.epochs + options.more)


def load(options: argparse.Namespace, seed: int, overrides: Sequence[str]) -> LoadedRun:
    """Load the run file with the values of the benchmark."""
    common = [f"data.image_size={options.image_size}", f"seed={seed}"]
    env = {**os.environ, "MTLSEARCH_DATA_ROOT": str(options.data_root)}
    return load_run(options.file, [*common, *overrides], env=env)


def networks(options: argparse.Namespace, seed: int) -> Path:
    """Return the folder of the single-task networks of a seed."""
    folder: Path = options.out.with_suffix("") / f"seed{seed}"
    return folder


def train_single(options: argparse.Namespace, key: Key, device: torch.device) -> dict[str, object]:
    """Train one network per task, or read them; return their metrics in one row."""
    row: dict[str, object] = {}
    kinds = {name: task.kind for name, task in load(options, key.seed, []).config.tasks.items()}
    costs = {"parameters": 0.0, "flops": 0.0, "seconds": 0.0}
    for task in TASKS:
        extra = {"segmentation": ", channels: 32", "detection": ", channels: 32"}
        text = f"{{{task}: {{kind: {kinds[task]}{extra.get(kinds[task], '')}}}}}"
        run = load(
            options,
            key.seed,
            [f"tasks={text}", f"train.epochs={key.epochs}", "search.space=hard", "search.trials=1"],
        )
        folder = networks(options, key.seed) / task
        run_search(build_registry().resolve(run), folder, device=device, progress=NullProgress())
        [record] = read_records(folder, run.config)
        row |= {f"{task}.{name}": value for name, value in record.results[task].metrics.items()}
        costs["parameters"] += record.parameters
        costs["flops"] += record.flops
        costs["seconds"] += record.seconds
    return {**row, **costs}


def train_shared(options: argparse.Namespace, key: Key, device: torch.device) -> dict[str, object]:
    """Train a plan; return its metrics after the last epoch."""
    overrides = [f"train.epochs={key.epochs}"]
    if key.start == "checkpoints":
        paths = {
            task: RunDirectory(networks(options, key.seed) / task).weights(0).resolve()
            for task in TASKS
        }
        text = ", ".join(f"{task}: {path}" for task, path in paths.items())
        overrides.append(f"backbone.checkpoints={{{text}}}")
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(
            build_registry().resolve(load(options, key.seed, overrides)),
            RunDirectory(Path(folder)),
            device=device,
            progress=NullProgress(),
            check=False,
        )
        last = train_plan(session, plans()[key.plan])[-1]
    renamed = {name.partition(":")[0]: value for name, value in last.items()}
    return {name: value for name, value in renamed.items() if name not in ("plan", "epoch")}


def trained(path: Path) -> set[Key]:
    """Return the trainings in the table."""
    if not path.is_file():
        return set()
    rows = pd.read_csv(path)[list(Key._fields)].itertuples(index=False, name=None)
    return {Key(*row) for row in rows}


def report(path: Path) -> None:
    """Print means over seeds, and changes relative to the single-task networks."""
    table = pd.read_csv(path)
    metrics = ["stress.accuracy", "symptoms.mAP", "tissue.mIoU"]
    single = table[table["start"] == SINGLE].set_index("seed")
    rows = []
    for (start, plan, epochs), group in table.groupby(["start", "plan", "epochs"], sort=False):
        by_seed = group.set_index("seed")
        changes = 100 * (by_seed[metrics] / single.loc[by_seed.index, metrics] - 1)
        changes["Δm %"] = changes.mean(axis=1)
        cells = {
            name: f"{changes[name].mean():+.1f} ± {changes[name].sem():.1f}" for name in changes
        }
        flops = by_seed["flops"].mean() / single["flops"].mean()
        means = {f"mean {name}": f"{by_seed[name].mean():.3f}" for name in metrics}
        rows.append(
            {"start": start, "plan": plan, "epochs": epochs, "seeds": len(group)}
            | {**cells, **means, "FLOPs": f"{flops:.2f}", "s": f"{by_seed['seconds'].mean():.0f}"}
        )
    print(pd.DataFrame(rows).to_string(index=False))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--file", type=Path, default=LEAVES, help="run file of the three tasks")
    parser.add_argument("--image-size", default="[64, 128]", help="pixels, height and width")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6, help="epochs of single-task networks")
    parser.add_argument("--more", type=int, default=3, help="epochs of shared plans after that")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--report", action="store_true", help="only print the table")
    return parser.parse_args()


def main() -> None:
    """Fill the table, or print it."""
    options = parse()
    options.data_root = options.data_root.resolve()
    if options.report:
        report(options.out)
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    device = resolve_device(options.device)
    for key in keys(options):
        if key in trained(options.out):
            continue
        train = train_single if key.start == SINGLE else train_shared
        append(pd.DataFrame([{**key._asdict(), **train(options, key, device)}]), options.out)
        print(*key, flush=True)


if __name__ == "__main__":
    main()
