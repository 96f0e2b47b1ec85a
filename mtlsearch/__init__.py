"""mtlsearch: AutoML that finds which layers of a vision backbone several tasks should share.

::

    import mtlsearch

    run = mtlsearch.search("run.yaml", "results/first")   # or load("results/first")
    run.leaderboard()                  # a DataFrame
    run.trial("best").plan             # drawn in a notebook
    run.predict("photo.jpg")           # predictions by task
    run.network()                      # a torch.nn.Module

These names are imported when they are first used, so that ``import mtlsearch`` takes no time.

Importing this package also sets how long the threads of torch spin while they wait for each other,
unless an environment variable of OpenMP does. Import it before torch.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtlsearch import errors as errors
    from mtlsearch.api import Comparison as Comparison
    from mtlsearch.api import FineTuning as FineTuning
    from mtlsearch.api import Plan as Plan
    from mtlsearch.api import Run as Run
    from mtlsearch.api import Trial as Trial
    from mtlsearch.api import compare as compare
    from mtlsearch.api import load as load
    from mtlsearch.api import open_bundle as open_bundle
    from mtlsearch.api import search as search
    from mtlsearch.api.network import TrainedNetwork as TrainedNetwork

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "FineTuning",
    "Plan",
    "Run",
    "TrainedNetwork",
    "Trial",
    "__version__",
    "compare",
    "errors",
    "load",
    "open_bundle",
    "search",
]

_WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
"""Variables of OpenMP, of GNU (torch on Linux) and of Intel and LLVM (elsewhere).

By default, a thread of torch spins for milliseconds at the end of each operator, on a core that the
thread for which it waits would need if other programs use the machine. OpenMP reads these variables
when torch is loaded. None is set if the user has set one of them, or ``OMP_WAIT_POLICY``.
"""

os.environ.update({} if os.environ.keys() & {*_WAITING, "OMP_WAIT_POLICY"} else _WAITING)

_FUNCTION = "search"
"""Name of a function of the Python API and of a package: the package can be called."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mtlsearch' has no attribute {name!r}")
    if name in ("errors", _FUNCTION):
        return import_module(f"mtlsearch.{name}")
    package = "mtlsearch.api.network" if name == "TrainedNetwork" else "mtlsearch.api"
    return getattr(import_module(package), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Callable(ModuleType):
    """The package ``mtlsearch.search``, which is also the function of this name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return import_module("mtlsearch.api").search(*arguments, **options)


class _Root(ModuleType):
    """This package, which makes the package of a function callable when it is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == _FUNCTION and type(value) is ModuleType:
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Root
