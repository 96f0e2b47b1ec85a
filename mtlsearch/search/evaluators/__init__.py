"""The evaluators package."""

from mtlsearch.search.evaluators._function import FunctionEvaluator
from mtlsearch.search.evaluators._plan_table import plan_code
from mtlsearch.search.evaluators._table import TableEvaluator

__all__ = [
    "FunctionEvaluator",
    "TableEvaluator",
    "plan_code",
]
