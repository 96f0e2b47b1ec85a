"""Effect of training options on metrics and on the noise between seeds.

``python benchmarks/training_options.py --data-root PATH`` trains plans on coffee leaves and on
rooms, with the pretrained lite0 of the data folder, once without and once with each option, and
with several seeds. PATH contains ``leaves/``, ``nyuv2/`` and ``weights/``. The table has one row
per set, option, plan, seed and epoch.

The benchmark can be interrupted and resumes with the same command. The rows of a training are
written at once, and trainings in the table are not repeated. Seeds come one after the other, so
that an unfinished table compares all options with few seeds.

``--report`` prints a table per set and plan instead: of each metric after the last epoch the mean
over seeds, the standard deviation between seeds, and the mean difference from ``default`` with the
standard error over seeds. A difference is one between trainings with the same seed.

``--signal TABLE.csv`` prints, for a table of ``benchmarks/table.py``, the signal and the noise of
each metric after the last epoch: the standard deviation between plans, without the part that
noise explains, and that between trainings of one plan. Both use the plans that were trained with
the same seeds, and leave out the mean of each seed. A metric with a larger ratio ranks plans more
reliably, see ``tasks.NAME.rank_by``. ``evidence`` is ``no`` where one training has more noise than
half of the signal: a single training is not evidence about that metric of a plan.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from table import append, train_plan

from mtlsearch.config import load_run
from mtlsearch.plan import SharingPlan
from mtlsearch.registry import build_registry
from mtlsearch.runs import open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

ROOT = Path(__file__).resolve().parents[1]
KEYS = ["set", "option", "plan", "seed"]
DEFAULT = "default"
MIN_PLANS = 4
"""Minimum number of plans for a seed to count in ``--signal``."""

WEIGHTS = Path("weights") / "tf_efficientnet_lite0.safetensors"
COMMON = (
    "backbone.name=tf_efficientnet_lite0",
    "backbone.granularity=6",
    "train.learning_rate=0.001",
    "train.batch_size=16",
)
SETS = {
    "leaves": ("leaves.yaml", ("data.image_size=[64, 128]",)),
    "rooms": ("nyuv2.yaml", ("data.image_size=[96, 128]",)),
}
OPTIONS = {
    DEFAULT: (),
    "ema=0.99": ("train.ema=0.99",),
    "backbone_lr_factor=0.3": ("train.backbone_lr_factor=0.3",),
    "freeze=2": ("train.freeze=2",),
    "flip_vertical=0.5": ("data.augment.flip_vertical=0.5",),
    "label_smoothing=0.1": (),
}
SMOOTHED = {"leaves": ("stress", "tissue"), "rooms": ("scene", "segmentation")}
"""Tasks with label smoothing, by set."""


def overrides(name: str, option: str, seed: int, options: argparse.Namespace) -> list[str]:
    """Return the values that replace those of the run file."""
    smoothing = [f"tasks.{task}.label_smoothing=0.1" for task in SMOOTHED[name]]
    extra = smoothing if option.startswith("label_smoothing") else OPTIONS[option]
    return [
        *COMMON,
        *SETS[name][1],
        f"backbone.checkpoint_path={options.data_root / WEIGHTS}",
        f"train.epochs={options.epochs}",
        f"seed={seed}",
        *extra,
    ]


def jobs(options: argparse.Namespace) -> Iterator[tuple[str, str, str, int]]:
    """Yield set, plan, option and seed of every training, in order."""
    for name in options.sets:
        for plan in options.plans:
            for seed in range(options.seeds):
                for option in options.options:
                    yield name, plan, option, seed


def train(name: str, plan: str, option: str, seed: int, options: argparse.Namespace) -> None:
    """Train a plan and append one row per epoch."""
    env = {**os.environ, "MTLSEARCH_DATA_ROOT": str(options.data_root)}
    plugins = [ROOT / "examples" / "mtlsearch-depth"] if name == "rooms" else []
    run = load_run(
        ROOT / "examples" / SETS[name][0],
        overrides(name, option, seed, options),
        env=env,
        plugins=plugins,
    )
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(
            build_registry(plugins).resolve(run),
            RunDirectory(Path(folder)),
            device=resolve_device(options.device),
            progress=NullProgress(),
            check=False,
        )
        evaluator = session.evaluator
        num_units = len(evaluator.units(run.config.backbone.names[0]))
        build = {"hard": SharingPlan.hard, "independent": SharingPlan.independent}[plan]
        rows = pd.DataFrame(train_plan(session, build(evaluator.tasks, num_units)))
    for index, (key, value) in enumerate(zip(KEYS, (name, option, plan, seed), strict=True)):
        rows = rows.drop(columns=key, errors="ignore")
        rows.insert(index, key, value)
    append(rows, table_of(name, options))
    print(f"{name} {plan} seed {seed} {option}: {rows.iloc[-1]['seconds']:.0f} s", flush=True)


def table_of(name: str, options: argparse.Namespace) -> Path:
    """Return the file of a set: the metrics of two sets are different columns."""
    path: Path = options.out
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def trained(options: argparse.Namespace) -> set[tuple[object, ...]]:
    """Return the keys of the trainings in the tables."""
    paths = [table_of(name, options) for name in options.sets]
    tables = [pd.read_csv(path)[KEYS] for path in paths if path.is_file()]
    return set(map(tuple, pd.concat(tables).to_numpy())) if tables else set()


def report(name: str, options: argparse.Namespace) -> None:
    """Print means, deviations and differences of a set."""
    path = table_of(name, options)
    if not path.is_file():
        return
    table = pd.read_csv(path)
    last = table[table["epoch"] == table.groupby(KEYS)["epoch"].transform("max")]
    metrics = [column for column in table.columns if ":" in column]
    for plan, of_plan in last.groupby("plan"):
        rows = []
        for option in [option for option in OPTIONS if option in set(of_plan["option"])]:
            values = of_plan[of_plan["option"] == option].set_index("seed")[metrics]
            reference = of_plan[of_plan["option"] == DEFAULT].set_index("seed")[metrics]
            change = (values - reference).dropna(how="all")
            cells = {
                metric: f"{values[metric].mean():.4f} ± {values[metric].std():.4f}"
                + (
                    f" ({change[metric].mean():+.4f} ± {change[metric].sem():.4f})"
                    if option != DEFAULT and len(change) > 1
                    else ""
                )
                for metric in metrics
            }
            rows.append({"option": option, "seeds": len(values), **cells})
        print(f"\n{name}, {plan}: mean ± SD between seeds (change ± standard error)")
        print(pd.DataFrame(rows).set_index("option").T.to_string())


def signal(path: Path) -> pd.DataFrame:
    """Return signal and noise of each metric and setting of a table of plans."""
    table = pd.read_csv(path, dtype={"plan": str})
    settings = table.groupby("setting") if "setting" in table else [(path.stem, table)]
    rows = []
    for setting, of_setting in settings:
        keys = ["plan", "seed"]
        last = of_setting[of_setting["epoch"] == of_setting.groupby(keys)["epoch"].transform("max")]
        for metric in [column for column in table.columns if ":" in column]:
            grid = last.pivot(index="plan", columns="seed", values=metric)

            grid = grid.dropna(axis=1, thresh=MIN_PLANS).dropna()
            num_plans, num_seeds = grid.shape
            if num_seeds < 2:
                continue
            effects = grid - grid.mean(axis=0)
            residuals = effects.sub(effects.mean(axis=1), axis=0)
            noise = (residuals**2).to_numpy().sum() / ((num_plans - 1) * (num_seeds - 1))
            spread = max(effects.mean(axis=1).var() - noise / num_seeds, 0.0)
            ratio = (spread / noise) ** 0.5 if noise else float("nan")
            deviations = spread**0.5, noise**0.5
            evidence = "yes" if deviations[1] <= 0.5 * deviations[0] else "no"
            rows.append((setting, metric, num_plans, num_seeds, *deviations, ratio, evidence))
    columns = ["setting", "metric", "plans", "seeds", "signal", "noise", "ratio", "evidence"]
    return pd.DataFrame(rows, columns=columns)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=Path("../shared/data"))
    reference = ROOT / "results" / "reference"
    parser.add_argument("--out", type=Path, default=reference / "training-options.csv")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--plans", nargs="+", choices=["hard", "independent"], default=["hard"])
    parser.add_argument("--options", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--report", action="store_true", help="only print the tables")
    parser.add_argument("--signal", type=Path, metavar="TABLE", help="only print signal and noise")
    return parser.parse_args()


def main() -> None:
    """Fill the tables, or print them."""
    options = parse()
    options.data_root = options.data_root.resolve()
    if options.signal:
        print(signal(options.signal).to_string(index=False, float_format="%.4f"))
        return
    if options.report:
        for name in options.sets:
            report(name, options)
        return
    done = trained(options)
    for name, plan, option, seed in jobs(options):
        if (name, option, plan, seed) not in done:
            train(name, plan, option, seed, options)


if __name__ == "__main__":
    main()
