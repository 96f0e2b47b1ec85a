"""Reports: leaderboards as tables and files, plots, contact sheets.

>>> from mtlsearch.results import leaderboard
>>> from mtlsearch.report import render
>>> print(render(leaderboard([]), "csv"), end="")
trial,state,baseline,delta_m,expected_delta_m,expected_delta_m_sd,beats_independent,beats_hard,num_seeds,params,flops,seconds,plan,loss_weights,learning_rate,backbone,pareto,reason
"""

from mtlsearch.report._affinity_picture import draw_affinity
from mtlsearch.report._confusion_picture import draw_confusions
from mtlsearch.report._contact_sheet import contact_sheet
from mtlsearch.report._curve_picture import curve_figure, draw_importance, draw_learning_curves
from mtlsearch.report._evaluation_text import evaluation_text
from mtlsearch.report._formats import FORMATS, Format, render, write
from mtlsearch.report._learning_curves import curve_panels
from mtlsearch.report._per_class_table import render_per_class
from mtlsearch.report._plan_effects import pair_effects
from mtlsearch.report._plot import front_figure, plot, require_picture
from mtlsearch.report._sharing_picture import draw_sharing, sharing_figure
from mtlsearch.report._write_evaluation import evaluation_files, write_evaluation

__all__ = [
    "FORMATS",
    "Format",
    "contact_sheet",
    "curve_figure",
    "curve_panels",
    "draw_affinity",
    "draw_confusions",
    "draw_importance",
    "draw_learning_curves",
    "draw_sharing",
    "evaluation_files",
    "evaluation_text",
    "front_figure",
    "pair_effects",
    "plot",
    "render",
    "render_per_class",
    "require_picture",
    "sharing_figure",
    "write",
    "write_evaluation",
]
