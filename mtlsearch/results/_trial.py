"""Trial record: the stored values of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from mtlsearch.errors import PlanError, RunError, describe_invalid
from mtlsearch.plugin import Candidate
from mtlsearch.results._latency import Latency
from mtlsearch.results._result import MAPPING_TO_JSON, Number, TaskResult

State = Literal["running", "complete", "paused", "failed", "interrupted", "infeasible"]
"""State of a trial. Only ``complete`` trials are ranked. A ``paused`` trial may resume. An
``infeasible`` candidate exceeds a limit. It is not trained, unless training shows the excess."""

FINISHED_STATES = ("complete", "paused", "failed")
"""States of trials that count toward ``search.trials``. Their candidates do not run again."""

Baseline = Literal["independent", "hard"]
"""Baseline that a trial is."""

Results = Mapping[str, TaskResult]
"""Results by task."""


@dataclass(frozen=True, slots=True)
class ProposalBasis:
    """What a worker knew when it proposed a trial, from which the proposal follows.

    Attributes:
        seed: seed of the sampler; None if the candidate was not sampled, as a second seed.
        num_trials: trials from this number on were unknown.
        num_finished: number of finished trials.
        pending: numbers of the known trials that other workers trained at the time. All other
            known trials had ended.
    """

    seed: int | None
    num_trials: int
    num_finished: int
    pending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptCost:
    """Cost of the network in use that a trial extends.

    Attributes:
        parameters: number of scalars in the weights, heads included.
        flops: FLOPs for one image, heads included.
        latency_ms: latency of one image in milliseconds; None if not measured.
        drops: by task whose units the trial tuned, how much its primary metric is worse than that
            of the network in use, in percent; negative if it is better.
        metrics: the metrics of these tasks by name.
    """

    parameters: int
    flops: int
    latency_ms: float | None = None
    drops: Annotated[Mapping[str, Number], MAPPING_TO_JSON] = field(default_factory=dict)
    metrics: Mapping[str, Annotated[Mapping[str, Number], MAPPING_TO_JSON]] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class Compression:
    """How the network of a trial was compressed.

    Attributes:
        parent: number of the trial.
        flops: the largest number of FLOPs for one image.
        importance: which channels were removed first: ``taylor`` or ``weights``.
        teacher: the targets of distillation: ``trial``, ``independent`` or ``none``.
        alpha: factor of the distillation loss.
        learning_rate: peak learning rate of the fine-tuning.
        seed: seed of order and augmentation.
    """

    parent: int
    flops: float
    importance: str
    teacher: str
    alpha: float
    learning_rate: float
    seed: int

    def __str__(self) -> str:
        """Return such as ``trial 9 pruned (taylor), teacher trial``."""
        return f"trial {self.parent} pruned ({self.importance}), teacher {self.teacher}"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """The values of one trial, as they are stored.

    A new field needs a default, so that older records can be read.

    Attributes:
        number: index in the study, from 0.
        state: state of the trial.
        baseline: baseline that the trial is; None for a proposed candidate.
        candidate: what the trial trains.
        parameters: number of scalars in the weights, heads included.
        flops: floating-point operations for one image (2 per multiply-add), heads included.
        results: results by task; empty unless complete, or infeasible after a training.
        epochs: number of epochs with results: all of a complete trial, those up to the last rung
            of a paused trial, 0 of a trial that failed or was interrupted before a rung.
        seconds: wall time of training and evaluation, which a resumed trial adds to. A trial that
            failed or was interrupted has the seconds until it ended, with 0 epochs before a rung.
        reason: why the trial is not complete; empty for complete trials.
        note: remark on the results, such as smaller batches; empty if there is none.
        latency: latency of the network; None if not measured.
        over_limits: which limits the network exceeds; empty if none. Such a trial is infeasible;
            a baseline is never the best.
        rung_results: results by task and by epoch, from 1; only with early stopping.
        val_images: number of validation images of the results; None if unknown.
        repeats: of a second seed, the number of the trial whose candidate it trains again.
        seed: of a second seed, the seed of weights, order and augmentation.
        basis: what was known when the trial was proposed; None in records of earlier versions.
        compression: of a compressed trial, how it was made from another trial. Its candidate is
            that of the other trial, its weights have fewer channels.
        kept: of an extension, the cost of the network in use; None for other trials.
    """

    number: int
    state: State
    baseline: Baseline | None
    candidate: Candidate
    parameters: int
    flops: int
    results: Annotated[Results, MAPPING_TO_JSON] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    note: str = ""
    latency: Latency | None = None
    over_limits: str = ""
    rung_results: Annotated[Mapping[int, Annotated[Results, MAPPING_TO_JSON]], MAPPING_TO_JSON] = (
        field(default_factory=dict)
    )
    val_images: int | None = None
    repeats: int | None = None
    seed: int | None = None
    basis: ProposalBasis | None = None
    compression: Compression | None = None
    kept: KeptCost | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "results", _freeze(self.results))
        rung_results = {
            epoch: _freeze(results) for epoch, results in sorted(self.rung_results.items())
        }
        object.__setattr__(self, "rung_results", MappingProxyType(rung_results))

    @property
    def plan(self) -> str:
        """The sharing plan as text, with the origins of new tasks."""
        return str(self.candidate)

    @property
    def is_finished(self) -> bool:
        """Whether the trial counts toward ``search.trials``; infeasible ones do if trained."""
        return self.state in FINISHED_STATES or (self.state == "infeasible" and bool(self.results))

    @property
    def learning_rate(self) -> float | None:
        """Peak learning rate, of a compressed trial that of its fine-tuning; None: the run's."""
        if self.compression is not None:
            return self.compression.learning_rate
        return self.candidate.learning_rate

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with the plan as text and the digest of the candidate.

        Returns:
            A dictionary that :meth:`from_json` reads.
        """
        value: dict[str, Any] = _ADAPTER.dump_python(self)
        rungs = {str(epoch): results for epoch, results in value["rung_results"].items()}
        extra = {"plan": self.plan, "digest": self.candidate.digest, "rung_results": rungs}
        return value | extra

    @classmethod
    def from_json(cls, value: object) -> TrialRecord:
        """Return the record that :meth:`to_json` wrote.

        Args:
            value: the JSON form.

        Returns:
            The record.

        Raises:
            RunError: a key is missing or its value is invalid.
        """
        try:
            return _ADAPTER.validate_python(value)
        except (ValidationError, PlanError) as error:
            raise RunError(
                f"a trial's record cannot be read: {describe_invalid(error)}",
                next_step="use the version of mtlsearch that wrote the record, or start a new "
                "search in another run directory",
            ) from error


_ADAPTER = TypeAdapter(TrialRecord)


def _freeze(results: Results) -> Results:
    return MappingProxyType(dict(sorted(results.items())))
