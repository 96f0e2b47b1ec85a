"""Source ``voc``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mtlsearch_plugins.voc import Voc
from PIL import Image
from pydantic import ValidationError

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
        ("<?xml version='1.0' encoding='big5'?><annotation/>", "an encoding that cannot be read"),
        ("<?xml version='1.0' encoding='idna'?><annotation/>", "an encoding that cannot be read"),
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


def write_list(root: Path, split: str, text: str) -> None:
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa\r\nb\r\nc\r\n",
        "a.jpg\nb.jpg\nc.jpg\n",
        "a.JPG  1\nb -1\nc  0\n".replace("JPG", "jpg"),
        "JPEGImages/a.jpg\ndevkit/JPEGImages/b\n/data/devkit/JPEGImages/c.jpg\n",
        "JPEGImages\\a.jpg\nJPEGImages\\b.jpg\nJPEGImages\\c.jpg\n",
    ],
)
def test_lists_of_other_programs_are_read(devkit: Path, text: str) -> None:
    write_list(devkit, "train", text)
    source = make(devkit)
    names = [source.files("train", index)[0].name for index in range(3)]
    assert names == ["a.jpg", "b.jpg", "c.jpg"]
    assert set(source.read("train", 0).labels) == {"boxes", "segmentation"}
    assert ("\\" in text) == bool(source.warnings)


def test_names_can_contain_blanks_and_numbers(devkit: Path) -> None:
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        (devkit / folder / f"a.{suffix}").rename(devkit / folder / f"my photo 1.{suffix}")
    write_list(devkit, "train", "my photo 1\nb 1\nc\n")
    source = make(devkit)
    assert source.files("train", 0)[0].name == "my photo 1.jpg"
    assert source.files("train", 1)[0].name == "b.jpg"
    assert "boxes" in source.read("train", 0).labels


def test_image_listed_twice_raises_with_both_lines(devkit: Path) -> None:
    write_list(devkit, "train", "a\nb\na.jpg\n")
    with pytest.raises(
        DataError, match=r"occurs twice: \S+train.txt line 1 and \S+train.txt line 3"
    ):
        make(devkit)
    write_list(devkit, "train", "a\nd\n")
    with pytest.raises(DataError, match=r"occurs twice: \S+train.txt line 2 and \S+val.txt line 1"):
        make(devkit)


def test_lists_without_existing_images_raise_once(devkit: Path) -> None:
    write_list(devkit, "train", "x\ny\n")
    write_list(devkit, "val", "z\n")
    with pytest.raises(DataError, match="none of the 3 images exists"):
        make(devkit)


def test_lists_of_other_names_raise(devkit: Path) -> None:
    for split in ("train", "val", "test"):
        (devkit / "ImageSets/Main" / f"{split}.txt").rename(
            devkit / "ImageSets/Main" / f"x{split}.txt"
        )
    with pytest.raises(DataError, match="no list of images for train, val or test"):
        make(devkit)
    with pytest.raises(DataError, match="no list of images for train, val or test"):
        make(devkit, image_set="Mian")
    source = make(devkit, image_set=None)
    assert source.size("train") == 3
    assert source.warnings[0].startswith("2 image(s)")


def test_xml_files_without_lists_are_train(devkit: Path) -> None:
    (devkit / "ImageSets").rename(devkit / "elsewhere")
    (devkit / "JPEGImages").rename(devkit / "images")
    (devkit / "Annotations").rename(devkit / "xml")
    text = (devkit / "xml" / "d.xml").read_text()
    (devkit / "xml" / "d.xml").rename(devkit / "xml" / "other.xml")
    text = text.replace("<size>", "<filename>d.jpg</filename><size>")
    (devkit / "xml" / "other.xml").write_text(text)
    source = make(devkit, images="images", annotations="xml")
    assert [source.size(split) for split in ("train", "val", "test")] == [3, 0, 0]
    assert source.files("train", 2)[0].name == "d.jpg"
    assert "other.xml" in source.locate("train", 2)
    data_of(source).check().raise_if_bad()


def test_images_can_have_any_suffix(devkit: Path) -> None:
    Image.open(devkit / "JPEGImages/a.jpg").save(devkit / "JPEGImages/a.BMP", "BMP")
    (devkit / "JPEGImages/a.jpg").unlink()
    assert make(devkit).files("train", 0)[0].name == "a.BMP"


@pytest.mark.parametrize(
    ("flag", "is_crowd"), [("Unspecified", False), ("", False), ("true", True), ("False", False)]
)
def test_difficult_is_parsed(devkit: Path, flag: str, is_crowd: bool) -> None:
    text = xml(("dog", (1, 1, 9, 9), flag))  # type: ignore[arg-type]
    (devkit / "Annotations" / "b.xml").write_text(text)
    boxes = make(devkit).read("train", 1).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.crowd.tolist() == [is_crowd]


def test_default_namespace_is_ignored(devkit: Path) -> None:
    text = xml(("dog", (1, 1, 40, 30), 0)).replace("<annotation>", '<annotation xmlns="http://a">')
    for name in "abd":
        (devkit / "Annotations" / f"{name}.xml").write_text(text)
    source = make(devkit)
    assert source.labels["boxes"].classes == ("dog",)
    data_of(source).check().raise_if_bad()


def test_other_size_in_xml_is_one_error_with_a_fix(devkit: Path) -> None:
    text = xml(("dog", (1, 1, 10, 10), 0), size="<size><width>80</width><height>60</height></size>")
    for name in "abcd":
        (devkit / "Annotations" / f"{name}.xml").write_text(text)
    message = error_of(make(devkit, classes=["dog"]))
    assert message.count("must have 80 x 60 pixels, as in the XML, got 40 x 30") == 3
    assert "size: from_image" in message
    source = make(devkit, classes=["dog"], size="from_image")
    boxes = source.read("train", 0).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[0, 0, 10, 10]]
    boxes = make(devkit, classes=["dog"], size="rescale").read("train", 0).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[0, 0, 5, 5]]


def test_size_from_image_needs_no_size_in_xml(devkit: Path) -> None:
    (devkit / "Annotations" / "b.xml").write_text(xml(("dog", (1, 1, 10, 10), 0), size=""))
    assert "lacks <size/width>" in error_of(make(devkit))
    data_of(make(devkit, size="from_image")).check().raise_if_bad()


def test_values_map_mask_numbers_to_classes(devkit: Path) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[5:25] = 255
    for name in "ad":
        save_mask(devkit / "SegmentationClass" / f"{name}.png", mask)
    source = make(devkit, values={255: "dog"})
    values = np.asarray(source.read("train", 0).labels["segmentation"])
    assert sorted(np.unique(values).tolist()) == [0, 2]


def test_invalid_classes_raise(devkit: Path) -> None:
    with pytest.raises(ValidationError, match="'dog' occurs twice, at index 0 and at index 2"):
        make(devkit, classes=["dog", "cat", "dog"])
    with pytest.raises(DataError, match="a class is named 'background'"):
        make(devkit, classes=["background", "cat", "dog"])


def test_missing_xml_files_are_named(devkit: Path) -> None:
    (devkit / "Annotations").rename(devkit / "xml")
    with pytest.raises(DataError, match=r"none of the 5 images has an XML file, such as \S+a.xml"):
        make(devkit)
    assert make(devkit, annotations="xml").labels["boxes"].classes == ("cat", "dog")


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
    with pytest.raises(DataError, match=r"has no train\.txt or val\.txt"):
        make(tmp_path)


@pytest.mark.real_data
def test_pennfudan_is_clean(real_data: Path) -> None:
    data = data_of(make(real_data / "pennfudan"))
    report = data.check()
    report.raise_if_bad()
    assert report.counts["train"]["boxes"].classes == {"person": 280}
    assert report.counts["val"]["segmentation"].present == 23


@pytest.mark.parametrize("has_lists", [True, False])
def test_images_that_differ_in_their_suffix_raise(devkit: Path, has_lists: bool) -> None:
    Image.new("RGB", (40, 30)).save(devkit / "JPEGImages" / "a.png")
    settings = {} if has_lists else {"image_set": None}
    with pytest.raises(DataError, match=r"suffix only: a\.jpg and a\.png") as caught:
        make(devkit, **settings)
    assert ("train.txt line 1" if has_lists else "a.xml") in str(caught.value)


def test_listed_suffix_decides_between_two_images(devkit: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(devkit / "JPEGImages" / "a.png")
    train = devkit / "ImageSets" / "Main" / "train.txt"
    train.write_text("a.png\nb\n")
    assert make(devkit).files("train", 0)[0].name == "a.png"
    train.write_text("a.png\nb\na.jpg\n")
    with pytest.raises(DataError, match="image name 'a' occurs twice") as caught:
        make(devkit)
    assert "a.png (" in str(caught.value)
    assert "a.jpg (" in str(caught.value)


def test_file_name_in_xml_decides_between_two_images(devkit: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(devkit / "JPEGImages" / "a.png")
    file = devkit / "Annotations" / "a.xml"
    text = file.read_text().replace("<annotation>", "<annotation><filename>a.png</filename>")
    file.write_text(text)
    source = make(devkit, image_set=None)
    assert source.files("train", 0)[0].name == "a.png"
    assert any("a.jpg" in warning for warning in source.warnings)


def test_name_that_no_disk_supports_raises(devkit: Path) -> None:
    write_list(devkit, "train", f"a\n{'b' * 252}\n")
    with pytest.raises(DataError, match=r"'bbb.* is too long"):
        make(devkit)
