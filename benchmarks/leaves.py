"""What benchmarks of the three tasks of ``examples/leaves.yaml`` share: options, runs and plans."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from table import Row, train_plan

from mtlsearch.config import LoadedRun, load_run
from mtlsearch.plan import SharingPlan
from mtlsearch.registry import build_registry
from mtlsearch.runs import open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

LEAVES = Path(__file__).resolve().parents[1] / "examples" / "leaves.yaml"
NUM_UNITS = 6
TASKS = ("stress", "symptoms", "tissue")
METRICS = ("stress.accuracy", "symptoms.mAP", "tissue.mIoU")


def plans() -> dict[str, SharingPlan]:
    """Return the plans that are trained from the start: ``hard``, and the best one of a search."""
    groups = [["stress"], ["symptoms", "tissue"]]
    return {
        "hard": SharingPlan.hard(TASKS, NUM_UNITS),
        "stress | symptoms+tissue @0": SharingPlan.from_groups([groups] * NUM_UNITS),
    }


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that the benchmarks share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--file", type=Path, default=LEAVES, help="run file of the three tasks")
    parser.add_argument("--image-size", default="[64, 128]", help="pixels, height and width")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--report", action="store_true", help="only print the table")
    return parser


def fill_or_report(
    options: argparse.Namespace,
    fill: Callable[[argparse.Namespace, torch.device], None],
    report: Callable[[Path], None],
) -> None:
    """Print the table with ``--report``, and fill it otherwise."""
    options.data_root = options.data_root.resolve()
    if options.report:
        report(options.out)
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    fill(options, resolve_device(options.device))


def load(options: argparse.Namespace, seed: int, overrides: Sequence[str]) -> LoadedRun:
    """Load the run file with the values of the benchmark."""
    common = [f"data.image_size={options.image_size}", f"seed={seed}"]
    env = {**os.environ, "MTLSEARCH_DATA_ROOT": str(options.data_root)}
    return load_run(options.file, [*common, *overrides], env=env)


def folder_of(options: argparse.Namespace, seed: int) -> Path:
    """Return the folder of the run directories of a seed, which is beside the table."""
    folder: Path = options.out.with_suffix("") / f"seed{seed}"
    return folder


def train_together(run: LoadedRun, plan: SharingPlan, device: torch.device) -> Row:
    """Train a plan; return its costs, and the metrics after the last epoch."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(
            build_registry().resolve(run),
            RunDirectory(Path(folder)),
            device=device,
            progress=NullProgress(),
            check=False,
        )
        last = train_plan(session, plan)[-1]
    return {name.partition(":")[0]: value for name, value in last.items()}
