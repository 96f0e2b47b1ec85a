"""``mtlsearch report`` and ``mtlsearch plot``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("small_search")


@pytest.fixture(scope="module")
def page(small_search: SmallSearch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the page of the small search and return its text."""
    path = tmp_path_factory.mktemp("page") / "small.html"
    result = call("report", small_search.run, "--out", path, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{path}\n"
    return path.read_text(encoding="utf-8")


def test_report_has_images_and_confusion_matrices(page: str) -> None:
    assert page.count("data:image/jpeg;base64,") > 8  # labels and predictions of one task
    assert "Confusion matrices" in page
    assert "16 train, 8 val, 3 test" in page
    assert "Units of test_resnet" in page


def test_report_has_versions_and_the_run_file(page: str, small_search: SmallSearch) -> None:
    (environment,) = json.loads((small_search.run / "environment.json").read_text())
    assert {"mtlsearch", "torch", "timm", "python", "device", "threads"} <= environment.keys()
    assert environment["torch"] in page
    assert "learning_rate: 0.003" in page


def test_report_is_written_to_the_run_and_replaced(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    run = small_search.copy(tmp_path)
    for _ in range(2):
        assert call("report", run, "--no-images").returncode == 0
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "Data and weights were not opened" in text
    (run / "report.html").write_text("mine")
    result = call("report", run, "--no-images")
    assert result.returncode == 2
    assert "did not write" in result.stderr


def test_report_names_missing_weights_and_data(small_search: SmallSearch, tmp_path: Path) -> None:
    run = small_search.copy(tmp_path)
    (run / "trials" / "0000" / "weights.safetensors").unlink()
    result = call("report", run, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert "the weights of trial 0 do not exist" in result.stderr
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "the weights of trial 0 do not exist" in text
    assert "data:image/jpeg;base64," in text
    config = (run / "run.yaml").read_text(encoding="utf-8")
    (run / "run.yaml").write_text(config.replace("kind: scenes", "kind: missing"), "utf-8")
    result = call("report", run, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert "No images and no confusion matrices: unknown data set source" in result.stderr


@pytest.mark.parametrize("kind", ["curves", "front", "plans", "confusion", "importance"])
def test_plot_writes_each_kind(kind: str, small_search: SmallSearch, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.png"
    result = call("plot", small_search.run, kind, "--out", path, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    with Image.open(path) as picture:
        assert min(picture.size) > 200
        assert len(picture.convert("RGB").getcolors(2**20) or []) > 20


def test_plot_writes_vector_formats(small_search: SmallSearch, tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    assert call("plot", small_search.run, "curves", "--out", path).returncode == 0
    assert "<svg" in path.read_text(encoding="utf-8")
    result = call("plot", small_search.run, "curves", "--out", tmp_path / "curves.txt")
    assert result.returncode == 2
    assert "--out" in result.stderr
    assert not (tmp_path / "curves.txt").exists()
