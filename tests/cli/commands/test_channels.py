"""From files of several bands to predictions: check, search, export, predict and sample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.program import call

pytestmark = pytest.mark.slow

RUN = """\
data:
  root: .
  sources:
    kind: manifest
    labels:
      kind: {form: category}
      mask: {form: mask, classes: [nothing, thing]}
  image_size: 32
  channels: 5
  pixel_range: [0, 4095]
  cache: null
tasks:
  kind: {kind: classification}
  mask: {kind: segmentation, channels: 16}
backbone: {name: test_resnet}
train: {epochs: 6, batch_size: 8, learning_rate: 0.01}
search: {space: tree, trials: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data set whose classes differ in the fifth band only, in 12 bits."""
    rng = np.random.default_rng(0)
    rows = ["image,kind,mask,split"]
    for index in range(48):
        pixels = rng.integers(0, 900, (5, 40, 30)).astype(np.uint16)
        mask = np.zeros((40, 30), np.uint8)
        mask[8:24, 8:24] = 1
        if index % 2:
            pixels[4, 8:24, 8:24] += 3000
        np.save(tmp_path / f"{index}.npy", pixels)
        np.save(tmp_path / f"m{index}.npy", mask * (index % 2))
        split = "train" if index < 32 else "val" if index < 44 else "test"
        rows.append(f"{index}.npy,{'ab'[index % 2]},m{index}.npy,{split}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "run.yaml").write_text(RUN)
    return tmp_path


def test_five_bands_are_trained_and_predicted_alike(folder: Path) -> None:
    run, bundle = folder / "run", folder / "bundle"
    checked = call("check", folder / "run.yaml", "--out", folder / "sheet" / "sheet.png")
    assert checked.returncode == 0, checked.stderr
    assert "contrast" not in checked.stderr
    assert call("search", folder / "run.yaml", "--out", run).returncode == 0
    assert call("export", run, "--trial", "best", "--out", bundle).returncode == 0
    manifest = json.loads((bundle / "bundle.json").read_text())
    assert manifest["preprocessing"]["channels"] == 5
    assert manifest["preprocessing"]["pixel_range"] == [0.0, 4095.0]
    assert len(manifest["preprocessing"]["mean"]) == 5

    files = [folder / f"{index}.npy" for index in range(32, 44)]
    result = call("predict", bundle, *files, "--out", folder / "pictures")
    entries = json.loads(result.stdout)["images"]
    right = [
        entry["tasks"]["kind"]["class"] == "ab"[index % 2] for index, entry in enumerate(entries)
    ]
    assert np.mean(right) == pytest.approx(manifest["metrics"]["kind"]["accuracy"])
    assert np.mean(right) == 1

    sampled = call("sample", folder / "run.yaml", "--out", folder / "samples", "--count", "2")
    paths = sampled.stdout.split()
    assert [Path(path).suffix for path in paths] == [".npy", ".npy"]
    document = json.loads(call("predict", bundle, *paths, folder / "44.npy").stdout)
    first, _, original = (entry["tasks"]["kind"] for entry in document["images"])
    assert first == original


def test_images_that_do_not_fit_a_bundle_are_reported(folder: Path) -> None:
    np.save(folder / "33.npy", np.zeros((3, 40, 30), np.uint16))
    np.save(folder / "34.npy", np.full((5, 40, 30), np.nan))
    checked = call("check", folder / "run.yaml")
    assert checked.returncode == 1
    assert "33.npy): the image has 3 band(s)" in checked.stderr
    assert "[3, 40, 30], but `data.channels` is 5" in checked.stderr
    assert "34.npy): 6000 numbers of the image are not finite" in checked.stderr
