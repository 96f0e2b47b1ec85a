"""``predict``: JSON on standard output, pictures on request, unreadable images reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mtlsearch.bundle._selection import select_outputs
from mtlsearch.errors import ConfigError
from mtlsearch.labels import Form
from mtlsearch.prediction import OutputSpec
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
    assert document["images"][0]["tasks"]["tint"]["fractions"] == {
        "red": 1.0,
        "green": 0.0,
        "blue": 0.0,
    }


def test_predict_writes_unique_file_names(bundle: Path, images: list[Path], tmp_path: Path) -> None:
    result = call("predict", bundle, *images, "--out", tmp_path / "pictures")
    pictures = [entry["picture"] for entry in json.loads(result.stdout)["images"]]
    assert result.returncode == 0
    assert "2 images" in result.stderr
    assert sorted(path.name for path in (tmp_path / "pictures").glob("[!.]*")) == [
        "street-2.png",
        "street-2.tint.png",
        "street.png",
        "street.tint.png",
    ]
    for name in pictures:
        with Image.open(name) as picture:
            assert picture.width > 3 * 256


def test_predict_into_the_folder_of_an_image_is_refused(
    bundle: Path, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images[0].parent)
    before = Path("street.png").read_bytes()
    for out in (Path(), images[0].parent, tmp_path / "two" / ".." / "one"):
        result = call("predict", bundle, "street.png", "--out", out)
        assert result.returncode == 2
        assert "would replace an input of this command" in result.stderr
        assert "street.png" in result.stderr
        assert Path("street.png").read_bytes() == before
        assert sorted(path.name for path in Path().iterdir()) == ["street.png"]


def test_predict_replaces_no_file_of_the_user(
    bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    mine = tmp_path / "pictures" / "street-2.tint.png"
    mine.parent.mkdir()
    mine.write_text("mine")
    result = call("predict", bundle, *images, "--out", mine.parent)
    assert result.returncode == 2
    assert f"where:   {mine}" in result.stderr
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]
    assert mine.read_text() == "mine"


def test_predict_again_replaces_its_unchanged_outputs(
    bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "pictures"
    assert call("predict", bundle, images[0], "--out", out).returncode == 0
    Image.new("RGB", (30, 20), "green").save(images[0])
    assert call("predict", bundle, images[0], "--out", out).returncode == 0
    other = call("predict", bundle, images[1], "--out", out)
    assert other.returncode == 2, "the outputs of another image of that name"
    (out / "street.png").write_bytes((out / "street.png").read_bytes() + b"edited")
    edited = call("predict", bundle, images[0], "--out", out)
    assert edited.returncode == 2
    assert "that was changed" in edited.stderr


def test_predict_gives_outputs_of_all_images_unique_names(bundle: Path, tmp_path: Path) -> None:
    names = ("x.jpg", "X.png", "x.tint.jpg", "x-2.png", "y/x.jpg")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (30, 20), "red").save(tmp_path / name)
    out = tmp_path / "pictures"
    result = call("predict", bundle, *(tmp_path / name for name in names), "--out", out)
    assert result.returncode == 0, result.stderr
    entries = json.loads(result.stdout)["images"]
    printed = [path for e in entries for path in (e["picture"], e["tasks"]["tint"]["file"])]
    assert len({Path(path).name.casefold() for path in printed}) == 2 * len(names)
    assert {Path(path) for path in printed} == set(out.glob("[!.]*"))


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


def test_predict_refuses_an_option_without_a_task(bundle: Path, images: list[Path]) -> None:
    result = call("predict", bundle, images[0], "--conf", "0.5")
    assert result.returncode == 2
    assert "`conf` applies to no task of the bundle (color: category, tint: mask)" in result.stderr
    assert "--conf" in result.stderr


def test_select_names_the_task_of_a_class_that_is_fixed() -> None:
    tasks = {**small.manifest().tasks, "spots": OutputSpec(Form.BOXES, ("spot",))}
    with pytest.raises(ConfigError) as raised:
        select_outputs(replace(small.manifest(), tasks=tasks), None, None, ["red"])
    assert raised.value.what.startswith("'red' is a class of color, tint and cannot be selected")
    assert "among those of spots" in raised.value.what
    assert "--classes" in str(raised.value)


def test_predict_writes_the_same_path_from_any_folder(
    bundle: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle)
    for path in (bundle, "."):
        result = call("predict", path, images[0])
        assert json.loads(result.stdout)["bundle"] == str(bundle.resolve())
