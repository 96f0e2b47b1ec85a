"""A network in use gets one task more, on coffee leaves.

``python benchmarks/extend.py --data-root PATH --out FILE.csv`` does the following for every seed:

1. A search over plans of stress and tissue finds the network in use.
2. An extension of that network by symptoms searches where symptoms branch off. Its baselines are
   a network of its own for symptoms, and a head on the kept network.
3. All three tasks are trained together from ImageNet weights, in two plans: ``hard``, and symptoms
   and tissue share all units (the best plan of a search, see ``docs/does-it-work.md``).

Each training has as many epochs as every other. The table has one row per seed and network, with
the metrics of all tasks. ``network`` is ``named`` for the trial that the verdict of the extension
names. ``flops`` is the whole network, that of the network in use included where it is kept.
``seconds`` is the elapsed time of the training, and with ``search`` that of all trainings of the
extension.

``--report`` prints the means over seeds with their standard errors, and the change relative to the
separate network for symptoms.

The benchmark can be interrupted and resumes with the same command. Run directories are in a folder
beside the table; use one command per table.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch
from leaves import (
    METRICS,
    TASKS,
    fill_or_report,
    folder_of,
    load,
    make_parser,
    plans,
    train_together,
)
from table import append

from mtlsearch.config import LoadedRun, load_run
from mtlsearch.plan import SharingPlan
from mtlsearch.registry import ResolvedRun, build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import (
    InUse,
    read_verdict,
    run_search,
    select_network,
    start_extension,
)
from mtlsearch.search import NullProgress
from mtlsearch.study import read_records

TASK_TEXTS = {
    "stress": "{kind: classification}",
    "symptoms": "{kind: detection, channels: 32}",
    "tissue": "{kind: segmentation, channels: 32}",
}
KEPT, NEW = ("stress", "tissue"), ("symptoms",)
SEPARATE = "separate network"
SPACE = "branch"


def load_tasks(
    options: argparse.Namespace, seed: int, tasks: Sequence[str], overrides: Sequence[str] = ()
) -> LoadedRun:
    """Load the run file with some of its tasks."""
    entries = ", ".join(f"{name}: {TASK_TEXTS[name]}" for name in tasks)
    return load(
        options, seed, [f"train.epochs={options.epochs}", f"tasks={{{entries}}}", *overrides]
    )


def find_network(options: argparse.Namespace, seed: int, device: torch.device) -> InUse:
    """Search the network in use, or read it."""
    run = load_tasks(options, seed, KEPT, [f"search.trials={options.trials}"])
    resolved, folder = build_registry().resolve(run), folder_of(options, seed) / "in-use"
    run_search(resolved, folder, device=device, progress=NullProgress())
    record, weights = select_network(folder, resolved.config, "best", None, print)
    return InUse(resolved, record, weights, folder)


def extend(
    options: argparse.Namespace, seed: int, in_use: InUse, device: torch.device
) -> tuple[ResolvedRun, list[TrialRecord], int]:
    """Search the extension, or read it; return its trials and the number of the named one."""
    overrides = [f"search.trials={options.trials}", "search.space=null"]
    new = load_tasks(options, seed, NEW, overrides)
    folder = folder_of(options, seed) / "extension"
    file = start_extension(in_use, new, SPACE, folder, warning=print)
    resolved = build_registry().resolve(load_run(file, env=os.environ))
    run_search(resolved, folder, device=device, progress=NullProgress())
    verdict = read_verdict(folder, resolved.config)
    if verdict is None:
        raise SystemExit(f"the trials of {folder} allow no verdict")
    return resolved, read_records(folder, resolved.config), verdict.winner


def row_of(
    seed: int, network: str, record: TrialRecord, metrics: Mapping[str, float], seconds: float
) -> dict[str, object]:
    """Return the row of a network of the extension, with the metrics of the kept tasks."""
    new = {
        f"{task}.{name}": value
        for task, result in record.results.items()
        for name, value in result.metrics.items()
    }
    values = {**metrics, **new}
    return {
        "seed": seed,
        "network": network,
        "plan": str(record.plan),
        **{name: values[name] for name in sorted(values)},
        "parameters": record.parameters,
        "flops": record.flops,
        "seconds": round(seconds, 1),
    }


def extension_rows(
    options: argparse.Namespace, seed: int, device: torch.device
) -> Iterator[dict[str, object]]:
    """Yield the rows of the network in use and of its extension."""
    in_use = find_network(options, seed, device)
    kept = {
        f"{task}.{name}": value
        for task, result in in_use.record.results.items()
        for name, value in result.metrics.items()
    }
    yield row_of(seed, "in use", in_use.record, kept, in_use.record.seconds)
    _, records, named = extend(options, seed, in_use, device)
    complete = [record for record in records if record.state == "complete"]
    for record in complete:
        name = {"independent": SEPARATE, "hard": "head alone"}.get(
            str(record.baseline), f"trial {record.number}"
        )
        yield row_of(seed, name, record, kept, record.seconds)
    winner = next(record for record in complete if record.number == named)
    yield row_of(seed, "named", winner, kept, sum(record.seconds for record in complete))


def from_start(
    options: argparse.Namespace, seed: int, plan: SharingPlan, device: torch.device
) -> dict[str, object]:
    """Train all tasks together; return the row."""
    started = time.perf_counter()
    values = train_together(load_tasks(options, seed, TASKS), plan, device)
    metrics = {name: values[name] for name in sorted(values) if "." in name}
    seconds = time.perf_counter() - started
    return {
        "seed": seed,
        "network": "from the start",
        "plan": str(plan),
        **metrics,
        "parameters": values["parameters"],
        "flops": values["flops"],
        "seconds": round(seconds, 1),
    }


def fill_seed(options: argparse.Namespace, seed: int, device: torch.device) -> None:
    """Train all networks of a seed that are not in the table."""
    table = pd.read_csv(options.out) if options.out.is_file() else pd.DataFrame({"seed": []})
    done = table[table["seed"] == seed]
    if "named" not in set(done.get("network", ())):
        append(pd.DataFrame(list(extension_rows(options, seed, device))), options.out)
    for plan in plans().values():
        is_done = done.get("network", pd.Series(dtype=str)) == "from the start"
        if str(plan) not in set(done.loc[is_done, "plan"] if len(done) else ()):
            append(pd.DataFrame([from_start(options, seed, plan, device)]), options.out)


def report(path: Path) -> None:
    """Print means over seeds, and the change relative to the separate network."""
    table = pd.read_csv(path)
    table["label"] = table["network"].where(
        table["network"] != "from the start", "from the start: " + table["plan"]
    )
    separate = table[table["network"] == SEPARATE].set_index("seed")
    rows = []
    for label, group in table.groupby("label", sort=False):
        by_seed = group.set_index("seed")
        present = [name for name in METRICS if by_seed[name].notna().all()]
        change = 100 * (by_seed[present] / separate.loc[by_seed.index, present] - 1)
        rows.append(
            {
                "network": label,
                "seeds": len(group),
                **{name: f"{by_seed[name].mean():.3f}" for name in present},
                **{
                    f"change {name}": f"{change[name].mean():+.1f} ± {change[name].sem():.1f}"
                    for name in present
                },
                "FLOPs": f"{(by_seed['flops'] / separate['flops']).mean():.2f}",
                "seconds": f"{by_seed['seconds'].mean():.0f}",
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))


def fill(options: argparse.Namespace, device: torch.device) -> None:
    """Train all networks that are not in the table."""
    for seed in range(options.seeds):
        fill_seed(options, seed, device)
        print(f"seed {seed}", flush=True)


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each training")
    parser.add_argument("--trials", type=int, default=5, help="trainings of each search")
    fill_or_report(parser.parse_args(), fill, report)
