"""Ablation of compression: pruned, pruned with distillation, and a smaller backbone.

``python benchmarks/compress.py --small BACKBONE --out results/compress.csv`` trains, for every
seed, both baselines of ``examples/scenes.yaml``, and the plan ``hard`` on a smaller backbone for
as many epochs more as fine-tuning takes. Then it prunes the network of ``hard`` to the FLOPs of
the smaller one, and fine-tunes it without a teacher, with itself and with ``independent`` as
teacher. The output has the mean Δm against ``independent`` with its standard error over seeds.

``--small-trials N`` also searches among sharing plans on the smaller backbone, and on those of
``--small-backbones``: N trials, both baselines included, limited to the FLOPs of the pruned
networks and trained for as many epochs. The row ``smaller backbone, found by search`` is the trial
that ``mtlsearch export --trial best`` takes. On one backbone, no plan needs fewer FLOPs than
``hard``, so name others, or set ``--flops``: the number to which ``hard`` is pruned.

``--file FILE`` selects another run file, ``--set`` changes settings as in ``mtlsearch search``,
``--small-set`` those of the smaller backbone only, such as ``backbone.checkpoint_path=null``.
Weights that only the larger backbone starts from favor it: start both from weights, or neither.

The benchmark can be interrupted and resumes with the same command. Run directories are in a
folder beside the table; use one command per table.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch
from table import append

from mtlsearch.config import load_run
from mtlsearch.registry import ResolvedRun, build_registry
from mtlsearch.results import TaskResult, TrialRecord, delta_m
from mtlsearch.runs import CompressSettings, compress, open_session, run_search, select_trial
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, read_records
from mtlsearch.training import resolve_device

SCENES = Path(__file__).parents[1] / "examples" / "scenes.yaml"
TEACHERS = ("none", "trial", "independent")
FOUND = "smaller backbone, found by search"
IMPORTANCES = ("taylor", "weights")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=SCENES, help="run file")
    parser.add_argument("--small", required=True, metavar="BACKBONE", help="smaller backbone")
    parser.add_argument(
        "--small-trials", type=int, default=0, metavar="N", help="trials of a search among networks"
    )
    parser.add_argument(
        "--small-backbones",
        nargs="*",
        default=[],
        metavar="BACKBONE",
        help="backbones that this search also tries",
    )
    parser.add_argument(
        "--flops", type=float, metavar="F", help="default: those of `hard` on the smaller backbone"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of fine-tuning")
    parser.add_argument("--importance", nargs="+", default=["taylor"], choices=IMPORTANCES)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--small-set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    return parser.parse_args()


def trained(
    file: Path, overrides: Sequence[str], folder: Path, device: torch.device
) -> tuple[ResolvedRun, dict[str, TrialRecord]]:
    """Train both baselines, or read them; return them by name."""
    resolved = build_registry().resolve(
        load_run(file, [*overrides, "search.trials=2"], env=os.environ)
    )
    run_search(resolved, folder, device=device, progress=NullProgress())
    records = read_records(folder, resolved.config)
    baselines = {str(record.baseline): record for record in records if record.state == "complete"}
    if baselines.keys() < {"independent", "hard"}:
        raise SystemExit(f"a baseline failed in {folder}: see `mtlsearch leaderboard {folder}`")
    return resolved, baselines


def best_small(
    file: Path, overrides: Sequence[str], folder: Path, device: torch.device
) -> TrialRecord:
    """Search among networks, or resume; return the trial that export takes."""
    resolved = build_registry().resolve(load_run(file, overrides, env=os.environ))
    run_search(resolved, folder, device=device, progress=NullProgress())
    records = read_records(folder, resolved.config)
    record = select_trial(folder, resolved.config, records, "best", print)
    if record.over_limits:
        raise SystemExit(f"no network in {folder} is within the limit of FLOPs")
    return record


def fill_seed(options: argparse.Namespace, seed: int, device: torch.device) -> None:
    """Train all networks of a seed that are not in the table."""
    done = keys_in(options.out)
    folder = options.out.with_suffix("") / f"seed{seed}"
    settings = [*options.set, f"seed={seed}"]
    resolved, large = trained(options.file, settings, folder / "large", device)
    epochs = resolved.config.train.epochs + options.epochs
    small_settings = [f"backbone.name={options.small}", f"train.epochs={epochs}"]
    _, small = trained(
        options.file, [*settings, *small_settings, *options.small_set], folder / "small", device
    )
    reference = large["independent"].results
    rows = {"hard": large["hard"], "smaller backbone": small["hard"]}
    flops = small["hard"].flops if options.flops is None else round(options.flops)
    if flops >= large["hard"].flops:
        raise SystemExit(f"{flops} FLOPs are not fewer than those of `hard` on the larger backbone")
    if options.small_trials and (seed, FOUND) not in done:
        backbones = ", ".join(dict.fromkeys([options.small, *options.small_backbones]))
        searched = [
            *(f"backbone.name=[{backbones}]", f"train.epochs={epochs}", f"limits.flops={flops}"),
            f"search.trials={options.small_trials}",
        ]
        rows[FOUND] = best_small(
            options.file, [*settings, *searched, *options.small_set], folder / "found", device
        )
    directory = RunDirectory(folder / "large")
    session = None
    for importance in options.importance:
        for teacher in TEACHERS:
            variant = f"pruned ({importance}), teacher {teacher}"
            if (seed, variant) in done:
                continue
            session = session or open_session(
                resolved, directory, device=device, progress=NullProgress()
            )
            chosen = CompressSettings(f"{flops}", options.epochs, importance, teacher)
            rows[variant] = compress(
                session, directory, large["hard"], chosen, progress=NullProgress()
            )
    for variant, record in rows.items():
        if (seed, variant) not in done:
            append(pd.DataFrame([row_of(seed, variant, record, reference)]), options.out)


def row_of(
    seed: int, variant: str, record: TrialRecord, reference: Mapping[str, TaskResult]
) -> dict[str, object]:
    """Return the row of one network."""
    value, _ = delta_m(record.results, reference)
    metrics = {
        f"{task}.{name}": number
        for task, result in sorted(record.results.items())
        for name, number in result.metrics.items()
    }
    return {
        "seed": seed,
        "variant": variant,
        "delta_m": math.nan if value is None else value,
        **metrics,
        "parameters": record.parameters,
        "flops": record.flops,
        "seconds": round(record.seconds, 1),
    }


def keys_in(path: Path) -> set[tuple[int, str]]:
    """Return seed and variant of all rows in the table."""
    if not path.is_file():
        return set()
    return set(pd.read_csv(path)[["seed", "variant"]].itertuples(index=False, name=None))


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return Δm and cost by variant, over seeds."""
    groups = table.groupby("variant", sort=False)
    return pd.DataFrame(
        {
            "seeds": groups.size(),
            "Δm %": groups["delta_m"].mean(),
            "±": groups["delta_m"].sem(),
            "M FLOPs": groups["flops"].mean() / 1e6,
            "M params": groups["parameters"].mean() / 1e6,
            "s": groups["seconds"].mean(),
        }
    )


def main() -> None:
    """Fill the table and print its summary."""
    options = parse()
    device = resolve_device(options.device)
    for seed in range(options.seeds):
        fill_seed(options, seed, device)
        print(summarize(pd.read_csv(options.out)).to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
