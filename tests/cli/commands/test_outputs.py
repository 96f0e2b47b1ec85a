"""Outputs beside the images of a data set are refused, and never become data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtlsearch.files import RECORD
from tests.bundle import small
from tests.cli.program import call

RUN = """\
data:
  sources: {kind: folders, root: data}
  image_size: 32
  augment: {crop: null}
tasks: {class: {kind: classification}}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 4}
search: {space: tree, trials: 2}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory with a run file and two class folders per split."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(RUN)
    generator = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for name in ("healthy", "rust"):
            path = tmp_path / "data" / split / name
            path.mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(path / f"{index}.png")
    return tmp_path


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "command",
    [
        ["sample", "run.yaml", "--split", "val", "--out"],
        ["check", "run.yaml", "--out"],
        ["affinity", "run.yaml", "--out"],
    ],
)
def test_output_in_a_class_folder_is_refused(folder: Path, command: list[str]) -> None:
    before = files(folder / "data")
    out = Path("data/val/healthy")
    result = call(*command, out / "sheet.png" if command[0] == "check" else out)
    assert result.returncode == 2
    assert "contains images that mtlsearch did not write: 0.png and 1 more" in result.stderr
    assert f"where:   {out}" in result.stderr
    assert "new folder" in result.stderr
    assert files(folder / "data") == before


def test_new_folder_beside_classes_is_no_class(folder: Path) -> None:
    counted = call("check", "run.yaml").stdout
    for out in ("data/val/new", "data/train/healthy/new", "."):
        result = call("sample", "run.yaml", "--split", "val", "--count", "2", "--out", out)
        assert result.returncode == 0, result.stderr
        assert (folder / out / RECORD).is_file()
    assert call("check", "run.yaml").stdout == counted


def test_predict_beside_photographs_is_refused(folder: Path) -> None:
    bundle = small.write(folder / "bundle")
    Image.new("RGB", (30, 20)).save(folder / "photo.png")
    photos = folder / "data" / "val" / "rust"
    before = files(folder / "data")
    for image in (photos / "0.png", folder / "photo.png"):
        result = call("predict", bundle, image, "--out", photos)
        assert result.returncode == 2
        assert files(folder / "data") == before
    assert call("predict", bundle, photos / "0.png", "--out", "pictures").returncode == 0
    assert call("predict", bundle, "photo.png", "--out", "pictures").returncode == 0


def test_class_run_is_searched_shown_and_exported(folder: Path) -> None:
    result = call("search", "run.yaml", "--out", "run")
    assert result.returncode == 0, result.stderr
    options: list[list[str]] = [
        [],
        ["--errors"],
        ["--all-metrics"],
        ["--per-class", "class"],
        ["--per-class", "class", "--format", "json"],
        *(["--errors", "--format", form] for form in ("csv", "json", "markdown")),
        ["--plot", "plot.png"],
    ]
    for option in options:
        result = call("leaderboard", "run", *option)
        assert result.returncode == 0, result.stderr
        assert "class" in result.stdout
    for path, what in (
        (Path("data"), "would replace a folder"),
        (Path("data/val/rust/plot.png"), "did not write: 0.png"),
    ):
        result = call("leaderboard", "run", "--plot", path)
        assert result.returncode == 2
        assert what in result.stderr
    result = call("evaluate", "run", "--split", "val", "--out", "data/val/rust")
    assert result.returncode == 2
    assert "did not write: 0.png" in result.stderr
    assert call("export", "run", "--out", "bundle").returncode == 0
    predicted = call("predict", "bundle", "data/val/rust/0.png")
    assert predicted.returncode == 0
    assert '"class"' in predicted.stdout
