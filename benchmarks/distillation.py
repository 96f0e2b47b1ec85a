"""What knowledge between tasks and attention are worth: an ablation on a few plans and seeds.

``python benchmarks/knowledge.py --out results/knowledge.csv`` trains, for every seed, the
single-task networks (``independent``) of ``examples/scenes.yaml``, and then each plan plain,
with ``distil``, with ``mutual`` and with ``attention``; ``--root PATH`` takes
``examples/nyuv2.yaml`` and the images there. It prints Δm of each, mean and standard error over
the seeds, and the difference to the plain plan of the same seed.

It can be stopped at any time and goes on with the same command: a training's row is written
when it has ended, and what is there is passed over. The weights of ``independent``, which teach,
lie in a folder beside the table; they are trained anew where a seed is gone on with. Settings of
the training are part of no row, so keep to one command for one file; ``--set`` changes them as
for ``mtlsearch search``.
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
PLAIN = "none"
PLANS = ("hard", "half", "late")
"""All shared; the first half of the units shared; all but the last one shared."""

KEYS = ["run", "seed", "plan", "variant"]


def plan_named(name: str, tasks: Sequence[str], units: int) -> SharingPlan:
    """A plan of :data:`PLANS`."""
    depth = {"hard": units, "half": units // 2, "late": units - 1}[name]
    return SharingPlan.from_splits(tasks, [depth] * (len(tasks) - 1), units)


def variants(plan: SharingPlan, alphas: Sequence[float]) -> Iterator[tuple[str, Candidate]]:
    """The plan plain and with each addition that means something for it."""
    yield PLAIN, Candidate(plan)
    hard = SharingPlan.hard(plan.tasks, len(plan.rows))
    for alpha in alphas:
        yield f"distil {alpha:g}", Candidate(plan, distillation=Distillation("baseline", alpha))
        if plan != hard:
            yield f"mutual {alpha:g}", Candidate(plan, distillation=Distillation("mutual", alpha))
    yield "attention", Candidate(plan, attention=True)


def open_seed(options: argparse.Namespace, seed: int, device: torch.device) -> Session:
    """A run of this seed, whose trial 0 is to be the teacher."""
    changes = [*options.set, f"seed={seed}"]
    if options.root is not None:
        changes.append(f"data.root={options.root}")
    folder = options.out.with_suffix("") / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load_run(run_file(options), changes)
    tasks = {at: of for at, of in loaded.config.tasks.items() if at in (options.tasks or [at])}
    session = open_session(
        build_registry().resolve(
            replace(loaded, config=loaded.config.model_copy(update={"tasks": tasks}))
        ),
        RunDirectory(folder),
        device=device,
        progress=NullProgress(),
        check=False,
    )
    return replace(session, evaluator=replace(session.evaluator, teacher_number=0))


def run_file(options: argparse.Namespace) -> Path:
    """What is trained."""
    return EXAMPLES / ("scenes.yaml" if options.root is None else "nyuv2.yaml")


def fill(options: argparse.Namespace, device: torch.device) -> None:
    """Train what the table lacks."""
    name = run_file(options).stem
    for seed in range(options.seeds):
        session = open_seed(options, seed, device)
        evaluator = session.evaluator
        units = len(evaluator.units(session.config.backbone.names[0]))
        alone = SharingPlan.independent(evaluator.tasks, units)
        wanted = [("independent", PLAIN, Candidate(alone))]
        for plan_name in options.plans:
            plan = plan_named(plan_name, evaluator.tasks, units)
            wanted += [(plan_name, *variant) for variant in variants(plan, options.alphas)]
        reference: Measurement | None = None
        for plan_name, variant, candidate in wanted:
            key = (name, seed, plan_name, variant)
            if key in known(options.out) and candidate.plan != alone:
                continue
            if candidate.plan == alone and all_known(name, seed, wanted, options.out):
                break
            number = 0 if candidate.plan == alone else 1
            try:
                measured = evaluator.measure(number, candidate, NullProgress())
            except TrainingError as error:
                print(f"{key}: {error.what}", flush=True)
                continue
            reference = measured if number == 0 else reference
            assert reference is not None, "independent comes first"
            row = row_of(session, key, candidate, measured, reference)
            if key not in known(options.out):
                append(pd.DataFrame([row]), options.out)
            print(f"{key}: Δm {row['delta_m']:+.2f} %, {row['seconds']:.0f} s", flush=True)


def known(path: Path) -> set[tuple[object, ...]]:
    """What the table has."""
    if not path.is_file():
        return set()
    return set(pd.read_csv(path)[KEYS].itertuples(index=False, name=None))


def all_known(
    name: str, seed: int, wanted: Sequence[tuple[str, str, Candidate]], path: Path
) -> bool:
    """Whether nothing of a seed is left to do."""
    return {(name, seed, plan, variant) for plan, variant, _ in wanted} <= known(path)


def row_of(
    session: Session,
    key: tuple[str, int, str, str],
    candidate: Candidate,
    measured: Measurement,
    reference: Measurement,
) -> dict[str, object]:
    """One training as a row."""
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


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row a plan and variant: Δm, and the difference to the plain plan of the same seed."""
    shared = table[table["plan"] != "independent"]
    plain = shared[shared["variant"] == PLAIN].set_index(["run", "seed", "plan"])["delta_m"]
    against = shared.join(plain.rename("plain"), on=["run", "seed", "plan"])
    against["gain"] = against["delta_m"] - against["plain"]
    groups = against.groupby(["run", "plan", "variant"], sort=False)
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


def main() -> None:
    """Fill the table and print what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the table")
    parser.add_argument("--root", type=Path, help="where nyuv2's images are; else scenes")
    parser.add_argument("--tasks", nargs="+", help="of the run file's; all by default")
    parser.add_argument("--plans", nargs="+", suggest=PLANS, default=["hard", "half"])
    parser.add_argument("--alphas", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    fill(options, resolve_device(options.device))
    print(summary(pd.read_csv(options.out)).round(2).to_string())


if __name__ == "__main__":
    main()
