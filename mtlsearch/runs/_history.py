"""``history.csv``: losses, metrics and learning rate of a trial per epoch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.runs._trial_log import logged_values

if TYPE_CHECKING:
    from mtlsearch.training import EpochRecord


def history_columns(epochs: Sequence[EpochRecord]) -> dict[str, list[float]]:
    """Return losses, metrics and learning rates in the form of :func:`read_history`.

    Args:
        epochs: at least one epoch, in order.

    Returns:
        Numbers by column, one per epoch.
    """
    rows = [
        {"epoch": record.epoch, "seconds": record.seconds, **logged_values(record)}
        for record in epochs
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def read_history(path: Path) -> dict[str, list[float]]:
    """Read the losses and metrics of a trial per epoch.

    Args:
        path: the ``history.csv`` of a trial, which a logger wrote.

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
