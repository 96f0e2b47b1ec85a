"""Reports: leaderboards as tables and files, plots, contact sheets.

>>> from mtlsearch.results import leaderboard
>>> from mtlsearch.report import render
>>> print(render(leaderboard([]), "csv"), end="")
trial,state,baseline,delta_m,expected_delta_m,expected_delta_m_sd,beats_independent,beats_hard,num_seeds,params,flops,seconds,plan,loss_weights,learning_rate,backbone,pareto,reason
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mtlsearch.report._contact_sheet import contact_sheet
from mtlsearch.report._evaluation_text import evaluation_text
from mtlsearch.report._formats import FORMATS, Format, render, write
from mtlsearch.report._learning_curves import curve_panels
from mtlsearch.report._marks import NOT_COUNTED
from mtlsearch.report._per_class_table import render_per_class
from mtlsearch.report._plan_effects import pair_effects

if TYPE_CHECKING:
    from mtlsearch.report._affinity_picture import draw_affinity
    from mtlsearch.report._confusion_picture import draw_confusions
    from mtlsearch.report._curve_picture import curve_figure, draw_importance, draw_learning_curves
    from mtlsearch.report._fronts import draw_fronts, fronts_figure
    from mtlsearch.report._picture_file import require_picture
    from mtlsearch.report._plot import front_figure, plot
    from mtlsearch.report._sharing_picture import draw_sharing, sharing_figure
    from mtlsearch.report._write_evaluation import evaluation_files, write_evaluation

# Pictures need matplotlib, whose import takes a third of a second.
_MODULE_BY_NAME = {
    "draw_affinity": "_affinity_picture",
    "draw_confusions": "_confusion_picture",
    "curve_figure": "_curve_picture",
    "draw_importance": "_curve_picture",
    "draw_learning_curves": "_curve_picture",
    "draw_fronts": "_fronts",
    "fronts_figure": "_fronts",
    "front_figure": "_plot",
    "plot": "_plot",
    "require_picture": "_picture_file",
    "draw_sharing": "_sharing_picture",
    "sharing_figure": "_sharing_picture",
    "evaluation_files": "_write_evaluation",
    "write_evaluation": "_write_evaluation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_BY_NAME[name]}"), name)


__all__ = [
    "FORMATS",
    "NOT_COUNTED",
    "Format",
    "contact_sheet",
    "curve_figure",
    "curve_panels",
    "draw_affinity",
    "draw_confusions",
    "draw_fronts",
    "draw_importance",
    "draw_learning_curves",
    "draw_sharing",
    "evaluation_files",
    "evaluation_text",
    "front_figure",
    "fronts_figure",
    "pair_effects",
    "plot",
    "render",
    "render_per_class",
    "require_picture",
    "sharing_figure",
    "write",
    "write_evaluation",
]
