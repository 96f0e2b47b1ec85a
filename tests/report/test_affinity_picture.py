"""Tests of the plot of task affinity."""

from __future__ import annotations

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
