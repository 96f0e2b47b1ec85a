"""What a search tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class SearchProgress(Protocol):
    """Watches a search; a command line draws bars, :class:`NullProgress` does nothing."""

    def stage(self, message: str, done: int, total: int) -> None:
        """Work before the first trial, such as reading the images, has come so far."""

    def search_started(self, done: int, total: int) -> None:
        """Of ``total`` trials ``done`` were finished in earlier sittings."""

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """A trial begins; ``what`` describes its plan, ``steps`` its training steps."""

    def step(self, done: int, loss: float) -> None:
        """Training has done so many steps; ``loss`` is the weighted sum at the last one."""

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Epoch ``epoch`` of ``epochs`` (from 1) was evaluated: metrics by task."""

    def note(self, text: str) -> None:
        """Something of the running trial that a person should know."""

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """A trial that was stopped early goes on, until it has so many epochs; why it may."""

    def trial_finished(
        self, number: int, state: str, delta_m: float | None, seconds: float, reason: str
    ) -> None:
        """A trial is over for now: its state, its Δm in percent, and why it is not complete.

        The Δm of one that was stopped early is that at the epoch where it stopped.
        """

    def best(self, number: int, delta_m: float) -> None:
        """The best trial so far."""


class NullProgress:
    """Watches and says nothing."""

    def stage(self, message: str, done: int, total: int) -> None:
        """Say nothing."""

    def search_started(self, done: int, total: int) -> None:
        """Say nothing."""

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """Say nothing."""

    def step(self, done: int, loss: float) -> None:
        """Say nothing."""

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """Say nothing."""

    def trial_finished(
        self, number: int, state: str, delta_m: float | None, seconds: float, reason: str
    ) -> None:
        """Say nothing."""

    def best(self, number: int, delta_m: float) -> None:
        """Say nothing."""
