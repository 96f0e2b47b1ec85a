"""The checks package."""

from mtlsearch.data.checks._counts import LabelCounts, Tally, add_up, tally
from mtlsearch.data.checks._label_coverage import check_label_coverage
from mtlsearch.data.checks._report import CheckReport, Problem
from mtlsearch.data.checks._validate import problems_of
from mtlsearch.data.checks._warnings import data_warnings

__all__ = [
    "CheckReport",
    "LabelCounts",
    "Problem",
    "Tally",
    "add_up",
    "check_label_coverage",
    "data_warnings",
    "problems_of",
    "tally",
]
