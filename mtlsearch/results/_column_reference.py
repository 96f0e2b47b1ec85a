"""Reference of the leaderboard's columns, generated from their table."""

from __future__ import annotations

from collections.abc import Mapping

from mtlsearch.results._columns import ALWAYS, COLUMNS, IF_ERRORS, Column, DType

HEADER = "| column | type | included | contents |\n| --- | --- | --- | --- |\n"
TYPE_NAMES: Mapping[DType, str] = {
    "int64": "integer",
    "float64": "number",
    "bool": "true or false",
    "str": "text",
}
METRICS = (
    f"| `TASK.METRIC` | number | {ALWAYS.description} | primary metric of each task; all metrics "
    "with `--all-metrics` |\n"
    f"| `TASK.METRIC_error` | number | {IF_ERRORS.description} | standard error of the metric over "
    "validation images, in its unit; empty if unknown |\n"
)


def column_reference() -> str:
    """Return all columns of the leaderboard as Markdown, for ``docs/search.md``.

    Returns:
        A table with name, type, condition and contents of each column.
    """
    before = "".join(_row(column) for column in COLUMNS if column.is_before_metrics)
    after = "".join(_row(column) for column in COLUMNS if not column.is_before_metrics)
    return HEADER + before + METRICS + after


def _row(column: Column) -> str:
    type_name, included = TYPE_NAMES[column.dtype], column.included.description
    return f"| `{column.name}` | {type_name} | {included} | {column.description} |\n"
