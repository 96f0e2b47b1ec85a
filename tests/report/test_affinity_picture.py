"""The picture of task affinity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mtlsearch.report import draw_affinity
from tests.affinity.matrices import affinity, symmetric


def test_it_has_a_row_a_unit(tmp_path: Path) -> None:
    heights = []
    for units in (1, 2, 3):
        known = affinity("abc", alike=[{("a", "b"): 0.5}] * units)
        draw_affinity(known, tmp_path / "found.png")
        with Image.open(tmp_path / "found.png") as picture:
            assert picture.format == "PNG"
            heights.append(picture.height)
    assert heights[2] - heights[1] == heights[1] - heights[0] > 100


def test_colours_say_who_agrees(tmp_path: Path) -> None:
    """Red where gradients are opposed, blue where they agree."""
    shares = {}
    for name, cosine in (("foes", -1.0), ("friends", 1.0)):
        draw_affinity(affinity("abc", alike=[{}], cosine=cosine), tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        third = pixels[:, : pixels.shape[1] // 3]
        shares[name] = float((third[..., 0] > third[..., 2] + 40).mean())
    assert shares["foes"] > 0.1 > shares["friends"]


def test_what_is_not_known_is_drawn_too(tmp_path: Path) -> None:
    gains = symmetric("ab", {("a", "b"): np.nan}, own=np.nan)
    draw_affinity(affinity("ab", alike=[{("a", "b"): np.nan}], gains=gains), tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()
    assert [at.name for at in tmp_path.iterdir()] == ["a.png"]
