"""Execution of one trial up to its end or its next rung."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace

from mtlsearch.errors import (
    InfrastructureError,
    MtlsearchError,
    RunError,
    TrainingError,
    infrastructure_error_of,
)
from mtlsearch.results import (
    ProposalBasis,
    TrialRecord,
    baseline_remarks,
    delta_m,
    objective_values,
)
from mtlsearch.search._baseline_advice import baseline_next_step
from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._rejection import reject, with_limits
from mtlsearch.search._successive_halving import Promotion, SuccessiveHalving
from mtlsearch.search.space import Proposal, ResourceLimits
from mtlsearch.study import ClaimLostError, StudyView, TrialStore

Leader = tuple[int, float, tuple[float, float]]
"""Number, measured Δm, and mean and deviation of the expected Δm of the best trial."""

TakeOver = Callable[[Sequence[int], int], None]
"""Function of the numbers of interrupted trials, the last one first, and of the trial that
continues them. It hands over what they left, such as a checkpoint."""

WAIT_SECONDS = 1.0
"""Seconds between two looks at a study in which other workers train what is needed."""


@dataclass(frozen=True, slots=True)
class TrialRunner:
    """Runs trials and stores their records, also if training fails or is interrupted.

    Attributes:
        evaluator: measures candidates.
        store: the trials of the run.
        progress: callbacks.
        halving: decides up to which epoch a trial trains.
        limits: limits of the candidate space; None for no limits.
        take_over: called when a trial continues interrupted ones; None for no call.
        max_failures: failed trials in a row after which :meth:`start`, :meth:`repeat` and
            :meth:`resume` raise an error; None for no limit.
        timeout: seconds after which a trial fails; None for no limit.
        leader_of: returns the trial with the highest expected Δm, which progress shows; None for
            the highest measured Δm.
    """

    evaluator: Evaluator
    store: TrialStore
    progress: SearchProgress
    halving: SuccessiveHalving
    limits: ResourceLimits | None = None
    take_over: TakeOver | None = None
    max_failures: int | None = None
    timeout: float | None = None
    leader_of: Callable[[StudyView], Leader | None] | None = None
    _failures: list[str] = field(default_factory=list)

    def start(
        self,
        proposal: Proposal,
        view: StudyView,
        seed: int | None = None,
        max_new: int | None = None,
    ) -> bool:
        """Run a new trial, up to its first rung or the end; reject it if it is infeasible.

        It continues interrupted trials of the same candidate. Nothing runs if another worker
        has just started the candidate or the last trial.

        Args:
            proposal: the candidate and its params.
            view: the study before this trial.
            seed: seed of the sampler; None if the candidate was not sampled.
            max_new: number of trials that may be added to those of the view; None for no limit.

        Returns:
            Whether the trial was added; False if another worker was first.

        Raises:
            RunError: the candidate is the ``independent`` baseline and cannot be measured, or
                too many trials failed in a row.
            InfrastructureError: a disk, the memory or the storage fails. The trial is interrupted.
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
            basis=basis_of(view, seed),
        )
        former = self.store.interrupted_before(record)
        if former and former[0].rung_results:  # it continues from its last rung
            record = replace(
                record,
                rung_results=former[0].rung_results,
                epochs=former[0].epochs,
                seconds=former[0].seconds,
                val_images=former[0].val_images,
                note=former[0].note,
            )
        epochs = self.halving.next_epochs(record, view) if self.halving.rungs else None
        try:
            record = self.store.start(record, proposal.params, proposal.distributions, max_new)
        except ClaimLostError:
            return False
        if former and self.take_over is not None:
            self.take_over([trial.number for trial in former], record.number)
        if over_limits and proposal.baseline is None:
            reject(record, self.store, self.progress)
        else:
            self._run(record, epochs, view)
        return True

    def repeat(
        self,
        number: int,
        seed: int,
        evaluator: Evaluator,
        view: StudyView,
        max_new: int | None = None,
    ) -> bool:
        """Train the candidate of a trial in full with another seed.

        Args:
            number: number of the trial, under which the evaluator writes files.
            seed: seed of weights, order and augmentation.
            evaluator: measures candidates with this seed.
            view: the study before this training.
            max_new: number of trials that may be added to those of the view; None for no limit.

        Returns:
            Whether the training was added; False if another worker was first.
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
            basis=basis_of(view, None),
        )
        try:
            record = self.store.start(record, max_new=max_new)
        except ClaimLostError:
            return False
        self.progress.note(f"trial {record.number}: seed {seed} of trial {number}")
        self._run(record, None, view, evaluator)
        return True

    def resume(self, promotion: Promotion, view: StudyView) -> bool:
        """Run a paused trial up to its next rung or the end.

        Nothing runs if another worker has just resumed it.

        Args:
            promotion: the trial and its next epoch.
            view: the study before the trial resumes.

        Returns:
            Whether the trial resumed; False if another worker was first.
        """
        try:
            record = self.store.claim(promotion.record)
        except ClaimLostError:
            return False
        self.progress.trial_promoted(record.number, promotion.epochs, promotion.reason)
        self._run(record, promotion.epochs, view)
        return True

    def _run(
        self,
        record: TrialRecord,
        epochs: int | None,
        view: StudyView,
        evaluator: Evaluator | None = None,
    ) -> None:
        try:
            self._measure(record, epochs, view, evaluator)
        except ClaimLostError:
            self.progress.note(
                f"trial {record.number} was given to another worker, since this one gave no sign "
                "of life: its results are not used"
            )

    def _measure(
        self,
        record: TrialRecord,
        epochs: int | None,
        view: StudyView,
        evaluator: Evaluator | None,
    ) -> None:
        start_time = time.monotonic()
        number = record.number if record.repeats is None else record.repeats
        try:
            with self._deadline(record, start_time) as progress:
                measurement = (evaluator or self.evaluator).measure(
                    number, record.candidate, progress, epochs
                )
        except TrainingError as error:
            self._finish(_failed(record, error.what, start_time), view, error.next_step)
        except BaseException as error:  # no other error depends on the candidate alone
            failure = infrastructure_error_of(error)
            reason = _reason_of(error if failure is None else failure)
            # If the storage fails too, the next start marks the trial.
            with suppress(InfrastructureError, OSError, ClaimLostError):
                self._interrupt(record, start_time, reason)
            if failure is None or failure is error:
                raise
            raise failure from error
        else:
            self._handle_measurement(record, measurement, epochs, view)

    def _deadline(
        self, record: TrialRecord, start_time: float
    ) -> AbstractContextManager[SearchProgress]:
        """Return the progress callbacks of a trial, which fail it after the timeout."""
        if self.timeout is None:
            return nullcontext(self.progress)
        from mtlsearch.search._trial_timeout import TrialTimeout

        def fail(reason: str) -> None:
            self.store.finish(_failed(record, reason, start_time), None)

        return TrialTimeout(self.progress, self.timeout, fail)

    def _interrupt(self, record: TrialRecord, start_time: float, reason: str) -> None:
        if record.rung_results:  # it returns to the rung from which it was promoted
            self.store.write(replace(record, state="paused"))
            return
        seconds = record.seconds + time.monotonic() - start_time
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
            kept=measurement.kept,
        )
        if epochs is None or epochs == self.halving.epochs:
            record = replace(record, state="complete", results=measurement.results)
            if measurement.over_limits:
                record = with_limits(record, measurement.over_limits)
            self._finish(record, view)
        else:
            self._pause(replace(record, state="paused"), epochs, view)

    def _pause(self, record: TrialRecord, rung: int, view: StudyView) -> None:
        """Pause a trial at a rung; fail it if its Δm is undefined there."""
        # A trial pauses only if its reference was complete when it started.
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
        if record.state == "complete" and not is_reference and view.reference is None:
            view = self.store.update()
            if view.reference is None and self.store.is_shared:
                # Another worker still trains the reference: the store ends the trial after it.
                self.store.write(record)
                self._report(record, None, record.reason)
                return
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
            raise reference_error(record, advice)
        for text in baseline_remarks(record.results):
            self.progress.note(text)
        for rung, reason in self.halving.invalid_rungs(self.store.view()):
            self.progress.note(f"no trial pauses at epoch {rung}: {reason}")

    def _report(self, record: TrialRecord, delta_m: float | None, reason: str) -> None:
        metrics = _primary_metrics(record)
        self.progress.trial_finished(
            record.number, record.state, delta_m, record.seconds, reason, metrics
        )
        view = self.store.view()
        leader = None if self.leader_of is None else self.leader_of(view)
        if leader is not None:
            self.progress.best(*leader)
        elif (best := view.best) is not None:
            self.progress.best(*best)
        self._count_failure(record)

    def _count_failure(self, record: TrialRecord) -> None:
        """Raise an error after too many failed trials in a row, with their common cause."""
        if record.state != "failed":
            self._failures.clear()
            return
        self._failures.append(record.reason)
        if record.baseline == "independent" and record.repeats is None:
            return  # a failed reference has its own error, with advice
        if self.max_failures is not None and len(self._failures) >= self.max_failures:
            cause, count = Counter(self._failures).most_common(1)[0]
            num_failed = len(self._failures)
            trials = "1 trial" if num_failed == 1 else f"{num_failed} trials"
            which = "all" if count == num_failed else f"{count} of them"
            which = "" if num_failed == 1 else f", {which}"
            raise RunError(
                f"{trials} in a row failed{which} for this reason: {cause}",
                where=f"trial {record.number}",
                next_step="remove the cause and run the same command to continue, or set "
                "`search.max_failures` to a larger value",
            )


def _primary_metrics(record: TrialRecord) -> dict[str, float]:
    """Return the primary metric of each task, at the last rung of a paused trial."""
    results = record.results
    if not results and record.rung_results:
        results = record.rung_results[max(record.rung_results)]
    return {
        f"{task}.{spec.name}": result.value(spec)
        for task, result in results.items()
        for spec in result.specs
        if spec.primary
    }


def reference_error(record: TrialRecord, advice: str | None) -> RunError:
    """Return the error of a search whose ``independent`` baseline failed.

    Args:
        record: the failed baseline.
        advice: next step of the error that ended the trial; None if it did not raise one.

    Returns:
        The error.
    """
    return RunError(
        f"the independent baseline cannot be measured, so no trial can be ranked: {record.reason}",
        where=f"trial {record.number}",
        next_step=baseline_next_step(record, advice),
    )


def basis_of(view: StudyView, seed: int | None) -> ProposalBasis:
    """Return what a proposal was made from.

    Args:
        view: the study before the trial.
        seed: seed of the sampler; None if the candidate was not sampled.

    Returns:
        The values that a trial records.
    """
    last = max(
        (records[-1].number for records in (view.records, view.repeats) if records), default=-1
    )
    pending = tuple(record.number for record in view.running)
    return ProposalBasis(seed, last + 1, view.num_finished, pending)


def _reason_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped before it ended"
    if isinstance(error, MtlsearchError):
        return error.what
    if isinstance(error, SystemExit):
        return f"its code ended the program (exit code {error.code})"
    return f"{type(error).__name__}: {error}"


def _failed(record: TrialRecord, reason: str, start_time: float) -> TrialRecord:
    seconds = record.seconds + time.monotonic() - start_time
    return replace(record, state="failed", reason=reason, seconds=seconds)
