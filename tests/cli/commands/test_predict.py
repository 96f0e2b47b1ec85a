"""``predict``: JSON on standard output, pictures on request, unreadable images reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.bundle import small
from tests.cli.program import call


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small.write(tmp_path / "bundle")


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "one" / "street.png", tmp_path / "two" / "street.png"]
    for path, name in zip(paths, ("red", "blue"), strict=True):
        path.parent.mkdir()
        Image.new("RGB", (30, 20), name).save(path)
    return paths


def test_predict_prints_one_document(bundle: Path, images: list[Path]) -> None:
    result = call("predict", bundle, *images)
    document = json.loads(result.stdout)
    assert result.returncode == 0
    assert document["failed"] == []
    assert [entry["image"] for entry in document["images"]] == [str(path) for path in images]
    tasks = [task for entry in document["images"] for task in entry["tasks"].values()]
    assert [task["class"] for task in tasks if "class" in task] == ["red", "blue"]
    assert document["images"][0]["tasks"]["tint"]["fractions"] == {"red": 1.0}


def test_predict_writes_unique_file_names(bundle: Path, images: list[Path], tmp_path: Path) -> None:
    result = call("predict", bundle, *images, "--out", tmp_path / "pictures")
    pictures = [entry["picture"] for entry in json.loads(result.stdout)["images"]]
    assert result.returncode == 0
    assert "2 images" in result.stderr
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "street-2.png",
        "street-2.tint.png",
        "street.png",
        "street.tint.png",
    ]
    for name in pictures:
        with Image.open(name) as picture:
            assert picture.width > 3 * 256


def test_predict_reports_and_skips_an_unreadable_image(
    bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    unreadable = tmp_path / "bad.jpg"
    unreadable.write_text("not an image")
    result = call("predict", bundle, images[0], unreadable, images[1])
    document = json.loads(result.stdout)
    assert result.returncode == 1
    assert str(unreadable) in result.stderr
    assert [entry["image"] for entry in document["failed"]] == [str(unreadable)]
    assert len(document["images"]) == 2


def test_predict_without_bundle_is_an_error(images: list[Path], tmp_path: Path) -> None:
    result = call("predict", tmp_path, images[0])
    assert result.returncode == 1
    assert result.stdout == ""
    assert "not a bundle" in result.stderr
