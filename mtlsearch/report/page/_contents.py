"""Everything that a page shows, read from a run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.affinity import Affinity, read_affinity
from mtlsearch.errors import BackboneError
from mtlsearch.files import load_json
from mtlsearch.report._learning_curves import History
from mtlsearch.results import TrialRecord
from mtlsearch.runs import (
    load_cut_backbone,
    rank_trials,
    read_environments,
    read_history,
    read_verdict,
)
from mtlsearch.search.estimate import Estimate
from mtlsearch.study import RunDirectory, StudyView, read_importances, read_view, with_artifacts

if TYPE_CHECKING:
    import pandas as pd

    from mtlsearch.config import RunConfig
    from mtlsearch.plan import UnitSpec
    from mtlsearch.search import Verdict


@dataclass(frozen=True, slots=True)
class RunContents:
    """A run as the page shows it.

    Attributes:
        name: name of the run directory.
        path: the run directory.
        config: its run file.
        run_file: the run file as text.
        records: all trials, by number.
        repeats: trainings of trials with other seeds.
        verdict: the verdict; None if the trials allow none.
        frame: the leaderboard with all metrics and their standard errors.
        primary: columns of the primary metrics.
        units: units by backbone; empty if the backbone cannot be built here.
        history_by_trial: losses and metrics per epoch by trial number.
        importance_by_param: importance of the searched params; empty if only plans were searched.
        num_importance_trials: number of trials behind these importances.
        affinity: the task affinity; None if it was not measured.
        estimate: the estimate of all plans; None if it was not made.
        environments: versions and hardware of the search.
        notes: what could not be read, in sentences.
        compressed: compressed trials, by number.
    """

    name: str
    path: Path
    config: RunConfig
    run_file: str
    records: tuple[TrialRecord, ...]
    repeats: tuple[TrialRecord, ...]
    verdict: Verdict | None
    frame: pd.DataFrame
    primary: tuple[str, ...]
    units: Mapping[str, Sequence[UnitSpec]]
    history_by_trial: Mapping[int, History]
    importance_by_param: Mapping[str, float] = field(default_factory=dict)
    num_importance_trials: int = 0
    affinity: Affinity | None = None
    estimate: Estimate | None = None
    environments: Sequence[Mapping[str, str]] = ()
    notes: tuple[str, ...] = ()
    compressed: tuple[TrialRecord, ...] = ()

    @property
    def record_by_number(self) -> dict[int, TrialRecord]:
        """All trials and compressed trials by number."""
        return {record.number: record for record in (*self.records, *self.compressed)}

    @property
    def baselines(self) -> dict[str, TrialRecord]:
        """The complete baselines by name, ``independent`` first."""
        complete = [record for record in self.records if record.state == "complete"]
        by_name = {record.baseline: record for record in complete if record.baseline}
        return {str(name): by_name[name] for name in ("independent", "hard") if name in by_name}

    @property
    def continuation_by_trial(self) -> dict[int, int]:
        """The next trial with the same candidate, by number of an interrupted trial."""
        next_by_digest: dict[str, int] = {}
        continuations = {}
        for record in sorted(self.records, key=lambda record: -record.number):
            digest = record.candidate.digest
            if record.state == "interrupted" and digest in next_by_digest:
                continuations[record.number] = next_by_digest[digest]
            next_by_digest[digest] = record.number
        return continuations

    @property
    def not_counted(self) -> frozenset[str]:
        """Metrics as ``TASK.METRIC`` that Δm does not count, as the baseline is near its bound."""
        return frozenset(self.frame.attrs.get("not_counted", ()))

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of the verdict, or the one with the highest Δm; None without either."""
        number = self.frame.attrs.get("best")
        return None if number is None else self.record_by_number.get(number)

    @property
    def recommended(self) -> TrialRecord | None:
        """The trial that the verdict recommends; the best trial without a verdict."""
        if self.verdict is None:
            return self.best
        return self.record_by_number.get(self.verdict.recommended)

    @property
    def role_by_trial(self) -> dict[int, str]:
        """Role by trial number: ``best`` comes after the baselines, which keep theirs."""
        roles = {} if self.best is None else {self.best.number: "best"}
        return roles | {record.number: name for name, record in self.baselines.items()}

    @property
    def ranked_plans(self) -> list[TrialRecord]:
        """The complete trials in the order of the leaderboard, the first one of each plan."""
        first: dict[str, TrialRecord] = {}
        for number in self.frame["trial"]:
            record = self.record_by_number[int(number)]
            if record.state == "complete":
                first.setdefault(record.candidate.plan.digest, record)
        return [*first.values()]

    def units_of(self, record: TrialRecord) -> Sequence[UnitSpec]:
        """Return the units of a trial's backbone; empty if they are unknown.

        Args:
            record: a trial.

        Returns:
            Units in depth order, as many as the trial's plan has.
        """
        units = self.units.get(record.candidate.backbone or self.config.backbone.names[0], ())
        return units if len(units) == len(record.candidate.plan.rows) else ()


def read_contents(out: Path, config: RunConfig, *, with_units: bool = True) -> RunContents:
    """Read a run directory; open neither data nor weights, and write nothing.

    Args:
        out: run directory.
        config: its run file.
        with_units: whether to build the backbones, which takes seconds, for their units.

    Returns:
        The contents.

    Raises:
        RunError: the folder is not a run directory, or a file in it is damaged.
    """
    run = with_artifacts(RunDirectory(out), config.search.artifacts, config.settings_digest)
    view = read_view(out, config)
    records = view.records
    verdict = read_verdict(out, config)
    notes: list[str] = []
    importances, num_trials = (
        read_importances(out, config) if _searches_more_than_plans(config) else ({}, 0)
    )
    frame, primary = _frames(out, config, view, verdict)
    return RunContents(
        name=out.resolve().name,
        path=out,
        config=config,
        run_file=run.config.read_text(encoding="utf-8"),
        records=records,
        repeats=view.repeats,
        compressed=view.compressed,
        verdict=verdict,
        frame=frame,
        primary=primary,
        units=_units(config, notes) if with_units else {},
        history_by_trial={
            record.number: history
            for record in view.networks
            if record.state in ("complete", "paused")
            and (history := read_history(run.fetch(run.history(record.number))))
        },
        importance_by_param=importances,
        num_importance_trials=num_trials,
        affinity=read_affinity(run.affinity) if run.affinity.is_dir() else None,
        estimate=_estimate(run),
        environments=read_environments(out),
        notes=tuple(notes),
    )


def _frames(
    out: Path, config: RunConfig, view: StudyView, verdict: Verdict | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the leaderboard with all metrics, and the names of the primary ones."""
    frame = rank_trials(out, config, view, verdict, all_metrics=True, with_errors=True)
    primary = {
        f"{task}.{spec.name}"
        for record in view.records
        for task, result in record.results.items()
        for spec in result.specs
        if spec.primary
    }
    return frame, tuple(sorted(primary))


def _searches_more_than_plans(config: RunConfig) -> bool:
    search = config.search
    return (
        search.loss_weights == "search"
        or search.learning_rate is not None
        or len(search.balancers) > 1
        or len(search.distillation_options) > 1
        or any(isinstance(option.alpha, tuple) for option in search.distillation_options)
        or len(search.attention_options) > 1
        or len(config.backbone.names) > 1
    )


def _units(config: RunConfig, notes: list[str]) -> dict[str, Sequence[UnitSpec]]:
    units: dict[str, Sequence[UnitSpec]] = {}
    for name in config.backbone.names:
        try:
            units[name] = load_cut_backbone(config, name, should_load_weights=False).units
        except BackboneError as error:
            notes.append(
                f"The units of {name} are unknown, because it cannot be built here: {error.what}."
            )
    return units


def _estimate(run: RunDirectory) -> Estimate | None:
    if not run.estimate.is_file():
        return None
    return Estimate.from_json(load_json(run.estimate.read_text(encoding="utf-8")))
