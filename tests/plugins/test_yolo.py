"""Source ``yolo``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mtlsearch_plugins.yolo import Yolo
from PIL import Image

from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes
from mtlsearch.testing import DatasetContract

DATA = "path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n"
POLYGON = "1 0.25 0.2 0.75 0.2 0.75 0.8 0.25 0.8"


def write_yolo(root: Path, data: str = DATA, label: str = "0 0.5 0.5 0.5 0.4\n") -> None:
    """Write images of 40 x 30 pixels: a, b, c in train, d in val; b has no objects."""
    for index, name in enumerate(("train/a", "train/b", "train/c", "val/d")):
        for folder in ("images", "labels"):
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (40 * index, 90, 10)).save(root / "images" / f"{name}.jpg")
        (root / "labels" / f"{name}.txt").write_text("" if name == "train/b" else label)
    (root / "data.yaml").write_text(data)


def make(root: Path, **settings: object) -> Yolo:
    return Yolo(Yolo.Settings.model_validate(settings), root=root, seed=0)


def boxes_of(source: Yolo, index: int = 0) -> list[list[float]]:
    boxes = source.read("train", index).labels["boxes"]
    assert isinstance(boxes, Boxes)
    return boxes.xyxy.tolist()


class TestYolo(DatasetContract):
    def make_source(self, folder: Path) -> Yolo:
        write_yolo(folder, label=f"{POLYGON}\n")
        return make(folder, segmentation=True, presence=True)


def test_center_and_size_become_edges_in_pixels(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    source = make(tmp_path)
    assert source.labels["boxes"].classes == ("cat", "dog")
    assert boxes_of(source) == [[10, 9, 30, 21]]
    assert boxes_of(source, 1) == []


def test_polygons_become_boxes_and_masks(tmp_path: Path) -> None:
    write_yolo(tmp_path, label=f"{POLYGON}\n")
    source = make(tmp_path, segmentation=True)
    assert boxes_of(source) == [[10, 6, 30, 24]]
    mask = np.asarray(source.read("train", 0).labels["segmentation"])
    assert mask[15, 20] == 2
    assert mask[2, 2] == 0
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.5 0.4\n")
    assert set(source.read("train", 0).labels) == {"boxes"}
    assert not np.asarray(source.read("train", 1).labels["segmentation"]).any()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.5", "a line must have 5 numbers"),
        ("0 0.5 0.5 0.5 0.4 0.9", "a line must have 5 numbers"),
        ("2 0.5 0.5 0.5 0.4", "class 2 does not exist, the classes are 0 to 1"),
        ("0 20 15 20 12", "must be fractions of the image's width and height"),
        ("cat 0.5 0.5 0.5 0.4", "'cat' is not a number"),
        ("0 nan 0.5 0.5 0.4", "not a finite number"),
    ],
)
def test_malformed_line_is_reported(tmp_path: Path, line: str, message: str) -> None:
    write_yolo(tmp_path, label=f"0 0.5 0.5 0.5 0.4\n{line}\n")
    with pytest.raises(DataError) as caught:
        make(tmp_path).read("train", 0)
    assert message in str(caught.value)
    assert "a.txt line 2" in str(caught.value)
    assert caught.value.next_step


def test_keypoints_after_a_box_are_ignored(tmp_path: Path) -> None:
    write_yolo(tmp_path, f"{DATA}kpt_shape: [2, 3]\n", "0 0.5 0.5 0.5 0.4 0.1 0.1 2 0.2 0.2 2\n")
    assert boxes_of(make(tmp_path)) == [[10, 9, 30, 21]]


@pytest.mark.parametrize(
    "data",
    [
        "train: ../images/train\nval: ../images/val\nnc: 2\nnames: [cat, dog]\n",
        "path: C:\\data\ntrain: images\\train\nval: [images/val]\nnames: [cat, dog]\n",
        "\ufefftrain: train.txt\nval: images/val\nnames: [cat, dog]\n",
    ],
)
def test_data_files_of_exports_are_read(tmp_path: Path, data: str) -> None:
    write_yolo(tmp_path, data)
    (tmp_path / "train.txt").write_text("./images/train/a.jpg\nimages/train/b.jpg\n")
    source = make(tmp_path)
    assert source.size("train") in (2, 3)
    assert source.size("val") == 1
    assert boxes_of(source) == [[10, 9, 30, 21]]
    assert any("backslashes" in line for line in source.warnings) == ("\\" in data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("train: images/train\n", "must have the key `names`"),
        (DATA.replace("1: dog", "1: cat"), "class name 'cat' occurs twice: names[0] and names[1]"),
        (DATA.replace("1: dog", "2: dog"), "the keys of `names` must be 0 to 1"),
        (f"{DATA}nc: 3\n", "`nc` must be the number of `names`, 2, got 3"),
        (DATA.replace("images/val", "pictures"), "folder of the 'val' images does not exist"),
        ("train: [\n", "not valid YAML"),
        ("train: !!float a\n", "not valid YAML"),
        (DATA.replace("images/val", "list.txt"), "image '"),
    ],
)
def test_invalid_data_file_raises(tmp_path: Path, data: str, message: str) -> None:
    write_yolo(tmp_path, data)
    (tmp_path / "list.txt").write_text("images/val/d.jpg\nimages/val/d.jpg\n")
    with pytest.raises(DataError) as caught:
        make(tmp_path)
    assert message in str(caught.value)
    assert "data.yaml" in str(caught.value) or "pictures" in str(caught.value)
    assert caught.value.next_step or "not valid YAML" in message


def test_missing_label_files_are_a_warning_or_an_error(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    (tmp_path / "labels/train/a.txt").unlink()
    (message,) = make(tmp_path).warnings
    assert message.startswith("1 of 3 'train' images have no label file")
    (tmp_path / "labels").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="none of the 3 'train' images has a label file"):
        make(tmp_path)


def test_same_images_in_train_and_val_are_a_warning(tmp_path: Path) -> None:
    write_yolo(tmp_path, DATA.replace("images/val", "images/train"))
    (message,) = make(tmp_path).warnings
    assert "3 image(s) are in 'train' and in 'val'" in message


def test_label_files_beside_images_are_read(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    for split in ("train", "val"):
        for file in (tmp_path / "labels" / split).iterdir():
            file.rename(tmp_path / "images" / split / file.name)
    assert boxes_of(make(tmp_path)) == [[10, 9, 30, 21]]


def test_label_file_of_two_images_raises_with_both(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "train" / "a.png")
    with pytest.raises(DataError, match=r"label file .* occurs twice") as caught:
        make(tmp_path)
    assert "a.jpg and " in str(caught.value)
    assert "a.png" in str(caught.value)
