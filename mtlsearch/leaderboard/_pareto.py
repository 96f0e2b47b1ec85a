"""Trials that no other beats in both respects."""

from __future__ import annotations

import numpy as np
import pandas as pd


def pareto_front(
    frame: pd.DataFrame, *, maximise: str = "delta_m", minimise: str = "flops"
) -> pd.Series[bool]:
    """Which rows are on the Pareto front, aligned with the frame.

    A row is on it unless another has at least as much of ``maximise`` for at most as much
    of ``minimise`` and is strictly better in one of them. Rows where either is missing are
    not; of equal rows all are.

    Args:
        frame: what :func:`mtlsearch.leaderboard.leaderboard` gives.
        maximise: the column of which more is better.
        minimise: the column of which less is better.
    """
    gain = frame[maximise].to_numpy(np.float64)
    cost = frame[minimise].to_numpy(np.float64)
    known = np.isfinite(gain) & np.isfinite(cost)
    no_worse = (gain[:, None] >= gain) & (cost[:, None] <= cost)
    better = (gain[:, None] > gain) | (cost[:, None] < cost)
    beaten = (known[:, None] & no_worse & better).any(axis=0)
    return pd.Series(known & ~beaten, index=frame.index, name="pareto", dtype=bool)
