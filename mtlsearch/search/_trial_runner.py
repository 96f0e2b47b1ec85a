"""A trial run to where it ends for now: to its end, or to a rung."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.results import (
    TaskResult,
    TrialRecord,
    delta_m,
    objective_values,
    reference_at,
    reference_of,
    rung_ranks,
)
from mtlsearch.search._baseline_advice import baseline_next_step
from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._rejection import reject
from mtlsearch.search._successive_halving import Promotion, SuccessiveHalving
from mtlsearch.search.space import Proposal, ResourceLimits
from mtlsearch.study import TrialStore


@dataclass(frozen=True, slots=True)
class TrialRunner:
    """Runs trials, a leg at a time, and writes down what came of it, whatever happens.

    Attributes:
        evaluator: measures candidates.
        store: remembers them.
        progress: watches.
        early_stopping: how far each is to go.
        limits: what a network may cost; None for whatever it likes.
    """

    evaluator: Evaluator
    store: TrialStore
    progress: SearchProgress
    halving: SuccessiveHalving
    limits: ResourceLimits | None = None

    def start(self, proposal: Proposal) -> None:
        """Measure a new candidate, to its first rung or to the end; not one over the limits.

        Raises:
            RunError: it is the ``independent`` baseline, and cannot be measured.
        """
        cost = self.evaluator.cost(proposal.candidate)
        latency, over = (
            self.limits.check(proposal.candidate) if self.limits is not None else (None, "")
        )
        record = TrialRecord(
            number=0,
            state="running",
            baseline=proposal.baseline,
            candidate=proposal.candidate,
            parameters=cost.parameters,
            flops=cost.flops,
            latency=latency,
            over_limits=over,
        )
        epochs = self.halving.next_epochs(record, self.store.records())
        record = self.store.start(record, proposal.params, proposal.distributions)
        if over and proposal.baseline is None:
            reject(record, self.store, self.progress)
        else:
            self._run(record, epochs)

    def resume(self, promotion: Promotion) -> None:
        """Train a stopped trial on."""
        self.progress.trial_promoted(promotion.record.number, promotion.epochs, promotion.reason)
        record = self.store.write(replace(promotion.record, state="running"))
        self._run(record, promotion.epochs)

    def _run(self, record: TrialRecord, epochs: int | None) -> None:
        began = time.monotonic()
        try:
            measurement = self.evaluator.measure(
                record.number, record.candidate, self.progress, epochs
            )
        except TrainingError as error:
            self._finish(_failed(record, error.what, began), error.next_step)
        except Exception as error:
            self.store.finish(_failed(record, f"{type(error).__name__}: {error}", began), None)
            raise
        except BaseException:
            self._interrupted(record, began)
            raise
        else:
            self._measured(record, measurement, epochs)

    def _interrupted(self, record: TrialRecord, began: float) -> None:
        if record.rung_results:  # it goes back to the rung it came from
            self.store.write(replace(record, state="paused"))
            return
        seconds = record.seconds + time.monotonic() - began
        reason = "stopped before it ended"
        self.store.finish(
            replace(record, state="interrupted", reason=reason, seconds=seconds), None
        )

    def _measured(self, record: TrialRecord, found: Measurement, epochs: int | None) -> None:
        rungs = {
            at: found.results_by_epoch[at]
            for at in self.halving.rungs
            if at in found.results_by_epoch
        }
        record = replace(
            record,
            epochs=found.epochs,
            seconds=found.seconds,
            note=found.note,
            rung_results=rungs,
            val_images=found.val_images,
        )
        if epochs is None or epochs == self.halving.epochs:
            self._finish(replace(record, state="complete", results=found.results))
        else:
            self._stop(replace(record, state="paused"), epochs)

    def _stop(self, record: TrialRecord, epoch: int) -> None:
        """End a leg at a rung; what cannot be compared there fails."""
        value, reason = delta_m(
            record.rung_results.get(epoch, {}), reference_at(self.store.records(), epoch)
        )
        if value is None:
            self._finish(replace(record, state="failed", reason=f"at epoch {epoch}: {reason}"))
            return
        self.store.write(record)
        promotion = self.halving.promotion(self.store.records())
        if promotion is None or promotion.record.number != record.number:
            known = rung_ranks(self.store.records(), self.halving.objectives)
            self._tell(record, value, str(known[record.number]))

    def _finish(self, record: TrialRecord, advice: str | None = None) -> None:
        is_reference = record.baseline == "independent"
        reference = record.results if is_reference else self._reference()
        value: float | None = None
        if record.state == "complete":
            value, reason = delta_m(record.results, reference)
            if value is None:
                record = replace(record, state="failed", reason=reason)
        self.store.finish(
            record, objective_values(record, self.store.records(), self.store.objectives)
        )
        self._tell(record, value, record.reason)
        if not is_reference:
            return
        if record.state == "failed":
            raise RunError(
                "the independent baseline cannot be measured, and without it nothing ranked: "
                f"{record.reason}",
                where=f"trial {record.number}",
                next_step=baseline_next_step(record, advice),
            )
        for rung, reason in self.halving.invalid_rungs(self.store.records()):
            self.progress.note(f"no trial stops at epoch {rung}: {reason}")

    def _tell(self, record: TrialRecord, delta_m: float | None, reason: str) -> None:
        self.progress.trial_finished(record.number, record.state, delta_m, record.seconds, reason)
        best = self.store.best()
        if best is not None:
            self.progress.best(*best)

    def _reference(self) -> Mapping[str, TaskResult]:
        return reference_of(self.store.records())


def _failed(record: TrialRecord, reason: str, began: float) -> TrialRecord:
    seconds = record.seconds + time.monotonic() - began
    return replace(record, state="failed", reason=reason, seconds=seconds)
