"""``history.csv``: losses and metrics of a trial per epoch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.files import atomic_write

if TYPE_CHECKING:
    from mtlsearch.training import EpochRecord


def write_history(path: Path, epochs: Sequence[EpochRecord]) -> None:
    """Write one row per epoch: mean training loss and validation metrics of each task.

    Args:
        path: the CSV file; its folder is created.
        epochs: at least one epoch, in order.
    """
    rows = [
        {
            "epoch": record.epoch,
            "seconds": round(record.seconds, 3),
            **{f"{task}.loss": loss for task, loss in record.train_losses.items()},
            **{
                f"{task}.{metric}": value
                for task, metrics in record.metrics.items()
                for metric, value in metrics.items()
            },
        }
        for record in epochs
    ]
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
