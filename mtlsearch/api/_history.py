"""Losses and metrics by epoch as a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def history_frame(columns: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return losses and metrics as a frame.

    Args:
        columns: numbers by column, with ``epoch`` from 0; empty without an epoch.

    Returns:
        One row per epoch, indexed from 1.
    """
    import pandas as pd

    frame = pd.DataFrame({name: list(values) for name, values in columns.items()})
    if "epoch" in frame:
        frame.index = pd.Index(frame.pop("epoch").astype(int) + 1, name="epoch")
    return frame
