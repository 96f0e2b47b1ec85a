"""Warnings about suspicious data, and none about ordinary data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtlsearch.data import DATA_WARNINGS, CheckReport, DataWarning, data_warnings
from mtlsearch.data.checks import _warnings
from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample
from mtlsearch.plugin import DatasetSource
from tests.data.fake import LABELS, Fake, opened, square

TASKS = {"sort": "kind", "tag": "tags", "find": "boxes", "cut": "mask", "measure": "depth"}


SOME = {**LABELS, "boxes": replace(LABELS["boxes"], classes=("cat",))}
"""Labels of which every class occurs in the squares, whose boxes have class 0 here."""


def warnings_of(
    train: list[Sample],
    val: list[Sample],
    *,
    workers: int = 0,
    labels: Mapping[str, LabelSpec] = SOME,
    **keys: object,
) -> tuple[str, ...]:
    splits = {
        split: [with_cat(sample) for sample in samples]
        for split, samples in (("train", train), ("val", val))
    }
    data = opened(Fake(splits, labels), num_workers=workers, **keys)
    return data_warnings(data.check(), data.labels, TASKS)


def with_cat(sample: Sample) -> Sample:
    """Return the sample with boxes of class 0."""
    boxes = sample.labels.get("boxes")
    if not isinstance(boxes, Boxes):
        return sample
    return replace(
        sample, labels={**sample.labels, "boxes": replace(boxes, classes=boxes.classes * 0)}
    )


def squares(start: int, count: int = 4, **changes: RawLabel) -> list[Sample]:
    """Return different images with the same kinds of labels."""
    return [square(index, **changes) for index in range(start, start + count)]


def test_ordinary_data_has_no_warnings() -> None:
    assert warnings_of(squares(0), squares(10)) == ()


@pytest.mark.parametrize("workers", [0, 2])
def test_duplicate_in_train_and_val_is_reported(workers: int) -> None:
    again = replace(square(2), labels={"kind": 0})
    (warning,) = warnings_of(squares(0), [*squares(10), again], workers=workers)
    assert warning.startswith("1 image occurs in 'train' and in 'val'")
    assert warning.endswith(": fake train row 2 and fake val row 4")


def test_duplicates_in_one_split_are_counted() -> None:
    (warning,) = warnings_of([*squares(0), square(1), square(1), square(3)], squares(10))
    assert warning == (
        "2 images occur several times in 'train': such as fake train row 1 and fake train row 4"
    )


def test_same_pixels_in_other_shape_are_not_duplicates() -> None:
    labels = {"kind": 0}
    pixels = np.random.default_rng(0).integers(0, 256, (200, 3), np.uint8)
    wide, high = (Image.fromarray(pixels.reshape(shape)) for shape in ((10, 20, 3), (20, 10, 3)))
    train, val = [*squares(0), Sample(wide, labels)], [*squares(10), Sample(high, labels)]
    assert warnings_of(train, val) == ()


@pytest.mark.parametrize(("size", "count"), [((80, 160), 0), ((60, 160), 1), ((150, 78), 1)])
def test_other_aspect_ratio_is_reported(size: tuple[int, int], count: int) -> None:
    images = [Sample(square(index, size=size).image, {"kind": index % 2}) for index in range(8)]
    messages = [text for text in warnings_of(images[:6], images[6:]) if "aspect ratio" in text]
    assert len(messages) == count
    for text in messages:
        assert text.startswith("8 of 8 images")
        assert f"{size[0]} x {size[1]} (height x width)" in text


def test_rare_class_with_a_similar_name_is_reported() -> None:
    spec = LabelSpec(Form.CATEGORY, ("rust", "ruts", "breed 1", "breed 11"))
    classes = [0, 0, 0, 1, 2, 2, 3]
    train = [replace(square(row), labels={"kind": kind}) for row, kind in enumerate(classes)]
    val = [replace(square(10 + row), labels={"kind": row}) for row in (0, 2)]
    data = opened(Fake({"train": train, "val": val}, {"kind": spec}))
    messages = data_warnings(data.check(), data.labels, {"sort": "kind"})
    (similar,) = (text for text in messages if "similar" in text)
    assert "class 'ruts' occurs in a single image and is similar to 'rust' (4 images)" in similar


def test_single_class_in_train_is_reported() -> None:
    warning, absent = warnings_of(squares(0, kind=1), squares(10))
    assert "2 classes 'a', 'c' never occur in 'train': only 'val' has it" in absent
    assert warning == (
        "label 'kind' (task 'sort') has only class 'b' in 'train', there is nothing to distinguish"
    )
    (unmeasured,) = warnings_of(squares(0), squares(10, kind=1))
    assert "2 classes 'a', 'c' occur in 'train' but never in 'val'" in unmeasured
    assert unmeasured.endswith("change the split, or add images to 'val'")


def test_warning_about_a_part_of_the_images_names_the_key() -> None:
    """With `data.max_images`, other images may have what is missing."""
    warnings = warnings_of(squares(0), squares(10, kind=1), max_images=3)
    (unmeasured,) = (text for text in warnings if "never in 'val'" in text)
    assert unmeasured.endswith("set a larger `data.max_images`, which leaves out images")


@pytest.mark.parametrize(("last", "count"), [(5.0, 1), (6.0, 0)])
def test_equal_numbers_in_train_are_reported(last: float, count: int) -> None:
    train = [replace(square(index), labels={"age": 5.0}) for index in range(3)]
    train.append(replace(square(3), labels={"age": last}))
    val = [replace(square(10), labels={"age": 1.0})]
    data = opened(Fake({"train": train, "val": val}, {"age": LabelSpec(Form.NUMBER)}))
    message = "label 'age' (task 'guess') is 5 in all images of 'train', there is nothing to learn"
    assert data_warnings(data.check(), data.labels, {"guess": "age"}) == (message,) * count


def cats(*xyxy: list[float], crowd: bool = False) -> Boxes:
    count = len(xyxy)
    return Boxes(
        np.array(xyxy, np.float32), np.zeros(count, np.int64), np.full(count, crowd, np.bool_)
    )


def test_class_of_the_data_in_val_only_is_reported() -> None:
    (warning,) = warnings_of([square(0), square(1), square(3)], squares(10))
    assert warning == (
        "label 'kind': class 'c' never occurs in 'train': only 'val' has it, so that it cannot be "
        "learned; change the split, so that both have the class"
    )


def test_class_that_val_lacks_is_reported() -> None:
    warning, *others = warnings_of(squares(0), [square(10), square(12)])
    assert len(others) == 1  # both have the same tag
    assert warning == (
        "label 'kind': class 'c' occurs in 'train' but never in 'val', so that no metric measures "
        "it; change the split, or add images to 'val'"
    )


def test_classes_that_one_val_image_lacks_are_reported_per_label() -> None:
    empty = np.zeros((60, 80), np.uint8)
    first, second, third = warnings_of(squares(0), [square(10, mask=empty)])
    assert "label 'kind': 2 classes 'a', 'c' occur in 'train' but never in 'val'" in first
    assert "label 'tags': class 'y' occurs in 'train'" in second
    assert "label 'mask': class 'thing' occurs in 'train'" in third


def test_many_classes_that_never_occur_are_one_warning() -> None:
    names = ("cat", "a", "b", "c", "d")
    labels = {**LABELS, "boxes": replace(LABELS["boxes"], classes=names)}
    (warning,) = warnings_of(squares(0), squares(10), labels=labels)
    assert "4 classes 'a', 'b', 'c' and 1 more never occur in 'train': no image has it" in warning


def test_boxes_below_a_pixel_are_reported_by_split() -> None:
    mixed = cats([4, 4, 4.9, 4.9], [20, 12, 60, 42])
    warnings = warnings_of(squares(0, boxes=mixed), squares(10, boxes=mixed))
    for warning, split in zip(warnings, ("train", "val"), strict=True):
        assert warning.startswith(
            f"4 of 8 boxes of label 'boxes' in {split!r} are smaller than a pixel at "
            "`data.image_size` 48 x 64 (cat 4)"
        )
    assert "training leaves them out" in warnings[0]
    assert "metrics count them as missed" in warnings[1]


def test_boxes_in_fractions_are_reported() -> None:
    fractions = cats([0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.9, 1.0])
    (warning,) = warnings_of(squares(0), squares(10, boxes=fractions))
    assert warning.startswith("8 boxes of label 'boxes' in 'val' look like fractions")
    assert warning.endswith("multiply them by width and height")


def test_small_boxes_in_pixels_are_no_fractions() -> None:
    boxes = cats([0, 0, 1, 1], [20, 12, 60, 42], [10, 12, 60, 42])
    (warning,) = warnings_of(squares(0), squares(10, boxes=boxes))
    assert "fractions" not in warning


def test_mostly_crowd_is_reported() -> None:
    crowd = Boxes(
        np.array([[20, 12, 60, 42]] * 3, np.float32), np.zeros(3, np.int64), np.array([1, 1, 0]) > 0
    )
    (warning,) = warnings_of(squares(0), squares(10, boxes=crowd))
    assert warning.startswith("8 of 12 boxes of label 'boxes' in 'val' are crowd")


def test_mostly_void_is_reported() -> None:
    mask = np.full((60, 80), 255, np.uint8)
    mask[:20], mask[:10] = 1, 0
    (warning,) = warnings_of(squares(0), squares(10, mask=mask))
    assert warning.startswith("67% of the mask pixels of label 'mask' in 'val' are void (255)")


def test_boxes_that_crops_remove_are_reported() -> None:
    large = cats([0, 0, 80, 60])
    (warning,) = warnings_of(squares(0, boxes=large), squares(10), augment={"crop": [0.01, 0.02]})
    assert warning == (
        "random crops keep 0% of the training boxes of 'cat' (label 'boxes'); set a larger "
        "`data.augment.crop`"
    )
    assert warnings_of(squares(0, boxes=large), squares(10), augment={"crop": None}) == ()


def test_warnings_are_the_same_with_images_in_the_cache(tmp_path: Path) -> None:
    rows = "".join(f"{index}.png,{'ab'[index % 2]},{split}\n" for index, split in enumerate(SPLITS))
    (tmp_path / "manifest.csv").write_text(f"image,kind,split\n{rows}")
    for index in range(len(SPLITS)):
        Image.new("RGB", (20, 10), (index // 2, 0, 0)).save(tmp_path / f"{index}.png")
    expected = None
    for reread in (False, False, True):
        source = manifest(tmp_path)
        data = opened(source, cache=tmp_path / "cache")
        warnings = data_warnings(data.check(reread=reread), data.labels, {"sort": "kind"})
        assert any(
            "occurs in 'train' and in 'val'" in text or "several times" in text for text in warnings
        )
        assert warnings == (expected or warnings)
        expected = warnings


SPLITS = ("train", "train", "train", "val", "val", "val")


def manifest(folder: Path) -> DatasetSource[Any]:
    from mtlsearch_plugins.manifest import Manifest, ManifestSettings

    settings = ManifestSettings.model_validate({"labels": {"kind": {"form": "category"}}})
    return Manifest(settings, root=folder, seed=0)


def test_new_warning_is_one_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def few_images(report: CheckReport, *_: object) -> list[str]:
        return [f"only {report.num_images['train']} training images"]

    warning = DataWarning("few images", few_images)
    monkeypatch.setattr(_warnings, "DATA_WARNINGS", (*DATA_WARNINGS, warning))
    assert warnings_of(squares(0), squares(10)) == ("only 4 training images",)
