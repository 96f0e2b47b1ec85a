"""The study in a database, whose outages are waited for."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import weakref
from collections.abc import Callable, Container, Sequence
from importlib.util import find_spec
from typing import Any, TypeVar

import tenacity
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from mtlsearch.config import hide_password
from mtlsearch.errors import InfrastructureError, RunError

PATIENCE = 300.0
"""Seconds for which a search waits for a database that does not answer."""

MAX_WAIT = 30.0
"""Seconds between two tries at most; the first ones follow after 1, 2 and 4 s."""

MAX_REFUSALS = 2
"""Tries after which an error of the proxy is permanent if its database answers other calls."""

CREATION_SECONDS = 20.0
"""Seconds for which the tables are created again if another process creates them."""

CONNECT_SECONDS = 10
"""Seconds after which a connection attempt counts as failed."""

DRIVERS = {
    "postgresql": {"psycopg": "psycopg", "psycopg2": "psycopg2"},
    "mysql": {"pymysql": "pymysql", "mysqldb": "MySQLdb"},
}
"""Module of each driver by kind of database; the first driver that is installed is used."""

PACKAGES = {
    "psycopg": "'mtlsearch[postgresql]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
}
"""What pip installs for a module of a driver, where the name is another one."""

_WITH_TIMEOUT = {driver for drivers in DRIVERS.values() for driver in drivers}
_OUTAGES = (OperationalError, InterfaceError, DisconnectionError, PoolTimeoutError)

Result = TypeVar("Result")


def with_installed_driver(url: str) -> str:
    """Return a URL that names a driver which is installed.

    Args:
        url: storage URL.

    Returns:
        The URL with a driver, the recommended one if none is installed; unchanged if it names
        a driver.
    """
    parsed = make_url(url)
    modules = DRIVERS.get(parsed.drivername)
    if modules is None:
        return url
    installed = (driver for driver, module in modules.items() if find_spec(module) is not None)
    driver = next(installed, next(iter(modules)))
    named = parsed.set(drivername=f"{parsed.drivername}+{driver}")
    return named.render_as_string(hide_password=False)


def open_database(url: str, on_outage: Callable[[str], None] | None) -> BaseStorage:
    """Connect to a database, and create Optuna's tables if they do not exist.

    Args:
        url: storage URL with a driver.
        on_outage: called with a message before each try after an outage; None does not try
            again.

    Returns:
        An Optuna storage. Its connections close when it is no longer used.

    Raises:
        SQLAlchemyError: the database cannot be opened.
        StorageInternalError: the database cannot be opened.
    """
    # Outages are reported below; Optuna would also print a traceback for each.
    logging.getLogger("optuna.storages._rdb.storage").setLevel(logging.ERROR)
    # Another process may create the same tables at this moment, and one of both fails.
    database = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_creation_conflict),
        stop=tenacity.stop_after_delay(CREATION_SECONDS),
        wait=tenacity.wait_random(0.05, 0.5),
        reraise=True,
    )(_Database, url, _engine_arguments(url))
    if database.engine.name == "sqlite":
        _serialize_transactions(database.engine)
    storage = ResilientStorage(get_storage(database), hide_password(url), on_outage)
    weakref.finalize(storage, database.engine.dispose)
    return storage


def _engine_arguments(url: str) -> dict[str, Any]:
    driver = make_url(url).get_driver_name()
    # A connection that the server dropped is replaced before it is used.
    arguments: dict[str, Any] = {"pool_pre_ping": True}
    if driver in _WITH_TIMEOUT:
        arguments["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    return arguments


def _serialize_transactions(engine: Engine) -> None:
    """Lock an SQLite file for the whole of each transaction.

    Optuna reads the state of a trial and then writes it. Other databases lock its row between
    both, which SQLite cannot: two workers would both claim the trial.
    """

    @event.listens_for(engine, "connect")
    def leave_transactions_to_sqlalchemy(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def start_with_lock(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections before this one have no such transactions


def _is_creation_conflict(error: BaseException) -> bool:
    cause = _database_error_of(error)
    text = str(cause).lower()
    return cause is not None and (
        "already exists" in text or "duplicate" in text or "unique" in text
    )


def _database_error_of(error: BaseException | None) -> SQLAlchemyError | None:
    """Return the error of the database that explains a chain of errors.

    Optuna replaces errors, and after some of them tries a second query, which also fails. A lost
    connection may be behind any of them, and is not always the first: the pool notices it, tries
    to connect again, and that fails.

    Returns:
        The last error that is an outage; if none is, the first one of the database.
    """
    first = None
    while error is not None:
        if isinstance(error, SQLAlchemyError):
            if _did_not_answer(error):
                return error
            first = error
        error = error.__cause__ or error.__context__
    return first


def _did_not_answer(error: SQLAlchemyError) -> bool:
    """Return whether one error, whatever is behind it, is an outage."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return "locked" in str(error.orig)  # a file that is missing or full does not come back
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, _OUTAGES)


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether Optuna's gRPC proxy did not answer.

    Args:
        error: an error of a storage.

    Returns:
        True for a gRPC error with such a status.
    """
    return _proxy_status(error) == "UNAVAILABLE"


def _proxy_status(error: BaseException | None) -> str | None:
    """Return the status of an error of the gRPC proxy; None for other errors."""
    if "grpc" not in sys.modules:
        return None
    import grpc

    return str(error.code().name) if isinstance(error, grpc.RpcError) else None


def proxy_text(error: BaseException | None) -> str | None:
    """Return the cause of an error of the gRPC proxy.

    Args:
        error: an error of a storage.

    Returns:
        What the proxy answers; None for other errors.
    """
    if "grpc" not in sys.modules:
        return None
    import grpc

    if not isinstance(error, grpc.RpcError):
        return None
    return str(error.details()).removeprefix("Exception calling application: ")


def is_outage(error: BaseException) -> bool:
    """Return whether a call may succeed later, because the database did not answer.

    Args:
        error: an error of a storage.

    Returns:
        True for lost connections, refused connections, timeouts and locks, also if they are
        behind other errors.
    """
    if is_unavailable(error):
        return True
    if not isinstance(error, SQLAlchemyError | StorageInternalError):
        return False
    cause = _database_error_of(error)
    return cause is not None and _did_not_answer(cause)


class _Database(RDBStorage):
    """Database in which a trial that is added twice exists once.

    If the connection is lost while a trial is committed, it is unknown whether it was. Optuna
    and :class:`ResilientStorage` then add it again. The token of a trial, a user attribute,
    identifies it.
    """

    def __init__(self, url: str, engine_arguments: dict[str, Any]) -> None:
        self._tried_tokens: set[str] = set()
        try:
            super().__init__(url, engine_kwargs=engine_arguments)
        except (SQLAlchemyError, StorageInternalError):
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise

    def _get_prepared_new_trial(self, study_id: int, template_trial: Any, session: Any) -> Any:
        """Return the row of a new trial, or the row that an earlier try has added.

        Optuna calls this private method while it holds the lock of the study's row. No public
        one runs in the same transaction; a test covers it.
        """
        token = None if template_trial is None else template_trial.user_attrs.get("token")
        if token is not None and token in self._tried_tokens:
            from optuna.storages._rdb.models import TrialModel, TrialUserAttributeModel

            added = (
                session.query(TrialModel)
                .join(TrialUserAttributeModel)
                .filter(TrialModel.study_id == study_id)
                .filter(TrialUserAttributeModel.key == "token")
                .filter(TrialUserAttributeModel.value_json == json.dumps(token))
                .one_or_none()
            )
            if added is not None:
                return added
        if token is not None:
            self._tried_tokens = {token}
        return super()._get_prepared_new_trial(study_id, template_trial, session)


class ResilientStorage(BaseStorage):
    """Storage that repeats calls while the database does not answer.

    Tries follow with growing pauses, for at most :data:`PATIENCE` seconds. A write that was
    committed although its answer was lost is not written twice.

    Args:
        storage: the storage of the database.
        name: its URL without a password, for messages.
        on_outage: called with a message before each further try; None does not try again.
    """

    def __init__(
        self, storage: BaseStorage, name: str, on_outage: Callable[[str], None] | None
    ) -> None:
        self._storage = storage
        self._name = name
        self._on_outage = on_outage

    def _call(self, function: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
        num_refusals = 0

        def may_succeed(error: BaseException) -> bool:
            nonlocal num_refusals
            if _proxy_status(error) != "UNKNOWN":
                return is_outage(error)
            # The proxy answers so after any error of its database, an outage or a wrong value.
            num_refusals += self._does_answer()
            return num_refusals < MAX_REFUSALS

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_succeed),
            stop=tenacity.stop_after_delay(PATIENCE if self._on_outage else 0),
            wait=tenacity.wait_exponential(multiplier=1, max=MAX_WAIT),
            before_sleep=self._report,
        )
        try:
            return retrying(function, *arguments, **options)
        except tenacity.RetryError as error:
            last = error.last_attempt
            raise self._failure(last.exception(), last.attempt_number) from last.exception()
        except (SQLAlchemyError, StorageInternalError) as error:
            raise self._failure(error) from error
        except KeyError as error:
            raise RunError(
                "the study or one of its trials no longer exists in the storage",
                where=f"search.storage: {self._name}",
                next_step="set --out to another folder to begin a new search",
            ) from error
        except Exception as error:
            if proxy_text(error) is None:
                raise
            raise self._failure(error) from error

    def _does_answer(self) -> bool:
        """Return whether the database behind a proxy answers a call that reads."""
        try:
            self._storage.get_all_studies()
        except Exception as error:
            if proxy_text(error) is None:
                raise
            return False
        return True

    def _report(self, state: tenacity.RetryCallState) -> None:
        if self._on_outage is not None:
            self._on_outage(f"the database does not answer, again in {state.upcoming_sleep:.0f} s")

    def _failure(self, error: BaseException | None, num_tries: int = 1) -> InfrastructureError:
        cause = _database_error_of(error) or error
        text = proxy_text(cause) or str(getattr(cause, "orig", None) or cause).partition("\n")[0]
        text = " ".join(text.split())
        does_not = "does not answer" if cause and is_outage(cause) else "reports an error"
        after = f" after {num_tries} tries" if num_tries > 1 else ""
        return InfrastructureError(
            f"the database {does_not}{after}: {text}",
            where=f"search.storage: {self._name}",
            next_step="run the same command again when the database works",
        )

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Create a study. A second try may find it: callers use ``load_if_exists``."""
        return self._call(self._storage.create_new_study, directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Delete a study."""
        self._call(self._storage.delete_study, study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a user attribute of a study."""
        self._call(self._storage.set_study_user_attr, study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a system attribute of a study."""
        self._call(self._storage.set_study_system_attr, study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the identifier of a study."""
        return self._call(self._storage.get_study_id_from_name, study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the name of a study."""
        return self._call(self._storage.get_study_name_from_id, study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return one direction per objective."""
        return self._call(self._storage.get_study_directions, study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the user attributes of a study."""
        return self._call(self._storage.get_study_user_attrs, study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the system attributes of a study."""
        return self._call(self._storage.get_study_system_attrs, study_id)

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies of the database."""
        return self._call(self._storage.get_all_studies)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial, once per token."""
        return self._call(self._storage.create_new_trial, study_id, template_trial)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Set a parameter of a trial."""
        self._call(
            self._storage.set_trial_param, trial_id, param_name, param_value_internal, distribution
        )

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """Return the identifier of a trial."""
        return self._call(
            self._storage.get_trial_id_from_study_id_trial_number, study_id, trial_number
        )

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set state and values of a trial; an earlier try may have done so."""
        num_tries = 0

        def set_once() -> bool:
            nonlocal num_tries
            num_tries += 1
            try:
                return self._storage.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if num_tries == 1 or self._storage.get_trial(trial_id).state is not state:
                    raise
                return True

        return self._call(set_once)

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Set an intermediate value of a trial."""
        self._call(self._storage.set_trial_intermediate_value, trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a user attribute of a trial."""
        self._call(self._storage.set_trial_user_attr, trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a system attribute of a trial."""
        self._call(self._storage.set_trial_system_attr, trial_id, key, value)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial."""
        return self._call(self._storage.get_trial, trial_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials of a study."""
        return self._call(self._storage.get_all_trials, study_id, deepcopy=deepcopy, states=states)
