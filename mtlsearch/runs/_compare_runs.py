"""Comparison of several runs: their best trials, and in what the runs differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.config import RunConfig, describe_difference, difference
from mtlsearch.errors import ConfigError
from mtlsearch.runs._confirm import rank_trials, read_verdict
from mtlsearch.study import RunDirectory, read_stored, read_view

if TYPE_CHECKING:
    import pandas as pd

    from mtlsearch.data import DataDigest

SECTIONS = {"data": "data", "tasks": "tasks", "train": "training", "seed": "seed"}
"""First part of a key, and the mark of a run that differs in it."""

UNIMPORTANT = ("data.cache", "data.num_workers", "data.allow_outside_root", "train.log")
"""Keys of these sections that change no result."""

IMAGES = "data.images"
"""Stands for the images and labels of ``train`` and ``val`` among the keys of a difference."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Leaderboards of several runs, and in what each differs from the first one.

    Attributes:
        frame_by_run: leaderboards by run directory.
        keys_by_run: of each other run than the first one, the keys in which it differs and that
            change metrics of a plan; ``data.images`` if images or labels differ.
        remarks: what differs and what that means for the comparison, in lines.
    """

    frame_by_run: Mapping[str, pd.DataFrame]
    keys_by_run: Mapping[str, Sequence[str]]
    remarks: Sequence[str]

    @property
    def not_counted_by_run(self) -> Mapping[str, Sequence[str]]:
        """Metrics that Δm of a run does not count, by run directory."""
        return {run: frame.attrs.get("not_counted", ()) for run, frame in self.frame_by_run.items()}

    def table(self, top: int) -> pd.DataFrame:
        """Return the first trials of each run, and its baselines.

        Args:
            top: number of trials per run besides its baselines.

        Returns:
            Columns ``run``, ``differs`` (such as ``training, seed``; empty for the first run),
            ``trial``, ``baseline``, ``delta_m``, ``expected_delta_m``, ``expected_delta_m_sd``, the
            metrics, ``params``, ``flops`` and ``plan``.
        """
        import pandas as pd

        names = {str(name) for frame in self.frame_by_run.values() for name in frame.columns}
        columns = [
            *("run", "differs", "trial", "baseline"),
            *("delta_m", "expected_delta_m", "expected_delta_m_sd"),
            *sorted(name for name in names if "." in name),
            *("params", "flops", "plan"),
        ]
        parts = []
        for run, frame in self.frame_by_run.items():
            marks = {
                SECTIONS.get(key.split(".")[0], "backbone") for key in self.keys_by_run.get(run, ())
            }
            complete = frame[frame["state"] == "complete"]
            is_baseline = complete["baseline"].notna()
            chosen = complete[is_baseline | ((~is_baseline).cumsum() <= top)]
            parts.append(
                chosen.assign(run=run, differs=", ".join(sorted(marks))).reindex(columns=columns)
            )
        return pd.concat(parts, ignore_index=True)


def compare_runs(config_by_run: Mapping[str, RunConfig]) -> RunComparison:
    """Compare runs with at least one task in common.

    Args:
        config_by_run: run files by run directory.

    Returns:
        The comparison.

    Raises:
        ConfigError: there are fewer than two runs, or one has no task in common with the first.
    """
    first, *others = _checked(config_by_run)
    keys_by_run = {run: differing_keys(config_by_run[first], config_by_run[run]) for run in others}
    digest_by_run = {
        run: read_stored(RunDirectory(Path(run)), config)[1]
        for run, config in config_by_run.items()
    }
    for run, keys in keys_by_run.items():
        before, now = digest_by_run[first], digest_by_run[run]
        if before is None or now is None:
            continue  # runs of an earlier version
        if before != now and _differ(before, now):
            keys.append(IMAGES)
        elif "data.root" in keys:
            keys.remove("data.root")  # the same data in another folder
    remarks = [
        line
        for run, keys in keys_by_run.items()
        for line in _remarks(config_by_run[first], config_by_run[run], first, run, keys)
    ]
    frames = {run: _leaderboard(Path(run), config) for run, config in config_by_run.items()}
    return RunComparison(frames, keys_by_run, remarks)


def _differ(before: DataDigest, now: DataDigest) -> bool:
    from mtlsearch.data import describe_changes

    return bool(describe_changes(before, now))


def _checked(config_by_run: Mapping[str, RunConfig]) -> list[str]:
    if len(config_by_run) < 2:
        raise ConfigError(
            "two or more different runs are needed",
            where=" ".join(config_by_run),
            next_step="name each run directory once",
        )
    first, *others = config_by_run
    kinds = {name: task.kind for name, task in config_by_run[first].tasks.items()}
    for other in others:
        tasks = config_by_run[other].tasks
        if not any(kinds.get(name) == task.kind for name, task in tasks.items()):
            raise ConfigError(
                f"the run has no task in common with {first}, so nothing can be compared",
                where=other,
                allowed=[f"{name} ({kind})" for name, kind in kinds.items()],
                next_step="compare runs of the same tasks",
            )
    return [first, *others]


def _leaderboard(run: Path, config: RunConfig) -> pd.DataFrame:
    view = read_view(run, config)
    return rank_trials(run, config, view, read_verdict(run, config, view))


def differing_keys(first: RunConfig, other: RunConfig) -> list[str]:
    """Return the keys in which two runs differ and which change metrics of a plan.

    Args:
        first: run file of the first run.
        other: run file of another run.

    Returns:
        The keys of ``data``, ``tasks``, ``train``, ``seed`` and ``backbone``.
    """
    return [
        key
        for key in difference(first, other)
        if key.split(".")[0] in {*SECTIONS, "backbone"} and not key.startswith(UNIMPORTANT)
    ]


def _remarks(
    first: RunConfig, other: RunConfig, first_run: str, other_run: str, keys: Sequence[str]
) -> Iterator[str]:
    """Yield what differs between two runs, and what that means for the comparison."""
    sections = {key.split(".")[0] for key in keys}
    if not sections:
        return
    yield f"{other_run} differs from {first_run}:"
    for key in keys:
        if key == IMAGES:
            yield "  the images or labels of `train` and `val` differ"
            continue
        text = describe_difference(first, other, key)
        text = text.removesuffix(" now").replace(" in this run ", f" in {first_run} ")
        yield f"  {text} in {other_run}"
    if sections & {"data", "tasks"}:
        yield "  Metrics and Δm were measured differently and are not comparable."
    elif sections & {"train", "backbone"}:
        yield "  Metrics are comparable. Δm is not: it refers to another independent baseline."
    else:
        yield "  The seed differs: differences are partly noise."
