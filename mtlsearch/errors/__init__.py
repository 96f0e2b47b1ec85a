"""Exceptions for every failure that a user can cause or fix.

::

    MtlsearchError
    ├── ConfigError            a run file, a ``--set`` or an option is invalid
    ├── PluginError            a plugin does not load, fails or repeats a name
    │   └── UnknownNameError   a task kind, source, space or backbone does not exist
    ├── DataError              a file or a row of a data set is invalid
    ├── PlanError              a sharing plan is illegal for its tasks or units
    ├── BackboneError          a backbone cannot be created, loaded or cut
    ├── TrainingError          a candidate cannot be trained
    │   └── NonFiniteLossError a loss became infinite or NaN
    ├── RunError               a run directory is missing, in use or of another search
    ├── InfrastructureError    a disk, the memory or the storage fails
    └── ExportError            a bundle cannot be written or read

Each error has four parts: *what* is wrong, *where*, which values are *allowed*, and the *next
step*. ``str(error)`` has one line for each part that is set::

    >>> from mtlsearch.errors import ConfigError
    >>> print(ConfigError("unknown key 'epoch'", where="run.yaml:12", allowed=["epochs"]))
    unknown key 'epoch'
      where:   run.yaml:12
      allowed: epochs

Only :mod:`mtlsearch.cli` converts errors to exit codes.
"""

from mtlsearch.errors._infrastructure import infrastructure_error_of
from mtlsearch.errors._interrupt import is_interrupt
from mtlsearch.errors._invalid import describe_invalid, refuse_booleans, requirement
from mtlsearch.errors._nearest import did_you_mean, nearest
from mtlsearch.errors._tree import (
    BackboneError,
    ConfigError,
    DataError,
    ExportError,
    InfrastructureError,
    MtlsearchError,
    NonFiniteLossError,
    PlanError,
    PluginError,
    RunError,
    TrainingError,
    UnknownNameError,
)

__all__ = [
    "BackboneError",
    "ConfigError",
    "DataError",
    "ExportError",
    "InfrastructureError",
    "MtlsearchError",
    "NonFiniteLossError",
    "PlanError",
    "PluginError",
    "RunError",
    "TrainingError",
    "UnknownNameError",
    "describe_invalid",
    "did_you_mean",
    "infrastructure_error_of",
    "is_interrupt",
    "nearest",
    "refuse_booleans",
    "requirement",
]
