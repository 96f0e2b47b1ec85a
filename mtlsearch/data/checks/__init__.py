"""The checks package."""

from mtlsearch.data.checks._counts import LabelCounts, Tally, add_up, tally
from mtlsearch.data.checks._label_coverage import require_labels
from mtlsearch.data.checks._report import CheckReport, Problem
from mtlsearch.data.checks._validate import problems_of
from mtlsearch.data.checks._warnings import doubts

__all__ = [
    "CheckReport",
    "LabelCounts",
    "Problem",
    "Tally",
    "add_up",
    "doubts",
    "problems_of",
    "require_labels",
    "tally",
]
