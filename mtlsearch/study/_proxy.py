"""The study behind Optuna's gRPC proxy of a database."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container
from contextlib import suppress
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import BaseStorage, GrpcStorageProxy
from optuna.trial import FrozenTrial, TrialState

from mtlsearch.errors import RunError
from mtlsearch.study._database import ResilientStorage, proxy_text

READY_SECONDS = 10.0
"""Seconds for which a search waits for the first answer of the proxy."""


def require_proxy(url: str) -> None:
    """Check the URL of a proxy and its package, without a connection.

    Args:
        url: value of ``search.storage``.

    Raises:
        RunError: the URL is invalid, or grpcio is not installed.
    """
    _parse(url)
    if find_spec("grpc") is None or find_spec("google.protobuf") is None:
        raise RunError(
            "the package grpcio, which the proxy of a storage needs, is not installed",
            where=f"search.storage: {url}",
            next_step="install it: pip install 'mtlsearch[grpc]'",
        )


def open_proxy(url: str, on_outage: Callable[[str], None] | None) -> BaseStorage:
    """Connect to a proxy.

    Args:
        url: ``grpc://HOST:PORT``.
        on_outage: called with a message before each try after an outage; None does not try
            again.

    Returns:
        An Optuna storage.

    Raises:
        RunError: the URL is invalid, no proxy answers, or its database does not.
    """
    parts = _parse(url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        proxy = _Proxy(host=parts.hostname or "", port=parts.port or 0)
    try:
        proxy.wait_server_ready(READY_SECONDS)
    except ConnectionError as error:
        proxy.close()
        raise RunError(
            f"the proxy of the storage does not answer within {READY_SECONDS:.0f} s",
            where=f"search.storage: {url}",
            next_step="start it with `optuna.storages.run_grpc_proxy_server`, or correct the URL",
        ) from error
    import grpc

    try:
        proxy.get_all_studies()
    except grpc.RpcError as error:
        proxy.close()
        raise RunError(
            f"the proxy of the storage reports an error: {proxy_text(error)}",
            where=f"search.storage: {url}",
            next_step="correct the storage that the proxy was started with, or the URL",
        ) from error
    return ResilientStorage(proxy, url, on_outage)


class _Proxy(GrpcStorageProxy):
    """Proxy by which a trial that is added twice exists once.

    If a connection breaks while a trial is added, it is unknown whether it was, and the proxy may
    still add it later. Behind the proxy, Optuna itself adds a trial again after an error of the
    database. The token of a trial, a user attribute, identifies it: the trial with the lowest
    number is used and the others are ended. :class:`TrialStore` ends those that are added later.
    """

    def __init__(self, *, host: str, port: int) -> None:
        super().__init__(host=host, port=port)
        self._num_trials: dict[int, int] = {}
        self._tried: tuple[str, int] | None = None  # a token and the number of trials before it

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial, once per token."""
        token = None if template_trial is None else template_trial.user_attrs.get("token")
        if token is None:
            return super().create_new_trial(study_id, template_trial)
        if self._tried is None or self._tried[0] != token:
            self._tried = (token, self._num_trials.get(study_id, 0))
            super().create_new_trial(study_id, template_trial)
        elif not self._added(study_id):
            super().create_new_trial(study_id, template_trial)
        first, *others = self._added(study_id)
        for trial in others:
            with suppress(UpdateFinishedTrialError):
                self.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        return first._trial_id

    def _added(self, study_id: int) -> list[FrozenTrial]:
        """Return the trials with the tried token, by number."""
        assert self._tried is not None
        token, num_before = self._tried
        trials = self.get_all_trials(study_id, deepcopy=False)
        return [trial for trial in trials[num_before:] if trial.user_attrs.get("token") == token]

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials of a study."""
        trials = super().get_all_trials(study_id, deepcopy, states)
        if states is None:
            self._num_trials[study_id] = len(trials)
        return trials


def _parse(url: str) -> SplitResult:
    """Return the parts of a URL of a proxy.

    Raises:
        RunError: it is not ``grpc://HOST:PORT``.
    """
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname and parts.port) and not parts.path.strip("/")
    except ValueError:  # the port is not a number
        is_valid = False
    if not is_valid:
        raise RunError(
            "the URL of a proxy must be grpc://HOST:PORT",
            where=f"search.storage: {url}",
            next_step="set the host and the port of Optuna's gRPC proxy",
        )
    return parts
