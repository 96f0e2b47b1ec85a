"""Tests of the plot of task affinity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from mtlsearch.report import draw_affinity
from tests.affinity.matrices import affinity, symmetric


def test_draw_affinity_has_one_row_per_unit(tmp_path: Path) -> None:
    heights = []
    for units in (1, 2, 3):
        measured = affinity("abc", similarity=[{("a", "b"): 0.5}] * units)
        draw_affinity(measured, tmp_path / "plot.png")
        with Image.open(tmp_path / "plot.png") as picture:
            assert picture.format == "PNG"
            heights.append(picture.height)
    assert heights[2] - heights[1] == heights[1] - heights[0] > 100


def test_draw_affinity_colors_opposed_gradients_red(tmp_path: Path) -> None:
    """Red for opposed gradients, blue for similar ones."""
    red_by_name = {}
    for name, cosine in (("opposed", -1.0), ("similar", 1.0)):
        draw_affinity(affinity("abc", similarity=[{}], cosine=cosine), tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        third = pixels[:, : pixels.shape[1] // 3]
        red_by_name[name] = float((third[..., 0] > third[..., 2] + 40).mean())
    assert red_by_name["opposed"] > 0.1 > red_by_name["similar"]


def test_draw_affinity_accepts_nan(tmp_path: Path) -> None:
    lookahead = symmetric("ab", {("a", "b"): np.nan}, diagonal=np.nan)
    draw_affinity(
        affinity("ab", similarity=[{("a", "b"): np.nan}], lookahead=lookahead), tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").is_file()
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_draw_affinity_colors_small_effects_beside_large_ones(tmp_path: Path) -> None:
    """Each unit has its own color range."""
    measured = affinity("ab", similarity=[{}, {}])
    effects = np.array([[[0.9, 0.5], [0.5, 0.9]], [[0.01, 0.001], [0.001, 0.01]]])
    draw_affinity(replace(measured, unit_lookahead=effects), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    lower = pixels[pixels.shape[0] // 2 :, -pixels.shape[1] // 3 :]
    assert (lower[..., 2] > lower[..., 0] + 60).mean() > 0.1
