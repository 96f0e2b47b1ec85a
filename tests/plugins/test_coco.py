"""The source of COCO files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mtlsearch_plugins.coco import Coco
from mtlsearch_plugins.coco._index import Annotation
from mtlsearch_plugins.coco._masks import decode
from PIL import Image

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, open_data
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes
from mtlsearch.testing import DatasetContract

SIZE = (30, 40)
"""Height and width."""


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Uncompressed run lengths, column by column, as crowds have them."""
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, len(flat)]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def compressed(mask: np.ndarray) -> dict[str, Any]:
    rle = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def content() -> dict[str, Any]:
    """Ids with gaps; image 4 has no annotations."""
    square = [[2, 3, 12, 3, 12, 13, 2, 13]]
    return {
        "categories": [{"id": 90, "name": "dog"}, {"id": 7, "name": "cat"}],
        "images": [
            {"id": at, "file_name": f"{at}.jpg", "width": 40, "height": 30} for at in (2, 4, 9)
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
    for at in (2, 4, 9):
        Image.new("RGB", (40, 30), (at, 2 * at, 90)).save(root / "images" / f"{at}.jpg")
    (root / "train.json").write_text(json.dumps(train or content()))


def make(root: Path, **options: object) -> Coco:
    options = {"train": "train.json", "images": "images", **options}
    return Coco(Coco.Settings.model_validate(options), root=root, seed=0)


def data_of(source: Coco) -> DataModule:
    config = DataConfig.model_validate({"sources": {"kind": "coco"}, "size": 16})
    return open_data([source], config, mean=(0.5,) * 3, std=(0.5,) * 3, seed=0)


def complaint(source: Coco) -> str:
    with pytest.raises(DataError) as caught:
        data_of(source).check().raise_if_bad()
    return str(caught.value)


class TestCoco(DatasetContract):
    def make_source(self, folder: Path) -> Coco:
        write_coco(folder)
        return make(folder, segmentation=True, presence=True)


def test_ids_with_gaps_become_indices_in_their_order(tmp_path: Path) -> None:
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


def test_smaller_instances_lie_over_larger_and_crowds_are_void(tmp_path: Path) -> None:
    write_coco(tmp_path)
    mask = np.asarray(make(tmp_path, segmentation=True).read("train", 0).labels["segmentation"])
    assert mask[6, 6] == 1
    assert mask[4, 4] == 2
    assert mask[25, 5] == 255
    assert mask[15, 35] == 0


def test_image_without_annotations_is_ordinary(tmp_path: Path) -> None:
    write_coco(tmp_path)
    labels = make(tmp_path, segmentation=True, presence=True).read("train", 1).labels
    assert isinstance(labels["boxes"], Boxes)
    assert len(labels["boxes"].xyxy) == 0
    assert not np.asarray(labels["segmentation"]).any()
    assert labels["classes"] == ()


def test_instance_without_a_segmentation_leaves_the_mask_out(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][3]["segmentation"] = []
    write_coco(tmp_path, changed)
    assert set(make(tmp_path, segmentation=True).read("train", 2).labels) == {"boxes"}


def decoded(shape: object) -> np.ndarray:
    annotation = Annotation.model_validate(entry(1, 2, 7, [0, 0, 1, 1], shape))
    return decode(annotation, SIZE, "here")


@given(arrays.arrays(np.bool_, SIZE))
@settings(max_examples=50, deadline=None)
def test_run_lengths_decode_to_their_mask(mask: np.ndarray) -> None:
    assert np.array_equal(decoded(run_lengths(mask)), mask)
    assert np.array_equal(decoded(compressed(mask)), mask)


CORNERS = st.lists(
    st.tuples(st.floats(0, SIZE[1]), st.floats(0, SIZE[0])), min_size=3, max_size=8
).map(lambda points: [side for point in points for side in point])


# pycocotools 2.0 was written before numpy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(st.lists(CORNERS, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_polygons_decode_as_pycocotools_does(polygons: list[list[float]]) -> None:
    theirs = oracle.decode(oracle.merge(oracle.frPyObjects(polygons, *SIZE)))
    assert np.array_equal(decoded(polygons), theirs.astype(bool))


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"size": [30, 40], "counts": [5, 5]}, "annotation 1 cannot be decoded"),
        ({"size": [40, 30], "counts": [1200]}, "is of size [40, 30], the image is [30, 40]"),
        ({"size": [30, 40]}, "cannot be decoded"),
        ([[1, 2, 3, 4]], "fewer than three corners"),
    ],
)
def test_bad_segmentation_is_named(tmp_path: Path, shape: object, said: str) -> None:
    changed = content()
    changed["annotations"][0]["segmentation"] = shape
    write_coco(tmp_path, changed)
    text = complaint(make(tmp_path, segmentation=True))
    assert said in text
    assert "2.jpg" in text
    assert "train.json images[0]" in text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("category_id", 8, "unknown category 8"),
        ("bbox", [30, 3, 20, 10], "outside the image of 40 x 30"),
        ("bbox", [3, 3, 0, 10], "no area"),
    ],
)
def test_bad_annotation_is_named(tmp_path: Path, key: str, value: object, said: str) -> None:
    changed = content()
    changed["annotations"][0][key] = value
    write_coco(tmp_path, changed)
    text = complaint(make(tmp_path))
    assert said in text
    assert "train.json images[0]" in text


def test_boxes_of_no_area_are_dropped_where_asked(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][0]["bbox"] = [3, 3, 0, 10]
    write_coco(tmp_path, changed)
    report = data_of(make(tmp_path, drop_empty=True)).check()
    report.raise_if_bad()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.pop("categories"), "no list 'categories'"),
        (lambda c: c["images"][1].pop("width"), "width: field required"),
        (lambda c: c["annotations"][2].update(image_id=5), "belongs to image 5"),
        (lambda c: c["annotations"][1].update(bbox=[1, 2, 3]), "bbox.3: field required"),
    ],
)
def test_malformed_index_is_named_at_the_door(tmp_path: Path, change: Any, said: str) -> None:
    changed = content()
    change(changed)
    write_coco(tmp_path, changed)
    with pytest.raises(DataError) as caught:
        make(tmp_path)
    assert said in str(caught.value)
    assert "train.json" in str(caught.value)


def test_cut_json_and_missing_file_are_named(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "train.json").write_text(json.dumps(content())[:200])
    with pytest.raises(DataError, match="no JSON"):
        make(tmp_path)
    with pytest.raises(DataError, match="missing"):
        make(tmp_path, train="nowhere.json")
    with pytest.raises(DataError, match="this is a folder"):
        make(tmp_path, train="images")


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ("pictures", "the folder of the 'train' images is missing"),
        ({"train": "pictures"}, "the folder of the 'train' images is missing"),
        (".", "none of the 3 'train' images is there"),
        ({"val": "images"}, "none of the 3 'train' images is there"),
    ],
)
def test_a_wrong_folder_of_images_is_told_once(tmp_path: Path, images: Any, said: str) -> None:
    write_coco(tmp_path)
    with pytest.raises(DataError) as caught:
        make(tmp_path, images=images)
    text = str(caught.value)
    assert said in text
    assert "set the source's `images`" in text
    assert text.count("2.jpg") == 1


def test_one_image_in_the_folder_shows_that_it_is_the_right_one(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "images" / "2.jpg").unlink()
    (tmp_path / "images" / "4.jpg").unlink()
    assert "2.jpg is missing" in complaint(make(tmp_path))


def test_images_of_test_may_lie_elsewhere(tmp_path: Path) -> None:
    write_coco(tmp_path)
    source = make(tmp_path, test="train.json", images={"train": "images", "test": "far"})
    assert source.size("test") == 3


def test_size_in_the_json_must_be_the_images(tmp_path: Path) -> None:
    write_coco(tmp_path)
    Image.new("RGB", (30, 40)).save(tmp_path / "images" / "4.jpg")
    text = complaint(make(tmp_path))
    assert "40 x 30 pixels, it is 30 x 40" in text
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
    # The same masks lie beside it as PNG files.
    picture = np.asarray(
        Image.open(real_data / "pennfudan" / "SegmentationClass" / "FudanPed00005.png")
    )
    at = next(
        index for index in range(source.size("train"))
        if "FudanPed00005" in source.locate("train", index)
    )  # fmt: skip
    assert np.array_equal(source.read("train", at).labels["segmentation"], picture)
