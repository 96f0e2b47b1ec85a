"""Ablation of distillation and attention on a few plans and seeds.

``python benchmarks/distillation.py --out results/distillation.csv`` trains for every seed the
``independent`` baseline of ``examples/scenes.yaml``. Then it trains each plan without optional
components, with distillation ``baseline``, with distillation ``mutual``, and with attention.
``--root PATH`` selects ``examples/nyuv2.yaml`` and its images. The output has the mean Δm with
its standard error over seeds, and the gain over the same plan and seed without components.

The benchmark can be interrupted and resumes with the same command. The row of a training is
written when it ends, and rows in the table are not trained again. The weights of
``independent``, the teacher, are in a folder beside the table. They are trained again when a
seed resumes. The table does not contain the training settings, so use one command per table.
``--set`` changes settings as in ``mtlsearch search``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from table import append

from mtlsearch.config import load_run
from mtlsearch.errors import TrainingError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Distillation
from mtlsearch.registry import build_registry
from mtlsearch.results import delta_m
from mtlsearch.runs import Session, open_session
from mtlsearch.search import Measurement, NullProgress, plan_code
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

EXAMPLES = Path(__file__).parents[1] / "examples"
INDEPENDENT, NO_COMPONENT = "independent", "none"
PLANS = ("hard", "half", "late")
"""All units shared, the first half of the units shared, all units but the last shared."""

KEYS = ["run", "seed", "plan", "variant"]
Key = tuple[str, int, str, str]


def build_plan(name: str, tasks: Sequence[str], num_units: int) -> SharingPlan:
    """Build a plan of :data:`PLANS`."""
    depth = {"hard": num_units, "half": num_units // 2, "late": num_units - 1}[name]
    return SharingPlan.from_splits(tasks, [depth] * (len(tasks) - 1), num_units)


def variants(plan: SharingPlan, alphas: Sequence[float]) -> Iterator[tuple[str, Candidate]]:
    """Yield candidates of a plan without components and with each one that applies to it."""
    yield NO_COMPONENT, Candidate(plan)
    hard = SharingPlan.hard(plan.tasks, len(plan.rows))
    for alpha in alphas:
        yield f"baseline {alpha:g}", Candidate(plan, distillation=Distillation("baseline", alpha))
        if plan != hard:
            yield f"mutual {alpha:g}", Candidate(plan, distillation=Distillation("mutual", alpha))
    yield "attention", Candidate(plan, attention=True)


def candidates_by_key(
    run: str, seed: int, tasks: Sequence[str], num_units: int, options: argparse.Namespace
) -> dict[Key, Candidate]:
    """Return all candidates of a seed, ``independent`` first."""
    independent = Candidate(SharingPlan.independent(tasks, num_units))
    candidates: dict[Key, Candidate] = {(run, seed, INDEPENDENT, NO_COMPONENT): independent}
    for name in options.plans:
        plan = build_plan(name, tasks, num_units)
        for variant, candidate in variants(plan, options.alphas):
            candidates[run, seed, name, variant] = candidate
    return candidates


def open_seed(options: argparse.Namespace, seed: int, device: torch.device) -> Session:
    """Open the run with a seed; trial 0 is the teacher."""
    overrides = [*options.set, f"seed={seed}"]
    if options.root is not None:
        overrides.append(f"data.root={options.root}")
    folder = options.out.with_suffix("") / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load_run(run_file(options), overrides)
    tasks = {
        name: task
        for name, task in loaded.config.tasks.items()
        if options.tasks is None or name in options.tasks
    }
    config = loaded.config.model_copy(update={"tasks": tasks})
    session = open_session(
        build_registry().resolve(replace(loaded, config=config)),
        RunDirectory(folder),
        device=device,
        progress=NullProgress(),
        check=False,
    )
    return replace(session, evaluator=replace(session.evaluator, teacher_number=0))


def run_file(options: argparse.Namespace) -> Path:
    """Return the run file that is trained."""
    return EXAMPLES / ("scenes.yaml" if options.root is None else "nyuv2.yaml")


def fill_table(options: argparse.Namespace, device: torch.device) -> None:
    """Train all candidates that are not in the table."""
    for seed in range(options.seeds):
        session = open_seed(options, seed, device)
        evaluator = session.evaluator
        num_units = len(evaluator.units(session.config.backbone.names[0]))
        candidates = candidates_by_key(
            run_file(options).stem, seed, evaluator.tasks, num_units, options
        )
        if candidates.keys() <= trained_keys(options.out):
            continue
        fill_seed(session, candidates, options.out)


def fill_seed(session: Session, candidates: dict[Key, Candidate], path: Path) -> None:
    """Train ``independent``, then the candidates of a seed that are not in the table."""
    reference: Measurement | None = None
    for key, candidate in candidates.items():
        is_reference = key[2] == INDEPENDENT
        if key in trained_keys(path) and not is_reference:
            continue
        try:
            measured = session.evaluator.measure(
                0 if is_reference else 1, candidate, NullProgress()
            )
        except TrainingError as error:
            print(f"{key}: {error.what}", flush=True)
            continue
        if is_reference:
            reference = measured
        if reference is None:
            raise SystemExit("`independent` failed, so Δm is undefined")
        row = row_of(session, key, candidate, measured, reference)
        if key not in trained_keys(path):
            append(pd.DataFrame([row]), path)
        print(f"{key}: Δm {row['delta_m']:+.2f} %, {row['seconds']:.0f} s", flush=True)


def trained_keys(path: Path) -> set[Key]:
    """Return the keys of all rows in the table."""
    if not path.is_file():
        return set()
    return set(pd.read_csv(path)[KEYS].itertuples(index=False, name=None))


def row_of(
    session: Session,
    key: Key,
    candidate: Candidate,
    measured: Measurement,
    reference: Measurement,
) -> dict[str, object]:
    """Return the row of one training."""
    cost = session.evaluator.cost(candidate)
    value, _ = delta_m(measured.results, reference.results)
    metrics = {
        f"{task}.{name}": number
        for task, result in sorted(measured.results.items())
        for name, number in result.metrics.items()
    }
    return {
        **dict(zip(KEYS, key, strict=True)),
        "code": plan_code(candidate.plan),
        "delta_m": math.nan if value is None else value,
        **metrics,
        "parameters": cost.parameters,
        "flops": cost.flops,
        "seconds": round(measured.seconds, 1),
    }


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return Δm and the gain over the plan without components, per plan and variant."""
    rows = table[table["plan"] != INDEPENDENT]
    plain = rows[rows["variant"] == NO_COMPONENT].set_index(["run", "seed", "plan"])["delta_m"]
    joined = rows.join(plain.rename("plain"), on=["run", "seed", "plan"])
    joined["gain"] = joined["delta_m"] - joined["plain"]
    groups = joined.groupby(["run", "plan", "variant"], sort=False)
    return pd.DataFrame(
        {
            "seeds": groups.size(),
            "Δm %": groups["delta_m"].mean(),
            "± ": groups["delta_m"].sem(),
            "gain": groups["gain"].mean(),
            "±": groups["gain"].sem(),
            "s": groups["seconds"].mean(),
        }
    )


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file of the table")
    parser.add_argument(
        "--root", type=Path, help="folder of the NYU Depth v2 images (default: generated scenes)"
    )
    parser.add_argument("--tasks", nargs="+", help="tasks of the run file (default: all)")
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=["hard", "half"])
    parser.add_argument(
        "--alphas", type=float, nargs="+", default=[1.0], help="factors of the distillation loss"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def main() -> None:
    """Fill the table and print its summary."""
    options = parse()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    fill_table(options, resolve_device(options.device))
    print(summarize(pd.read_csv(options.out)).round(2).to_string())


if __name__ == "__main__":
    main()
