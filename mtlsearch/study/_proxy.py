"""The study behind Optuna's gRPC proxy of a database."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit

from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy
from optuna.trial import FrozenTrial

from mtlsearch.errors import RunError
from mtlsearch.study._database import ResilientStorage

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
        RunError: the URL is invalid, or no proxy answers.
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
    return ResilientStorage(proxy, url, on_outage)


class _Proxy(GrpcStorageProxy):
    """Proxy by which a trial that is added twice exists once.

    If the connection is lost while a trial is added, it is unknown whether it was. The token of
    a trial, a user attribute, identifies it when it is added again.
    """

    _tried_token: str | None = None

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial, once per token."""
        token = None if template_trial is None else template_trial.user_attrs.get("token")
        if token is not None and token == self._tried_token:
            for trial in self.get_all_trials(study_id, deepcopy=False):
                if trial.user_attrs.get("token") == token:
                    return trial._trial_id
        self._tried_token = token
        return super().create_new_trial(study_id, template_trial)


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
