"""The page of a bundle, which runs its network in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mtlsearch.bundle import GRAPH_WEIGHTS, Manifest, Preprocessing
from mtlsearch.errors import ExportError
from mtlsearch.prediction import DRAW_THRESHOLD, VIRIDIS, OutputSpec, class_color, option_values


def require_web(preprocessing: Preprocessing) -> None:
    """Check that a browser can prepare images as the network needs them.

    Args:
        preprocessing: pixel format of the network.

    Raises:
        ExportError: the input is not RGB of 8 bits.
    """
    if preprocessing.channels != "rgb" or preprocessing.pixel_range != "auto":
        raise ExportError(
            "a browser reads pictures as RGB of 8 bits, but the network has `data.channels: "
            f"{preprocessing.channels}` and `data.pixel_range: {preprocessing.pixel_range}`",
            where="--web",
            allowed=["`data.channels: rgb` and `data.pixel_range: auto`"],
            next_step="export without --web",
        )


def write_page(folder: Path, manifest: Manifest, title: str) -> None:
    """Write page, script and style sheet.

    Args:
        folder: the folder ``web`` of a bundle.
        manifest: the manifest of the bundle.
        title: name of the bundle.

    Raises:
        ExportError: the graph is larger than 2 GiB.
    """
    if (folder.parent / GRAPH_WEIGHTS).exists():
        raise ExportError(
            "a browser cannot load a graph of more than 2 GiB",
            where="--web",
            next_step="export without --web",
        )
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(_read("index.html.j2"))
    page = template.render(
        title=title,
        backbone=manifest.backbone,
        parameters=f"{manifest.parameters / 1e6:.2f}",
        size=manifest.preprocessing.size,
        settings=_embedded(_settings(manifest)),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    for name in ("page.js", "page.css"):
        (folder / name).write_text(_read(name), encoding="utf-8")


def _settings(manifest: Manifest) -> dict[str, Any]:
    """Return what the script needs: tasks with colors, preprocessing, color scale."""
    return {
        "size": manifest.preprocessing.size,
        "mean": manifest.preprocessing.mean,
        "std": manifest.preprocessing.std,
        "tasks": {name: _task(output) for name, output in manifest.tasks.items()},
        "viridis": VIRIDIS.tolist(),
    }


def _task(output: OutputSpec) -> dict[str, Any]:
    options = {"draw_threshold": DRAW_THRESHOLD, **output.options}
    return {
        "form": output.form.value,
        "classes": output.classes,
        "unit": output.unit,
        "colors": [class_color(index) for index in range(len(output.classes))],
        "draw_threshold": options["draw_threshold"],
        "score_threshold": float(option_values(output).get("score_threshold", 0)),
    }


def _embedded(value: dict[str, Any]) -> Markup:
    """Return JSON for a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
