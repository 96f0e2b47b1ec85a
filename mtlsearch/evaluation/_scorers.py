"""Scorer of a task: its own, or the scorer of its form."""

from __future__ import annotations

from mtlsearch.evaluation._boxes import BoxesScorer
from mtlsearch.evaluation._categories import CategoriesScorer
from mtlsearch.evaluation._category import CategoryScorer
from mtlsearch.evaluation._mask import MaskScorer
from mtlsearch.evaluation._number import NumberScorer
from mtlsearch.labels import Form
from mtlsearch.plugin import OutputSpec, Scorer, Task

MIN_SCORE = 0.01
"""Smallest score of a box that counts; average precision depends on boxes of low score too."""

SHOWN_SCORE = 0.05
"""Smallest score of a box that a task without the option ``score_threshold`` shows."""


def make_scorer(task: Task, output: OutputSpec) -> Scorer | None:
    """Return a new scorer for a task.

    Args:
        task: the task.
        output: form, classes and options of its predictions.

    Returns:
        The task's own scorer, else that of the form; None if neither exists.
    """
    task_scorer = task.scorer()
    if task_scorer is not None:
        return task_scorer
    if output.form is Form.CATEGORY:
        return CategoryScorer(output.classes)
    if output.form is Form.CATEGORIES:
        return CategoriesScorer(output.classes)
    if output.form is Form.NUMBER:
        return NumberScorer()
    if output.form is Form.MASK:
        return MaskScorer(output.classes, task.label.ignore_index)
    if output.form is Form.BOXES:
        threshold = output.options.get("score_threshold", SHOWN_SCORE)
        return BoxesScorer(output.classes, threshold)
    return None


def scored_output(output: OutputSpec) -> OutputSpec:
    """Return the specification by which predictions are decoded for a scorer.

    Args:
        output: the specification of a task.

    Returns:
        The same specification; boxes with a low score are kept.
    """
    if output.form is not Form.BOXES:
        return output
    options = {**output.options, "score_threshold": MIN_SCORE}
    return OutputSpec(output.form, output.classes, output.unit, options)
