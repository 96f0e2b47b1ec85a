"""Every failure that a user can cause or mend is one of these exceptions.

::

    MtlsearchError
    ├── ConfigError            a run file, a ``--set`` or an option is wrong
    ├── PluginError            a plugin does not load, fails, or says a thing twice
    │   └── UnknownNameError   a task kind, source, space or backbone nobody provides
    ├── DataError              a file or a row of a data set is bad
    ├── PlanError              a sharing plan is illegal for its tasks or units
    ├── BackboneError          a backbone cannot be made, loaded or cut
    ├── TrainingError          a candidate cannot be trained
    │   └── NonFiniteLossError a loss became infinite or not a number
    ├── RunError               a run directory is missing, busy or of another search
    └── ExportError            a bundle cannot be written or read

Each one says *what* is wrong, *where* it stands, what is *allowed* there and the
*next step*; ``str(error)`` puts those on lines of their own::

    >>> from mtlsearch.errors import ConfigError
    >>> print(ConfigError("unknown key 'epoch'", where="run.yaml:12", allowed=["epochs"]))
    unknown key 'epoch'
      where:   run.yaml:12
      allowed: epochs

Only :mod:`mtlsearch.cli` turns them into exit codes.
"""

from mtlsearch.errors._invalid import describe_invalid
from mtlsearch.errors._nearest import did_you_mean, nearest
from mtlsearch.errors._tree import (
    BackboneError,
    ConfigError,
    DataError,
    ExportError,
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
    "MtlsearchError",
    "NonFiniteLossError",
    "PlanError",
    "PluginError",
    "RunError",
    "TrainingError",
    "UnknownNameError",
    "describe_invalid",
    "did_you_mean",
    "nearest",
]
