"""``history.csv`` has one row per epoch."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from mtlsearch.runs._history import write_history
from mtlsearch.training import EpochRecord


def test_write_history_writes_one_row_per_epoch(tmp_path: Path) -> None:
    epochs = tuple(
        EpochRecord(
            epoch,
            {"a": 1.5 - epoch, "b": 2.0},
            {"a": {"acc": 0.1 * epoch}, "b": {"x": math.nan}},
            3,
        )
        for epoch in range(3)
    )
    path = tmp_path / "trials" / "0000" / "history.csv"
    write_history(path, epochs)
    table = pd.read_csv(path)
    assert list(table.columns) == ["epoch", "seconds", "a.loss", "b.loss", "a.acc", "b.x"]
    assert table["epoch"].tolist() == [0, 1, 2]
    assert table["a.loss"].tolist() == [1.5, 0.5, -0.5]
    assert table["a.acc"].tolist() == [0.0, 0.1, 0.2]
    assert table["b.x"].isna().all()
    assert [file.name for file in path.parent.iterdir()] == ["history.csv"]
