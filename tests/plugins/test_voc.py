"""Source ``voc``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mtlsearch_plugins.voc import Voc
from PIL import Image

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, open_data
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes
from mtlsearch.testing import DatasetContract

OBJECT = (
    "<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{box[0]}</xmin>"
    "<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
)
SIZE = "<size><width>40</width><height>30</height><depth>3</depth></size>"


def xml(*objects: tuple[str, tuple[float, ...], int], size: str = SIZE) -> str:
    written = (OBJECT.format(name=name, box=box, difficult=hard) for name, box, hard in objects)
    return f"<annotation>{size}{''.join(written)}</annotation>"


def save_mask(path: Path, mask: np.ndarray) -> None:
    """Write a palette image, as in devkits."""
    picture = Image.new("P", (mask.shape[1], mask.shape[0]))
    picture.putpalette([part for color in range(256) for part in (color, 255 - color, 90)])
    picture.frombytes(mask.astype(np.uint8).tobytes())
    picture.save(path)


def write_devkit(root: Path) -> None:
    """Write five images of 40 x 30 pixels: a, b, c in train, d in val, e in test."""
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index, name in enumerate("abcde"):
        picture = Image.new("RGB", (40, 30), (40 * index, 90, 10))
        picture.save(root / "JPEGImages" / f"{name}.jpg")
    lists = {"train": "a\nb\n\nc\n", "val": "d\n", "test": "e\n"}
    for split, names in lists.items():
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(names)
    content = {
        "a": xml(("dog", (1, 1, 40, 30), 0), ("cat", (5, 6, 20, 25), 1)),
        "b": xml(),
        "d": xml(("cat", (2, 3, 30, 20), 0)),
    }
    for name, text in content.items():
        (root / "Annotations" / f"{name}.xml").write_text(text)
    mask = np.zeros((30, 40), np.uint8)
    mask[5:25, 4:20] = 1
    mask[0] = 255
    for name in "ad":
        save_mask(root / "SegmentationClass" / f"{name}.png", mask)


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    write_devkit(tmp_path)
    return tmp_path


def make(root: Path, **settings: object) -> Voc:
    return Voc(Voc.Settings.model_validate(settings), root=root, seed=0)


def data_of(source: Voc) -> DataModule:
    config = DataConfig.model_validate({"sources": {"kind": "voc"}, "image_size": 16})
    return open_data([source], config, mean=(0.5,) * 3, std=(0.5,) * 3, seed=0)


def error_of(source: Voc) -> str:
    with pytest.raises(DataError) as caught:
        data_of(source).check().raise_if_bad()
    return str(caught.value)


class TestVoc(DatasetContract):
    def make_source(self, folder: Path) -> Voc:
        write_devkit(folder)
        return make(folder, presence=True)


def test_boxes_count_from_one_and_include_the_last_pixel(devkit: Path) -> None:
    boxes = make(devkit).read("train", 0).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[0, 0, 40, 30], [4, 5, 20, 25]]
    plain = make(devkit, one_based=False).read("train", 0).labels["boxes"]
    assert isinstance(plain, Boxes)
    assert plain.xyxy.tolist() == [[1, 1, 40, 30], [5, 6, 20, 25]]


def test_classes_are_sorted_or_configured(devkit: Path) -> None:
    assert make(devkit).labels["boxes"].classes == ("cat", "dog")
    labels = make(devkit, classes=["dog", "cat", "bird"]).labels
    assert labels["segmentation"].classes == ("background", "dog", "cat", "bird")


def test_difficult_objects_are_crowd_unless_kept(devkit: Path) -> None:
    labels = make(devkit, presence=True).read("train", 0).labels
    boxes = labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.crowd.tolist() == [False, True]
    assert labels["classes"] == (1,)
    kept = make(devkit, difficult="keep").read("train", 0).labels["boxes"]
    assert isinstance(kept, Boxes)
    assert not kept.crowd.any()


def test_xml_without_objects_is_a_label_and_no_xml_is_none(devkit: Path) -> None:
    source = make(devkit)
    empty = source.read("train", 1).labels
    assert set(empty) == {"boxes"}
    assert isinstance(empty["boxes"], Boxes)
    assert len(empty["boxes"].xyxy) == 0
    assert source.read("train", 2).labels == {}


def test_mask_keeps_indices_and_void(devkit: Path) -> None:
    mask = np.asarray(make(devkit).read("train", 0).labels["segmentation"])
    assert sorted(np.unique(mask).tolist()) == [0, 1, 255]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (xml(size=""), "lacks <size/width>"),
        (xml(size="<size><width>30</width><height>40</height></size>"), "30 x 40 pixels"),
        (xml(("dgo", (1, 1, 9, 9), 0)), "unknown class 'dgo'; did you mean 'dog'?"),
        (xml(("dog", (1, 1, 60, 9), 0)), "outside the image of 40 x 30"),
        (xml(("dog", (9, 9, 8, 20), 0)), "no area"),
        (xml(("dog", ("left", 9, 8, 20), 0)), "must be a number, got 'left'"),
        ("<annotation><size>", "not valid XML"),
        (xml(("", (1, 1, 9, 9), 0)), "object 1 lacks <name>"),
    ],
)
def test_invalid_xml_is_reported_with_line_and_path(
    devkit: Path, content: str, message: str
) -> None:
    (devkit / "Annotations" / "b.xml").write_text(content)
    text = error_of(make(devkit, classes=["cat", "dog"]))
    assert message in text
    assert "b.jpg" in text
    assert "train.txt line 2" in text


def test_list_in_another_encoding_raises(devkit: Path) -> None:
    (devkit / "ImageSets" / "Main" / "val.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match="not in UTF-8"):
        make(devkit)


@pytest.mark.parametrize("name", ["JPEGImages", "SegmentationClass"])
def test_missing_folder_raises_once(devkit: Path, name: str) -> None:
    (devkit / name).rename(devkit / "elsewhere")
    with pytest.raises(DataError, match=f"the devkit has no folder {name}"):
        make(devkit, segmentation=True)


def test_broken_and_missing_images_are_reported_together(devkit: Path) -> None:
    whole = (devkit / "JPEGImages" / "a.jpg").read_bytes()
    (devkit / "JPEGImages" / "a.jpg").write_bytes(whole[: len(whole) // 2])
    (devkit / "JPEGImages" / "d.jpg").unlink()
    text = error_of(make(devkit))
    assert "2 problem(s) in 4 images" in text
    assert "a.jpg cannot be decoded" in text
    assert "train.txt line 1" in text
    assert "d.jpg is missing" in text
    assert "val.txt line 1" in text


def test_mask_of_another_size_is_reported(devkit: Path) -> None:
    save_mask(devkit / "SegmentationClass" / "a.png", np.zeros((30, 20)))
    text = error_of(make(devkit))
    assert "the mask is 20 x 30 pixels, its image 40 x 30" in text
    assert "a.jpg" in text


def test_mask_with_an_unknown_class_is_reported(devkit: Path) -> None:
    save_mask(devkit / "SegmentationClass" / "a.png", np.full((30, 40), 9))
    assert "class 9 does not exist, the classes are 0 to 2" in error_of(make(devkit))


def test_folder_without_image_lists_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no list of images"):
        make(tmp_path)


@pytest.mark.real_data
def test_pennfudan_is_clean(real_data: Path) -> None:
    data = data_of(make(real_data / "pennfudan"))
    report = data.check()
    report.raise_if_bad()
    assert report.counts["train"]["boxes"].classes == {"person": 280}
    assert report.counts["val"]["segmentation"].present == 23
