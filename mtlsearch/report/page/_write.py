"""The page as one HTML file: template, style sheet and script, without any other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from mtlsearch.report._learning_curves import curve_panels
from mtlsearch.report._marks import NOT_COUNTED
from mtlsearch.report._notes import notes
from mtlsearch.report._plan_effects import pair_effects
from mtlsearch.report.page._contents import RunContents
from mtlsearch.report.page._curve_drawing import draw_curves
from mtlsearch.report.page._effect_drawing import draw_effect, effect_scales
from mtlsearch.report.page._facts import (
    commands,
    data_facts,
    search_facts,
    task_facts,
    trial_counts,
    unit_facts,
)
from mtlsearch.report.page._front_drawing import draw_front, front_roles
from mtlsearch.report.page._networks import NetworkResults
from mtlsearch.report.page._plan_drawing import task_colors
from mtlsearch.report.page._sections import (
    affinity_groups,
    class_tables,
    estimate_panel,
    failures,
    intervals,
    plan_card,
    plan_cards,
    state_sentence,
    tooltips,
)
from mtlsearch.report.page._summary import compared_networks, figures, plan_name, task_rows
from mtlsearch.report.page._table import page_table

MAX_EFFECTS = 42
"""Number of pairs of tasks up to which the effect of sharing is drawn."""

NOT_COUNTED_NOTE = (
    f" {NOT_COUNTED} Not counted in Δm: the independent baseline is 0 or within two standard "
    "errors of the worst value."
)


def render_page(contents: RunContents, networks: NetworkResults) -> str:
    """Return the page of a run.

    All texts are escaped. A content security policy forbids every script but the page's own, and
    everything from a network.

    Args:
        contents: the run.
        networks: results of the trained networks; empty if weights or data were not opened.

    Returns:
        The HTML text.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _with_code
    style, script = _read("page.css"), _read("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    template = environment.from_string(_read("page.html.j2"))
    return template.render(
        style=Markup(style),
        script=Markup(script),
        script_digest=digest,
        **_values(contents, networks),
    )


def _values(contents: RunContents, networks: NetworkResults) -> dict[str, Any]:
    """Return the values of the template."""
    tasks = sorted(contents.config.tasks)
    colors = task_colors(tasks)
    compared = compared_networks(contents)
    columns, rows = page_table(contents.frame, contents.primary)
    recommended = contents.recommended
    shown = [index for index, column in enumerate(columns) if column.is_shown]
    hints = tooltips(
        contents,
        [columns[index].title for index in shown],
        lambda row: [
            f"{rows[row].cells[index].text} {rows[row].cells[index].error}".strip()
            for index in shown
        ],
    )
    shown_intervals, zero = intervals(contents)
    return {
        "name": contents.name,
        "tasks": tasks,
        "colors": colors,
        "trial_counts": f"trials: {', '.join(trial_counts(contents)) or 'none'}",
        "sentences": () if contents.verdict is None else contents.verdict.sentences,
        "recommended": recommended,
        "recommended_name": "" if recommended is None else plan_name(recommended),
        "recommended_card": None if recommended is None else plan_card(contents, recommended),
        "figures": [*figures(contents)],
        "compared": compared,
        "task_rows": task_rows(contents, colors),
        "intervals": shown_intervals,
        "zero": zero,
        "not_counted_note": NOT_COUNTED_NOTE if contents.not_counted else "",
        "task_facts": task_facts(contents, networks, colors),
        "data_facts": data_facts(contents, networks),
        "search_facts": search_facts(contents),
        "units": {name: unit_facts(units) for name, units in sorted(contents.units.items())},
        "columns": columns,
        "rows": rows,
        "states": sorted({row.state for row in rows}),
        "notes": notes(contents.frame) if rows else [],
        "hints": hints,
        **_drawings(contents),
        "plans": plan_cards(contents) if rows else [],
        "affinity": affinity_groups(contents),
        "estimate": estimate_panel(contents),
        "classes": class_tables(contents, networks, compared),
        "networks": networks,
        "failures": failures(contents),
        "state_sentence": state_sentence(contents),
        "contents": contents,
        "commands": commands(contents, networks),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _drawings(contents: RunContents) -> Mapping[str, Any]:
    roles = contents.role_by_trial
    panels = curve_panels(contents.records, contents.history_by_trial, roles)
    curves = [(panel, draw_curves(panel)) for panel in panels]
    effects = pair_effects(contents.records, contents.repeats)
    effects = effects if len(effects) <= MAX_EFFECTS else []
    scales = effect_scales(effects)
    has_front = bool(contents.frame["delta_m"].notna().any()) if len(contents.frame) else False
    front = contents.frame.attrs.get("front", [])
    return {
        "roles": {
            "front": set(front_roles(contents.frame, roles).values()) if has_front else set(),
            "effects": {roles.get(p.trial, "other") for effect in effects for p in effect.points},
            "curves": {c.role for panel in panels if panel.is_primary for c in panel.curves},
        },
        "front_names": [{"delta_m": "Δm", "flops": "FLOPs"}.get(name, name) for name in front],
        "front_wide": draw_front(contents.frame, roles, width=1040, height=430)
        if has_front
        else None,
        "front_narrow": draw_front(contents.frame, roles, width=360, height=340)
        if has_front
        else None,
        "main_curves": [item for item in curves if item[0].is_primary],
        "other_curves": [item for item in curves if not item[0].is_primary],
        "effects": [
            (effect, draw_effect(effect, scales[effect.task], roles)) for effect in effects
        ],
        "importances": contents.importance_by_param,
    }


def _with_code(text: str) -> Markup:
    """Return a text with its parts in backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


@cache
def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
