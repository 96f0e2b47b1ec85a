"""``mtlsearch.compare``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.api._load import load
from mtlsearch.api._run import Run
from mtlsearch.api._terms import in_python_terms
from mtlsearch.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mtlsearch.runs import RunComparison


class Comparison:
    """Several runs beside each other, as they were when they were compared.

    A notebook shows the table, in which ○ marks a metric that Δm of its run does not count.

    Args:
        compared: leaderboards and differences of the runs.

    Attributes:
        differences: of each run but the first, by its directory, the keys of the run file in which
            it differs from the first and which change results.
        remarks: lines of text: what differs, and whether metrics and Δm are comparable; empty if
            no run differs.
        not_counted: of each run, by its directory, the metrics that its Δm does not count.
    """

    def __init__(self, compared: RunComparison) -> None:
        self._compared = compared
        self.differences: Mapping[str, Sequence[str]] = compared.keys_by_run
        self.remarks: Sequence[str] = compared.remarks
        self.not_counted: Mapping[str, Sequence[str]] = compared.not_counted_by_run

    def __repr__(self) -> str:
        return f"Comparison({', '.join(map(repr, self._compared.frame_by_run))})"

    def _repr_html_(self) -> str:
        from mtlsearch.report import NOT_COUNTED

        table = self.table()
        for run, names in self.not_counted.items():
            for name in table.columns.intersection([*names]):
                is_marked = (table["run"] == run) & table[name].notna()
                marked = [f"{NOT_COUNTED} {value}" for value in table.loc[is_marked, name]]
                table[name] = table[name].astype(object)
                table.loc[is_marked, name] = marked
        return table.to_html(index=False)

    def table(self, top: int = 3) -> pd.DataFrame:
        """Return the best trials and the baselines of all runs.

        Args:
            top: number of trials per run besides the baselines.

        Returns:
            One row per trial; column ``differs`` names in what its run differs from the first.
        """
        return self._compared.table(top)

    @in_python_terms
    def plot_fronts(self) -> Figure:
        """Draw Δm against FLOPs with the front of each run.

        Returns:
            A matplotlib figure, which a notebook shows and ``savefig`` writes.

        Raises:
            RunError: no trial has a Δm yet.
        """
        from mtlsearch.report import fronts_figure

        return fronts_figure(self._compared.frame_by_run)


@in_python_terms
def compare(runs: Sequence[Run | str | os.PathLike[str]]) -> Comparison:
    """Compare the trials of several runs, as ``mtlsearch compare``.

    Args:
        runs: two or more runs, or their run directories.

    Returns:
        The comparison.

    Raises:
        RunError: a folder is not a run directory.
        ConfigError: there are fewer than two runs, or no list of them, or one has no task in
            common with the first.
    """
    if isinstance(runs, Run | str | os.PathLike):
        raise ConfigError(
            "compare needs a list of two or more runs, not a single one",
            where=str(runs.path if isinstance(runs, Run) else runs),
            next_step='call `mtlsearch.compare(["results/a", "results/b"])`',
        )

    from mtlsearch.runs import compare_runs

    opened = [item if isinstance(item, Run) else load(Path(item)) for item in runs]
    return Comparison(compare_runs({str(run.path): run.config for run in opened}))
