"""Source ``coco``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mtlsearch_plugins.coco import Coco
from mtlsearch_plugins.coco._index import Annotation
from mtlsearch_plugins.coco._masks import decode
from PIL import Image

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, data_warnings, open_data
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes
from mtlsearch.testing import DatasetContract

SIZE = (30, 40)
"""Height and width in pixels."""


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Return uncompressed run lengths by columns, as those of crowd regions."""
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, len(flat)]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def compressed(mask: np.ndarray) -> dict[str, Any]:
    rle = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def content() -> dict[str, Any]:
    """Return a file with gaps in the ids; image 4 has no annotations."""
    square = [[2, 3, 12, 3, 12, 13, 2, 13]]
    return {
        "categories": [{"id": 90, "name": "dog"}, {"id": 7, "name": "cat"}],
        "images": [
            {"id": key, "file_name": f"{key}.jpg", "width": 40, "height": 30} for key in (2, 4, 9)
        ],
        "annotations": [
            entry(1, 2, 90, [2, 3, 10, 10], square),
            entry(2, 2, 7, [5, 5, 4, 4], compressed(block(5, 5, 9, 9))),
            entry(3, 2, 90, [0, 20, 40, 10], run_lengths(block(20, 0, 30, 40)), crowd=1),
            entry(5, 9, 7, [1, 1, 20, 20], run_lengths(block(0, 0, 21, 21))),
        ],
    }


def entry(
    key: int, image: int, category: int, box: list[float], shape: object, crowd: int = 0
) -> dict[str, Any]:
    return {
        "id": key,
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "segmentation": shape,
        "iscrowd": crowd,
        "area": 1,
    }


def write_coco(root: Path, train: dict[str, Any] | None = None) -> None:
    (root / "images").mkdir(exist_ok=True)
    for key in (2, 4, 9):
        Image.new("RGB", (40, 30), (key, 2 * key, 90)).save(root / "images" / f"{key}.jpg")
    (root / "train.json").write_text(json.dumps(train or content()))


def make(root: Path, **options: object) -> Coco:
    options = {"train": "train.json", "images": "images", **options}
    return Coco(Coco.Settings.model_validate(options), root=root, seed=0)


def data_of(source: Coco) -> DataModule:
    config = DataConfig.model_validate({"sources": {"kind": "coco"}, "image_size": 16})
    return open_data([source], config, mean=(0.5,) * 3, std=(0.5,) * 3, seed=0)


def error_of(source: Coco) -> str:
    with pytest.raises(DataError) as caught:
        data_of(source).check().raise_if_bad()
    return str(caught.value)


class TestCoco(DatasetContract):
    def make_source(self, folder: Path) -> Coco:
        write_coco(folder)
        return make(folder, segmentation=True, presence=True)


def test_classes_are_sorted_by_category_id(tmp_path: Path) -> None:
    write_coco(tmp_path)
    source = make(tmp_path, segmentation=True, presence=True)
    assert source.labels["boxes"].classes == ("cat", "dog")
    assert source.labels["segmentation"].classes == ("background", "cat", "dog")
    labels = source.read("train", 0).labels
    boxes = labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.classes.tolist() == [1, 0, 1]
    assert boxes.crowd.tolist() == [False, False, True]
    assert boxes.xyxy.tolist() == [[2, 3, 12, 13], [5, 5, 9, 9], [0, 20, 40, 30]]
    assert labels["classes"] == (0, 1)


def test_small_instances_cover_large_ones_and_crowds_are_void(tmp_path: Path) -> None:
    write_coco(tmp_path)
    mask = np.asarray(make(tmp_path, segmentation=True).read("train", 0).labels["segmentation"])
    assert mask[6, 6] == 1
    assert mask[4, 4] == 2
    assert mask[25, 5] == 255
    assert mask[15, 35] == 0


def test_image_without_annotations_has_empty_labels(tmp_path: Path) -> None:
    write_coco(tmp_path)
    labels = make(tmp_path, segmentation=True, presence=True).read("train", 1).labels
    assert isinstance(labels["boxes"], Boxes)
    assert len(labels["boxes"].xyxy) == 0
    assert not np.asarray(labels["segmentation"]).any()
    assert labels["classes"] == ()


def test_instance_without_a_segmentation_gives_no_mask(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][3]["segmentation"] = []
    write_coco(tmp_path, changed)
    assert set(make(tmp_path, segmentation=True).read("train", 2).labels) == {"boxes"}


def decoded(shape: object) -> np.ndarray:
    annotation = Annotation.model_validate(entry(1, 2, 7, [0, 0, 1, 1], shape))
    return decode(annotation, SIZE, "here")


@given(arrays.arrays(np.bool_, SIZE))
@settings(max_examples=50, deadline=None)
def test_run_lengths_decode_to_the_encoded_mask(mask: np.ndarray) -> None:
    assert np.array_equal(decoded(run_lengths(mask)), mask)
    assert np.array_equal(decoded(compressed(mask)), mask)


CORNERS = st.lists(
    st.tuples(st.floats(0, SIZE[1]), st.floats(0, SIZE[0])), min_size=3, max_size=8
).map(lambda points: [side for point in points for side in point])


# pycocotools 2.0 was written before numpy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(st.lists(CORNERS, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_polygons_decode_as_in_pycocotools(polygons: list[list[float]]) -> None:
    expected = reference.decode(reference.merge(reference.frPyObjects(polygons, *SIZE)))
    assert np.array_equal(decoded(polygons), expected.astype(bool))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"size": [30, 40], "counts": [5, 5]}, "annotation 1 cannot be decoded"),
        (
            {"size": [40, 30], "counts": [1200]},
            "must have the size [30, 40] of the image (height, width), got [40, 30]",
        ),
        ({"size": 0, "counts": [0, 1200]}, "must have the size"),
        ({"size": [30, 40], "counts": [0, 1300, -100]}, "run lengths must not be negative"),
        ({"size": [30, 40], "counts": [0, 10**30]}, "the sum 1200"),
        ({"size": [30, 40], "counts": "\u00e9"}, "contains 'é'"),
        ({"size": [30, 40], "counts": "oo"}, "is incomplete"),
        ([[1, 2, 11, 2, 11, -1e20]], "far outside the image of 40 x 30"),
        ([[1, 2, 11, 2, 11, float("nan")]], "fewer than three corners"),
        ({"size": [30, 40]}, "cannot be decoded"),
        ([[1, 2, 3, 4]], "fewer than three corners"),
    ],
)
def test_invalid_segmentation_is_reported(tmp_path: Path, shape: object, message: str) -> None:
    changed = content()
    changed["annotations"][0]["segmentation"] = shape
    write_coco(tmp_path, changed)
    text = error_of(make(tmp_path, segmentation=True))
    assert message in text
    assert "2.jpg" in text
    assert "train.json images[0]" in text


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("category_id", 8, "has the `category_id` 8, which is not an id of `categories`"),
        ("bbox", [30, 3, 20, 10], "`bbox` [30, 3, 20, 10] leaves the image of 40 x 30"),
        ("bbox", [3, 3, 0, 10], "no area"),
    ],
)
def test_invalid_annotation_is_reported(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    changed = content()
    changed["annotations"][0][key] = value
    write_coco(tmp_path, changed)
    text = error_of(make(tmp_path))
    assert message in text
    assert "train.json images[0]" in text
    assert "next:" in text


def test_boxes_in_fractions_name_no_setting(tmp_path: Path) -> None:
    changed = content()
    for entry in changed["annotations"]:
        entry["bbox"] = [0.1, 0.2, 0.5, 0.5]
    write_coco(tmp_path, changed)
    data = data_of(make(tmp_path))
    report = data.check()
    (warning, *_) = [
        text
        for text in data_warnings(report, data.labels, {"boxes": "boxes"})
        if "fractions" in text
    ]
    assert "multiply them by width and height" in warning
    assert "normalized" not in warning


def test_drop_empty_drops_boxes_without_area(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][0]["bbox"] = [3, 3, 0, 10]
    write_coco(tmp_path, changed)
    report = data_of(make(tmp_path, drop_empty=True)).check()
    report.raise_if_bad()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("categories"), "must have a list 'categories'"),
        (lambda c: c["images"][1].pop("width"), "`width` is missing"),
        (lambda c: c["annotations"][2].update(image_id=5), "refers to image 5"),
        (
            lambda c: c["annotations"][1].update(bbox=[1, 2, 3]),
            "bbox: 4 numbers are expected, got [1, 2, 3]",
        ),
        (lambda c: c["annotations"][1].update(iscrowd="maybe"), "iscrowd: `iscrowd` must be a"),
        (lambda c: c["images"][1].update(id=None), "id: an integer or text is expected, got None"),
    ],
)
def test_malformed_index_raises_when_opened(tmp_path: Path, change: Any, message: str) -> None:
    changed = content()
    change(changed)
    write_coco(tmp_path, changed)
    with pytest.raises(DataError) as caught:
        make(tmp_path)
    assert message in str(caught.value)
    assert "train.json" in str(caught.value)


def renamed_category(*names: str) -> dict[str, Any]:
    """Return the file with its categories renamed."""
    changed = content()
    for category, name in zip(changed["categories"], names, strict=True):
        category["name"] = name
    return changed


def test_repeated_ids_and_names_raise_with_both_places(tmp_path: Path) -> None:
    changes: list[tuple[str, int, dict[str, Any], str]] = [
        ("images", 2, {"id": 2}, "image id 2 occurs twice: images[0] and images[2]"),
        ("images", 2, {"id": "2"}, "image id 2 occurs twice: images[0] and images[2]"),
        ("images", 2, {"file_name": "./2.jpg"}, "file name '2.jpg' occurs twice: images[0], id 2"),
        ("annotations", 1, {"id": 1}, "annotation id 1 occurs twice: annotations[0]"),
        ("categories", 1, {"id": 90}, "category id 90 occurs twice: categories[0]"),
        ("categories", 1, {"name": "dog "}, "category name 'dog' occurs twice: categories[0], id"),
    ]
    for key, row, change, message in changes:
        changed = content()
        changed[key][row].update(change)
        write_coco(tmp_path, changed)
        with pytest.raises(DataError) as caught:
            make(tmp_path)
        assert message in str(caught.value)
        assert "train.json" in str(caught.value)


def test_unused_root_may_have_the_name_of_a_class(tmp_path: Path) -> None:
    changed = content()
    changed["categories"].insert(0, {"id": 0, "name": "dog", "supercategory": "none"})
    for category in changed["categories"][1:]:
        category["supercategory"] = "dog"
    write_coco(tmp_path, changed)
    source = make(tmp_path)
    assert source.labels["boxes"].classes == ("cat", "dog")
    assert "category 0 ('dog')" in source.warnings[0]
    changed["annotations"][0]["category_id"] = 0
    write_coco(tmp_path, changed)
    with pytest.raises(DataError, match="category name 'dog' occurs twice"):
        make(tmp_path)


def test_category_named_background_raises_with_masks(tmp_path: Path) -> None:
    write_coco(tmp_path, renamed_category("background", "cat"))
    assert make(tmp_path).labels["boxes"].classes == ("cat", "background")
    with pytest.raises(DataError, match="a category is named 'background'"):
        make(tmp_path, segmentation=True)


def test_other_categories_of_a_split_are_named(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "val.json").write_text(json.dumps(renamed_category("dog", "cow")))
    with pytest.raises(DataError) as caught:
        make(tmp_path, val="val.json")
    assert "only in train.json: 7 'cat', only in val.json: 7 'cow'" in str(caught.value)
    assert "dog" not in str(caught.value)


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    write_coco(tmp_path)
    text = (tmp_path / "train.json").read_text()
    (tmp_path / "train.json").write_text(text, encoding="utf-8-sig")
    assert make(tmp_path).size("train") == 3


def test_ids_can_be_texts(tmp_path: Path) -> None:
    changed = content()
    for entry_ in changed["images"]:
        entry_["id"] = f"image {entry_['id']}"
    for annotation in changed["annotations"]:
        annotation["image_id"] = f"image {annotation['image_id']}"
        annotation["category_id"] = str(annotation["category_id"])
    write_coco(tmp_path, changed)
    boxes = make(tmp_path).read("train", 0).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.classes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("flag", "is_crowd"), [(None, False), ("0", False), ("false", False), ("True", True), (1, True)]
)
def test_crowd_flag_is_parsed(tmp_path: Path, flag: object, is_crowd: bool) -> None:
    changed = content()
    changed["annotations"][0]["iscrowd"] = flag
    write_coco(tmp_path, changed)
    boxes = make(tmp_path).read("train", 0).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.crowd.tolist() == [is_crowd, False, True]


def test_annotations_without_boxes_can_be_masks(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][0].pop("bbox")
    changed["annotations"][1]["bbox"] = []
    changed["annotations"][3]["bbox"] = None
    write_coco(tmp_path, changed)
    source = make(tmp_path, boxes=False, segmentation=True, presence=True)
    assert set(source.read("train", 0).labels) == {"segmentation", "classes"}
    with pytest.raises(DataError, match="3 annotation\\(s\\) have no `bbox`: id 1, 2, 5"):
        make(tmp_path)
    boxes = make(tmp_path, drop_empty=True).read("train", 0).labels["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[0, 20, 40, 30]]


def test_backslashes_in_file_names_are_converted(tmp_path: Path) -> None:
    changed = content()
    for image in changed["images"]:
        image["file_name"] = f"images\\{image['file_name']}"
    write_coco(tmp_path, changed)
    source = make(tmp_path, images=".")
    assert source.files("train", 0)[1] == tmp_path / "images" / "2.jpg"
    assert "3 path(s)" in source.warnings[0]
    with pytest.raises(DataError, match="backslashes are read as '/'"):
        make(tmp_path)


def test_size_of_a_rotated_image_names_exif(tmp_path: Path) -> None:
    write_coco(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "4.jpg", exif=exif)
    text = error_of(make(tmp_path))
    assert "got 30 x 40, because its EXIF orientation rotates it" in text


def test_truncated_and_missing_files_raise(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "train.json").write_text(json.dumps(content())[:200])
    with pytest.raises(DataError, match="not valid JSON"):
        make(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        make(tmp_path, train="nowhere.json")
    with pytest.raises(DataError, match="is a folder"):
        make(tmp_path, train="images")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("pictures", "the folder of the 'train' images does not exist"),
        ({"train": "pictures"}, "the folder of the 'train' images does not exist"),
        (".", "none of the 3 'train' images exists"),
        ({"val": "images"}, "none of the 3 'train' images exists"),
    ],
)
def test_wrong_image_folder_raises_once(tmp_path: Path, images: Any, message: str) -> None:
    write_coco(tmp_path)
    with pytest.raises(DataError) as caught:
        make(tmp_path, images=images)
    text = str(caught.value)
    assert message in text
    assert "set the source's `images`" in text
    assert text.count("2.jpg") == 1


def test_folder_with_one_image_reports_the_others(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "images" / "2.jpg").unlink()
    (tmp_path / "images" / "4.jpg").unlink()
    assert "2.jpg is missing" in error_of(make(tmp_path))


def test_images_of_the_test_split_can_be_missing(tmp_path: Path) -> None:
    write_coco(tmp_path)
    source = make(tmp_path, test="train.json", images={"train": "images", "test": "far"})
    assert source.size("test") == 3


def test_image_size_must_equal_the_json(tmp_path: Path) -> None:
    write_coco(tmp_path)
    Image.new("RGB", (30, 40)).save(tmp_path / "images" / "4.jpg")
    text = error_of(make(tmp_path))
    assert "must have 40 x 30 pixels, as in the JSON, got 30 x 40" in text
    assert "images[1]" in text


@pytest.mark.real_data
def test_pennfudan_is_clean(real_data: Path) -> None:
    source = make(
        real_data / "pennfudan",
        train="instances_train.json",
        val="instances_val.json",
        images="JPEGImages",
        segmentation=True,
    )
    report = data_of(source).check()
    report.raise_if_bad()
    assert report.counts["train"]["boxes"].classes == {"person": 280}
    # The data set also contains the masks as PNG files.
    picture = np.asarray(
        Image.open(real_data / "pennfudan" / "SegmentationClass" / "FudanPed00005.png")
    )
    image_index = next(
        index
        for index in range(source.size("train"))
        if "FudanPed00005" in source.locate("train", index)
    )
    assert np.array_equal(source.read("train", image_index).labels["segmentation"], picture)


def test_key_that_occurs_twice_raises_with_both_places(tmp_path: Path) -> None:
    write_coco(tmp_path)
    file = tmp_path / "train.json"
    text = file.read_text()
    file.write_text(text.replace('"iscrowd"', '"bbox": [0, 0, 1, 1], "iscrowd"', 1))
    with pytest.raises(DataError, match=r"'bbox' occurs twice in annotations\[0\]") as caught:
        make(tmp_path)
    assert str(file) in str(caught.value)
    assert str(caught.value).count("line 1 column") == 2
