"""Progress callbacks of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class SearchProgress(Protocol):
    """Callbacks of a search. Each one does nothing unless a subclass overrides it.

    It is a protocol, so that the command line implements it without importing this package,
    which takes most of a second.
    """

    def stage(self, message: str, done: int, total: int) -> None:
        """Report work before the first trial.

        Args:
            message: the work, such as ``"reading images"``.
            done: finished items.
            total: all items.
        """
        return

    def search_started(self, done: int, total: int) -> None:
        """Report the start of a search.

        Args:
            done: trials that earlier sessions finished.
            total: value of ``search.trials``.
        """
        return

    def trials_named(self, name: str) -> None:
        """Report what the next trainings are, with numbers of their own.

        Args:
            name: ``"trial"``, or another name if they are not trials of the run.
        """
        return

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """Report the start of a training.

        Args:
            number: trial number.
            what: the sharing plan.
            steps: number of training steps.
        """
        return

    def step(self, done: int, loss: float) -> None:
        """Report a training step.

        Args:
            done: finished steps of the trial.
            loss: weighted sum of the losses of this step.
        """
        return

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Report an epoch that was evaluated.

        Args:
            epoch: the epoch, from 1.
            epochs: number of epochs of the training.
            metrics: validation metrics by task and name.
        """
        return

    def waiting(self, is_waiting: bool) -> None:
        """Report that a training begins or ends to wait for the environment, such as a bucket.

        Args:
            is_waiting: True at the begin, False at the end.
        """
        return

    def note(self, text: str) -> None:
        """Report a remark for the user.

        Args:
            text: the remark.
        """
        return

    def warning(self, text: str) -> None:
        """Report what is valid but suspicious.

        Args:
            text: the warning.
        """
        return

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """Report that a paused trial resumes.

        Args:
            number: trial number.
            epochs: epochs after which it pauses again or ends.
            reason: its rank at its rung.
        """
        return

    def trial_finished(
        self,
        number: int,
        state: str,
        delta_m: float | None,
        seconds: float,
        reason: str,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Report that a trial has ended or paused.

        Args:
            number: trial number.
            state: trial state.
            delta_m: Δm in percent, of a paused trial at its rung; None if it is undefined.
            seconds: wall time of training and evaluation.
            reason: why the trial is not complete; empty for a complete trial.
            metrics: primary metric of each task, such as ``{"boxes.mAP": 0.4}``; None if the trial
                has no results.
        """
        return

    def best(
        self, number: int, delta_m: float, expected: tuple[float, float] | None = None
    ) -> None:
        """Report the best trial so far.

        Args:
            number: trial number.
            delta_m: its measured Δm in percent.
            expected: mean and standard deviation of its expected Δm, by which it is the best; None
                if the surrogate does not apply: then it has the highest measured Δm.
        """
        return


class NullProgress(SearchProgress):
    """Progress callbacks that do nothing."""
