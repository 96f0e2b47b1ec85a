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
    rows = _rows(epochs)
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def history_columns(epochs: Sequence[EpochRecord]) -> dict[str, list[float]]:
    """Return losses and metrics in the form of :func:`read_history`.

    Args:
        epochs: at least one epoch, in order.

    Returns:
        Numbers by column, one per epoch.
    """
    rows = _rows(epochs)
    return {name: [row[name] for row in rows] for name in rows[0]}


def _rows(epochs: Sequence[EpochRecord]) -> list[dict[str, float]]:
    return [
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


def read_history(path: Path) -> dict[str, list[float]]:
    """Read the losses and metrics of a trial per epoch.

    Args:
        path: the CSV file that :func:`write_history` wrote.

    Returns:
        Numbers by column, such as ``epoch`` (from 0), ``boxes.loss`` and ``boxes.mAP``, one per
        epoch; NaN where undefined. Empty if the file does not exist or contains no numbers.
    """
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = rows[0] if rows else {}
    return {name: [float(row[name] or "nan") for row in rows] for name in columns}
