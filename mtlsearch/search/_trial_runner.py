"""Execution of one trial up to its end or its next rung."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.results import TrialRecord, baseline_remarks, delta_m, objective_values
from mtlsearch.search._baseline_advice import baseline_next_step
from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._rejection import reject
from mtlsearch.search._successive_halving import Promotion, SuccessiveHalving
from mtlsearch.search.space import Proposal, ResourceLimits
from mtlsearch.study import StudyView, TrialStore


@dataclass(frozen=True, slots=True)
class TrialRunner:
    """Runs trials and stores their records, also if training fails or is interrupted.

    Attributes:
        evaluator: measures candidates.
        store: the trials of the run.
        progress: callbacks.
        halving: decides up to which epoch a trial trains.
        limits: limits of the candidate space; None for no limits.
    """

    evaluator: Evaluator
    store: TrialStore
    progress: SearchProgress
    halving: SuccessiveHalving
    limits: ResourceLimits | None = None

    def start(self, proposal: Proposal, view: StudyView) -> None:
        """Run a new trial, up to its first rung or the end; reject it if it is infeasible.

        Args:
            proposal: the candidate and its params.
            view: the study before this trial.

        Raises:
            RunError: the candidate is the ``independent`` baseline and cannot be measured.
        """
        cost = self.evaluator.cost(proposal.candidate)
        latency, over_limits = (
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
            over_limits=over_limits,
        )
        epochs = self.halving.next_epochs(record, view) if self.halving.rungs else None
        record = self.store.start(record, proposal.params, proposal.distributions)
        if over_limits and proposal.baseline is None:
            reject(record, self.store, self.progress)
        else:
            self._run(record, epochs, view)

    def repeat(self, number: int, seed: int, evaluator: Evaluator, view: StudyView) -> None:
        """Train the candidate of a trial in full with another seed.

        Args:
            number: number of the trial, under which the evaluator writes files.
            seed: seed of weights, order and augmentation.
            evaluator: measures candidates with this seed.
            view: the study before this training.
        """
        repeated = next(record for record in view.records if record.number == number)
        record = TrialRecord(
            number=0,
            state="running",
            baseline=repeated.baseline,
            candidate=repeated.candidate,
            parameters=repeated.parameters,
            flops=repeated.flops,
            latency=repeated.latency,
            over_limits=repeated.over_limits,
            repeats=number,
            seed=seed,
        )
        record = self.store.start(record)
        self.progress.note(f"trial {record.number}: seed {seed} of trial {number}")
        self._run(record, None, view, evaluator)

    def resume(self, promotion: Promotion, view: StudyView) -> None:
        """Run a paused trial up to its next rung or the end.

        Args:
            promotion: the trial and its next epoch.
            view: the study before the trial resumes.
        """
        self.progress.trial_promoted(promotion.record.number, promotion.epochs, promotion.reason)
        record = self.store.write(replace(promotion.record, state="running"))
        self._run(record, promotion.epochs, view)

    def _run(
        self,
        record: TrialRecord,
        epochs: int | None,
        view: StudyView,
        evaluator: Evaluator | None = None,
    ) -> None:
        start_time = time.monotonic()
        number = record.number if record.repeats is None else record.repeats
        try:
            measurement = (evaluator or self.evaluator).measure(
                number, record.candidate, self.progress, epochs
            )
        except TrainingError as error:
            self._finish(_failed(record, error.what, start_time), view, error.next_step)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.store.finish(_failed(record, reason, start_time), None)
            raise
        except BaseException:
            self._interrupt(record, start_time)
            raise
        else:
            self._handle_measurement(record, measurement, epochs, view)

    def _interrupt(self, record: TrialRecord, start_time: float) -> None:
        if record.rung_results:  # it returns to the rung from which it was promoted
            self.store.write(replace(record, state="paused"))
            return
        seconds = record.seconds + time.monotonic() - start_time
        reason = "stopped before it ended"
        self.store.finish(
            replace(record, state="interrupted", reason=reason, seconds=seconds), None
        )

    def _handle_measurement(
        self, record: TrialRecord, measurement: Measurement, epochs: int | None, view: StudyView
    ) -> None:
        rung_results = {
            rung: measurement.results_by_epoch[rung]
            for rung in self.halving.rungs
            if rung in measurement.results_by_epoch
        }
        record = replace(
            record,
            epochs=measurement.epochs,
            seconds=measurement.seconds,
            note=measurement.note,
            rung_results={**record.rung_results, **rung_results},
            val_images=measurement.val_images,
        )
        if epochs is None or epochs == self.halving.epochs:
            self._finish(replace(record, state="complete", results=measurement.results), view)
        else:
            self._pause(replace(record, state="paused"), epochs, view)

    def _pause(self, record: TrialRecord, rung: int, view: StudyView) -> None:
        """Pause a trial at a rung; fail it if its Δm is undefined there."""
        value, reason = delta_m(record.rung_results.get(rung, {}), view.reference_results(rung))
        if value is None:
            failed = replace(record, state="failed", reason=f"at epoch {rung}: {reason}")
            self._finish(failed, view)
            return
        self.store.write(record)
        promotion = self.halving.promotion(self.store.view())
        # A trial that is promoted at once is not reported as paused.
        if promotion is None or promotion.record.number != record.number:
            rank = self.store.view().rung_rank(record.number)
            self._report(record, value, str(rank))

    def _finish(self, record: TrialRecord, view: StudyView, advice: str | None = None) -> None:
        is_reference = record.baseline == "independent" and record.repeats is None
        value: float | None = None
        if record.state == "complete":
            reference = record.results if is_reference else view.reference_results()
            value, reason = delta_m(record.results, reference)
            if value is None:
                record = replace(record, state="failed", reason=reason)
        # The second seed of the reference refers to the first one, as all other trials do.
        compared = record if record.repeats is None else replace(record, baseline=None)
        self.store.finish(record, objective_values(compared, view.records, view.objectives))
        self._report(record, value, record.reason)
        if is_reference:
            self._check_reference(record, advice)

    def _check_reference(self, record: TrialRecord, advice: str | None) -> None:
        if record.state == "failed":
            raise RunError(
                "the independent baseline cannot be measured, so no trial can be ranked: "
                f"{record.reason}",
                where=f"trial {record.number}",
                next_step=baseline_next_step(record, advice),
            )
        for text in baseline_remarks(record.results):
            self.progress.note(text)
        for rung, reason in self.halving.invalid_rungs(self.store.view()):
            self.progress.note(f"no trial pauses at epoch {rung}: {reason}")

    def _report(self, record: TrialRecord, delta_m: float | None, reason: str) -> None:
        self.progress.trial_finished(record.number, record.state, delta_m, record.seconds, reason)
        best = self.store.view().best
        if best is not None:
            self.progress.best(*best)


def _failed(record: TrialRecord, reason: str, start_time: float) -> TrialRecord:
    seconds = record.seconds + time.monotonic() - start_time
    return replace(record, state="failed", reason=reason, seconds=seconds)
