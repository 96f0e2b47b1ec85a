"""Python API: the object of a run, searches, and exported bundles.

:mod:`mtlsearch` exports these names. Nothing here imports torch before a network is needed.
"""

from mtlsearch.api._compare import Comparison, compare
from mtlsearch.api._fine_tuning import FineTuning
from mtlsearch.api._load import load
from mtlsearch.api._open_bundle import open_bundle
from mtlsearch.api._plan import Plan
from mtlsearch.api._run import Run
from mtlsearch.api._search import search
from mtlsearch.api._trial import Trial

__all__ = [
    "Comparison",
    "FineTuning",
    "Plan",
    "Run",
    "Trial",
    "compare",
    "load",
    "open_bundle",
    "search",
]
