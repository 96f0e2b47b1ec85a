"""Pictures of learning curves and of what mattered."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mtlsearch.errors import RunError
from mtlsearch.report._learning_curves import CurvePanel
from mtlsearch.report._notebook_figure import NotebookFigure
from mtlsearch.report._picture_file import save_picture
from mtlsearch.report._plan_effects import PairEffect

INK, GRAY, GRID = "#22272e", "#8b949e", "#e6e9ed"
COLORS = {"best": "#1f6feb", "independent": "#d1495b", "hard": "#c98a1b", "other": "#9db4d0"}
COLUMNS = 3
PANEL_WIDTH, PANEL_HEIGHT = 4.2, 2.9  # inches


def draw_learning_curves(panels: Sequence[CurvePanel], path: Path) -> None:
    """Draw the loss and the primary metric of each task by epoch, one line per trial.

    Args:
        panels: the panels; those of other metrics are not drawn.
        path: a ``.png``, ``.svg`` or ``.pdf`` file; the write is atomic.

    Raises:
        RunError: there is no such panel.
    """
    save_picture(curve_figure(panels), path)


def curve_figure(panels: Sequence[CurvePanel]) -> Figure:
    """Return the drawing of the loss and the primary metric of each task by epoch.

    Args:
        panels: the panels; those of other metrics are not drawn.

    Returns:
        A figure, which a notebook shows.

    Raises:
        RunError: there is no such panel.
    """
    primary = [panel for panel in panels if panel.is_primary]
    if not primary:
        raise RunError(
            "no trial has a history yet, so the plot would be empty",
            next_step="resume the run by `mtlsearch search`",
        )
    roles = {curve.role for panel in primary for curve in panel.curves}
    figure, grid = _grid(len(primary), roles)
    for axes, panel in zip(grid, primary, strict=False):
        for curve in sorted(panel.curves, key=lambda curve: curve.role != "other"):
            is_other = curve.role == "other"
            axes.plot(
                curve.epochs,
                curve.values,
                color=COLORS[curve.role],
                linewidth=1.0 if is_other else 2.2,
                alpha=0.7 if is_other else 1.0,
                marker="o" if len(curve.epochs) == 1 else None,
            )
        arrow = "" if panel.is_loss else " ↑" if panel.higher_is_better else " ↓"
        _style(axes, f"{panel.name}{' (training)' if panel.is_loss else arrow}")
        axes.set_xlabel("epoch", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def draw_importance(
    effects: Sequence[PairEffect],
    importance_by_param: Mapping[str, float],
    role_by_trial: Mapping[int, str],
    path: Path,
) -> None:
    """Draw the change of each task against shared units, and importances of searched params.

    Args:
        effects: effect of sharing by pair of tasks.
        importance_by_param: importance of each param; empty if only plans were searched.
        role_by_trial: ``best``, ``independent`` or ``hard`` by trial number.
        path: a ``.png``, ``.svg`` or ``.pdf`` file; the write is atomic.

    Raises:
        RunError: there is nothing to draw.
    """
    if not effects and not importance_by_param:
        raise RunError(
            "no two tasks have complete trials yet, so the plot would be empty",
            next_step="resume the run by `mtlsearch search`",
        )
    roles = {
        role_by_trial.get(point.trial, "other") for effect in effects for point in effect.points
    }
    figure, grid = _grid(len(effects) + bool(importance_by_param), roles)
    for axes, effect in zip(grid, effects, strict=False):
        _draw_effect(axes, effect, role_by_trial)
    if importance_by_param:
        axes = grid[len(effects)]
        names = [*importance_by_param][::-1]
        axes.barh(names, [importance_by_param[name] for name in names], color=COLORS["best"])
        _style(axes, "importance of params (PED-ANOVA)")
    save_picture(figure, path)


def _draw_effect(axes: Axes, effect: PairEffect, role_by_trial: Mapping[int, str]) -> None:
    axes.axhline(0, color=GRAY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.plot(*zip(*effect.means, strict=True), color=GRAY, linewidth=1.5, zorder=2)
    for point in effect.points:
        color = COLORS[role_by_trial.get(point.trial, "other")]
        axes.errorbar(
            [point.num_shared],
            [point.change],
            yerr=[point.error or 0.0],
            fmt="o",
            markersize=5,
            color=color,
            elinewidth=1,
            alpha=0.85,
            zorder=3,
        )
    _style(axes, f"change of {effect.task}, %")
    axes.set_xlabel(f"units shared with {effect.other}", color=INK)
    axes.set_xlim(-0.4, effect.num_units + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _grid(count: int, roles: Collection[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure with some panels, and a legend of the roles that are drawn."""
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    figure = NotebookFigure(
        figsize=(PANEL_WIDTH * columns, PANEL_HEIGHT * rows + 0.5),
        dpi=110,
        facecolor="white",
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[count:]:
        axes.set_axis_off()
    lines = [
        Line2D([], [], color=color, linewidth=2.2, label=role)
        for role, color in COLORS.items()
        if role in roles
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=4, frameon=False, labelcolor=INK)
    return figure, grid


def _style(axes: Axes, title: str) -> None:
    # Matplotlib reads "$" as the start of a formula.
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=11, color=INK)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
