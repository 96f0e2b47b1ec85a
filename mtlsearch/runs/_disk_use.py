"""Estimate of what a search writes to the disk of its run directory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlsearch.config import SearchConfig, TrainConfig
from mtlsearch.errors import InfrastructureError
from mtlsearch.study import RunDirectory

BYTES_PER_PARAMETER = 4
"""Weights on disk are float32."""

NUM_BASELINES = 2
"""Trials whose weights always stay on disk."""


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes that a search writes, besides those that its run directory contains.

    Attributes:
        folder: the run directory, or the innermost folder above it that exists.
        least: the baselines and one checkpoint.
        most: an upper bound, as if no trial shared weights.
        free: free bytes on the disk.
    """

    folder: Path
    least: int
    most: int
    free: int

    def require_least(self) -> None:
        """Check that the baselines fit on the disk.

        Raises:
            InfrastructureError: they do not.
        """
        if self.least > self.free:
            raise InfrastructureError(
                f"the disk is too small for this search: it writes at least {_size(self.least)}, "
                f"and {_size(self.free)} are free",
                where=str(self.folder),
                next_step="free space on this disk, or set --out to a folder on another one",
            )

    def warnings(self) -> Sequence[str]:
        """Return a warning if the upper bound does not fit; empty if it fits."""
        if self.most <= self.free:
            return ()
        return (
            f"the search may write up to {_size(self.most)} to {self.folder}, of which "
            f"{_size(self.free)} are free: set `search.keep_weights` to a smaller number, or free "
            "space",
        )


def estimate_disk_use(
    run: RunDirectory, search: SearchConfig, train: TrainConfig, num_parameters: int
) -> DiskUse:
    """Estimate the files of a search: weights and checkpoints.

    Args:
        run: run directory, which may not exist yet.
        search: the ``search`` section of its run file.
        train: the ``train`` section.
        num_parameters: parameters of the independent plan, which has the most, without heads.

    Returns:
        The estimate.
    """
    weights = num_parameters * BYTES_PER_PARAMETER
    # Weights and two moments of each; with averaged weights, one more copy.
    checkpoint = weights * (3 if train.ema is None else 4)
    trials, keep, stopping = search.trials, search.keep_weights, search.early_stopping
    num_rungs = 0 if stopping is None else len(stopping.rungs_of(train.epochs))
    num_kept = trials if keep == "all" else min(trials, keep + NUM_BASELINES + 1)
    num_paused = min(trials, num_rungs * (trials if keep == "all" else keep))
    written = sum(file.stat().st_size for file in run.path.glob("trials/*/*.*"))
    folder = next(path for path in (run.path, *run.path.absolute().parents) if path.is_dir())
    return DiskUse(
        folder,
        least=max(0, min(trials, NUM_BASELINES) * weights + checkpoint - written),
        most=num_kept * weights + (1 + num_paused) * checkpoint - written,
        free=shutil.disk_usage(folder).free,
    )


def _size(num_bytes: int) -> str:
    """Return a number of bytes for a message, such as ``"1.2 GB"``."""
    if num_bytes < 1e9:
        return f"{num_bytes / 1e6:.2g} MB"
    return f"{num_bytes / 1e9:.3g} GB"
