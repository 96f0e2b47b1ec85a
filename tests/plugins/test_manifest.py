"""Source ``manifest``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mtlsearch_plugins.manifest import Manifest
from PIL import Image
from pydantic import ValidationError

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, open_data
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes, Form
from mtlsearch.testing import DatasetContract

LABELS: dict[str, dict[str, Any]] = {
    "breed": {"form": "category"},
    "tags": {"form": "categories"},
    "outline": {"form": "mask", "column": "mask", "classes": ["background", "dog"]},
    "heads": {"form": "boxes", "classes": ["dog", "cat"]},
    "depth": {"form": "map", "scale": 0.001, "unit": "m"},
}
HEADER = ["image", "breed", "tags", "mask", "heads", "depth", "split"]
INLINE = '"[[1, 2, 30, 20, ""dog""], {""box"": [0, 0, 9, 9], ""class"": ""cat"", ""crowd"": true}]"'
ROWS = [
    ["a.png", "pug", "small;brown", "a_mask.png", INLINE, "a_depth.png", "train"],
    ["b.png", "", "", "", "", "", "train"],
    ["c.png", "beagle", ";", "", "c.xml", "c_depth.npy", "train"],
    ["d.png", "pug", "brown", "a_mask.png", "[]", "", "val"],
]
XML = (
    "<annotation><size><width>40</width><height>30</height></size><object><name>cat</name>"
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object>"
    "</annotation>"
)


def write_table(root: Path, rows: list[list[str]] = ROWS, header: list[str] = HEADER) -> None:
    for index, name in enumerate("abcd"):
        Image.new("RGB", (40, 30), (20 * index, 1, 2)).save(root / f"{name}.png")
    mask = np.zeros((30, 40), np.uint8)
    mask[3:9, 4:20] = 1
    mask[0] = 255
    Image.fromarray(mask).save(root / "a_mask.png")
    depth = np.full((30, 40), 2500, np.uint16)
    depth[0, 0] = 0
    Image.fromarray(depth).save(root / "a_depth.png")
    np.save(root / "c_depth.npy", np.full((1, 30, 40), 4000.0))
    (root / "c.xml").write_text(XML)
    lines = [",".join(cells) for cells in [header, *rows]]
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")


def make(root: Path, seed: int = 0, **options: object) -> Manifest:
    options = {"labels": LABELS, **options}
    return Manifest(Manifest.Settings.model_validate(options), root=root, seed=seed)


def data_of(source: Manifest) -> DataModule:
    config = DataConfig.model_validate({"sources": {"kind": "manifest"}, "image_size": 16})
    return open_data([source], config, mean=(0.5,) * 3, std=(0.5,) * 3, seed=0)


def error_of(root: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        data_of(make(root, **options)).check().raise_if_bad()
    return str(caught.value)


@pytest.mark.parametrize(
    ("read_as", "numbers", "format_"),
    [
        ("xyxy", "20, 15, 8, 9", "xywh"),
        ("xywh", "30, 20, 18, 18", "cxcywh"),
        ("xyxy", "38, 2, 2, 4", "xywh"),
        ("cxcywh", "0, 0, 30, 20", "xywh"),
    ],
)
def test_box_in_another_format_names_it(
    tmp_path: Path, read_as: str, numbers: str, format_: str
) -> None:
    rows = changed(0, "heads", f'"[[{numbers}, ""dog""]]"')
    write_table(tmp_path, rows)
    labels = {"heads": {"form": "boxes", "classes": ["dog", "cat"], "format": read_as}}
    message = error_of(tmp_path, labels=labels)
    assert f"({numbers})" in message
    assert f"`format: {format_}`" in message


@pytest.mark.parametrize("name", ["valid", "validation", "val"])
def test_split_has_the_names_of_folders(tmp_path: Path, name: str) -> None:
    write_table(tmp_path, changed(3, "split", name))
    assert make(tmp_path).size("val") == 1


def changed(row: int, column: str, cell: str) -> list[list[str]]:
    rows = [list(cells) for cells in ROWS]
    rows[row][HEADER.index(column)] = cell
    return rows


@pytest.mark.parametrize(
    ("options", "key", "hint"),
    [
        ({"image_column": "file"}, "`image_column`", "did you mean 'image'?"),
        ({"image_column": "imgae"}, "`image_column`", "did you mean 'image'?"),
        (
            {"labels": {"bred": {"form": "category"}}},
            "`labels.bred.column`",
            "did you mean 'breed'",
        ),
        ({"group_column": "breeed"}, "`group_column`", "did you mean 'breed'?"),
    ],
)
def test_missing_column_names_the_setting(
    tmp_path: Path, options: dict[str, object], key: str, hint: str
) -> None:
    write_table(tmp_path)
    message = error_of(tmp_path, **options)
    assert f"set {key} of the source" in message
    assert hint in message


def test_ignored_column_with_splits_is_a_warning(tmp_path: Path) -> None:
    write_table(tmp_path)
    assert list(make(tmp_path).warnings) == []
    (warning,) = make(tmp_path, split_column="part").warnings
    assert "column 'split' contains names of splits (train, val)" in warning
    assert "`split_column: split`" in warning


@pytest.mark.parametrize(
    ("cell", "message"),
    [("", "the cell of column 'split' is empty"), ("Train", "did you mean 'train'?")],
)
def test_wrong_cell_of_a_split_is_explained(tmp_path: Path, cell: str, message: str) -> None:
    write_table(tmp_path, changed(3, "split", cell))
    assert message in error_of(tmp_path)


def test_unknown_class_has_a_next_step(tmp_path: Path) -> None:
    write_table(tmp_path, changed(0, "breed", "cow"))
    labels = {"breed": {"form": "category", "classes": ["pug", "beagle"]}}
    assert "add the class to `classes`" in error_of(tmp_path, labels=labels)


class TestManifest(DatasetContract):
    def make_source(self, folder: Path) -> Manifest:
        write_table(folder)
        return make(folder)


class TestManifestInJsonLines(DatasetContract):
    def make_source(self, folder: Path) -> Manifest:
        write_table(folder)
        rows = [
            {"image": "a.png", "breed": "pug", "tags": ["small"], "heads": [[1, 2, 30, 20, "dog"]]},
            {"image": "b.png", "breed": None, "tags": [], "heads": "c.xml"},
            {"image": "c.png", "mask": "a_mask.png", "depth": "a_depth.png"},
        ]
        text = "\n".join(json.dumps(row) for row in rows)
        (folder / "table.jsonl").write_text(text + "\n")
        return make(folder, file="table.jsonl")


def test_cells_are_read_as_labels(tmp_path: Path) -> None:
    write_table(tmp_path)
    source = make(tmp_path)
    labels = source.read("train", 0).labels
    assert source.labels["breed"].classes == ("beagle", "pug")
    assert labels["breed"] == 1
    assert source.labels["tags"].classes == ("brown", "small")
    assert labels["tags"] == (0, 1)
    boxes = labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[1, 2, 30, 20], [0, 0, 9, 9]]
    assert boxes.crowd.tolist() == [False, True]
    depth = np.asarray(labels["depth"])
    assert depth.shape == (1, 30, 40)
    assert depth[0, 1, 1] == np.float32(2.5)
    assert depth[0, 0, 0] == 0
    assert sorted(np.unique(np.asarray(labels["outline"])).tolist()) == [0, 1, 255]


def test_group_column_names_images_that_belong_together(tmp_path: Path) -> None:
    plants = ["oak", "oak", "", "elm"]
    rows = [[*cells, plant] for cells, plant in zip(ROWS, plants, strict=True)]
    write_table(tmp_path, rows, [*HEADER, "plant"])
    source = make(tmp_path, group_column="plant")
    assert [source.group("train", index) for index in range(3)] == ["oak", "oak", None]
    assert source.group("val", 0) == "elm"
    groups = data_of(source).groups("train")
    assert groups[0] == groups[1]
    assert len(set(groups)) == 2
    assert make(tmp_path).group("train", 0) is None
    assert "there is no column 'tree'" in error_of(tmp_path, group_column="tree")


def test_rows_of_one_image_have_one_group(tmp_path: Path) -> None:
    box = {"form": "boxes", "columns": ["x1", "y1", "x2", "y2"], "classes": ["dog"]}
    rows = [["a.png", "1", "2", "9", "9", "oak"], ["a.png", "2", "3", "9", "9", "elm"]]
    write_table(tmp_path, rows, ["image", "x1", "y1", "x2", "y2", "plant"])
    with pytest.raises(DataError, match="rows of one image differ in column 'plant'"):
        make(tmp_path, labels={"heads": box}, group_column="plant")


def test_empty_cells_are_missing_labels(tmp_path: Path) -> None:
    write_table(tmp_path)
    source = make(tmp_path)
    assert source.read("train", 1).labels == {}
    third = source.read("train", 2).labels
    assert third["tags"] == ()
    assert isinstance(third["heads"], Boxes)
    assert third["heads"].xyxy.tolist() == [[0, 0, 5, 6]]
    empty = source.read("val", 0).labels["heads"]
    assert isinstance(empty, Boxes)
    assert len(empty.xyxy) == 0


def test_numeric_classes_are_sorted_by_value(tmp_path: Path) -> None:
    header = ["image", "count"]
    write_table(tmp_path, [["a.png", "10"], ["b.png", "2"]], header)
    source = make(tmp_path, labels={"count": {"form": "category"}})
    assert source.labels["count"].classes == ("2", "10")


def test_cells_can_be_class_indices_with_an_offset(tmp_path: Path) -> None:
    write_table(tmp_path, [["a.png", "1"], ["b.png", "2"], ["c.png", "3"]], ["image", "kind"])
    labels = {"kind": {"form": "category", "classes": ["x", "y"], "index_offset": 1}}
    source = make(tmp_path, labels=labels)
    assert [source.read("train", index).labels["kind"] for index in range(2)] == [0, 1]
    text = error_of(tmp_path, labels=labels)
    assert "unknown class '3' (allowed: 1 to 2)" in text
    assert "row 4" in text


def test_mask_offset_does_not_change_void(tmp_path: Path) -> None:
    write_table(tmp_path, [["a.png", "m.png"], ["b.png", ""]], ["image", "mask"])
    Image.fromarray(np.array([[1, 2], [255, 1]], np.uint8)).resize((40, 30), 0).save(
        tmp_path / "m.png"
    )
    spec = {"form": "mask", "classes": ["wall", "ground"], "index_offset": 1}
    mask = np.asarray(make(tmp_path, labels={"mask": spec}).read("train", 0).labels["mask"])
    assert [mask[0, 0], mask[0, -1], mask[-1, 0]] == [0, 1, 255]


def test_boxes_can_have_width_and_height(tmp_path: Path) -> None:
    write_table(tmp_path)
    labels = {"heads": {**LABELS["heads"], "format": "xywh", "classes": ["dog", "cat"]}}
    boxes = make(tmp_path, labels=labels).read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist()[0] == [1, 2, 31, 22]


def test_seed_draws_the_test_split_without_a_split_column(tmp_path: Path) -> None:
    write_table(tmp_path, [[f"{name}.png", "x"] for name in "abcd"], ["image", "breed"])
    labels = {"breed": {"form": "category"}}
    source = make(tmp_path, labels=labels, test_fraction=0.25)
    assert (source.size("train"), source.size("val"), source.size("test")) == (3, 0, 1)
    others = {
        make(tmp_path, seed, labels=labels, test_fraction=0.25).locate("test", 0)
        for seed in range(9)
    }
    assert len(others) > 1


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (2, "image", "nowhere.png", "nowhere.png is missing"),
        (2, "depth", "nowhere.png", "nowhere.png is missing"),
        (2, "heads", "nowhere.xml", "nowhere.xml is missing"),
        (2, "heads", '"[[1, 2, 3, 4, ""dgo""]]"', "unknown class 'dgo'; did you mean 'dog'?"),
        (2, "heads", "no box", "no box is missing, and 'no box' is not a JSON list of boxes"),
        (2, "heads", '"[[1, 2, 3, 4, ""cow""]]"', "unknown class 'cow' (allowed: dog, cat)"),
        (2, "heads", '"[[1, 2, 3, 4]]"', "box 1 of the list is [1, 2, 3, 4] (allowed: [[xmin,"),
        (2, "heads", '"[1, 2, 3, 4, ""dog""]"', "is 1 (allowed: [[xmin, ymin, xmax, ymax, class]"),
        (2, "heads", '"[[1, 2, 99, 4, ""dog""]]"', "outside the image of 40 x 30"),
        (2, "heads", '"[[1, 2, 1, 4, ""dog""]]"', "no area"),
        (2, "heads", '"[[1, 2,"', "not valid JSON"),
        (2, "heads", f'"[[1{400 * "0"}, 2, 9, 9, ""dog""]]"', "box 1 of the list is [1000"),
        (2, "heads", '"[[NaN, 2, 9, 9, ""dog""]]"', "box 1 of the list is [nan"),
        (2, "mask", "a_depth.png", "class 2500 does not exist"),
        (2, "mask", "d.png", "must have one channel, got 3 (RGB)"),
    ],
)
def test_invalid_cells_are_reported_with_their_row(
    tmp_path: Path, row: int, column: str, cell: str, message: str
) -> None:
    write_table(tmp_path, changed(row, column, cell))
    text = error_of(tmp_path)
    assert message in text
    assert f"manifest.csv row {row + 2}" in text


def test_folder_without_images_raises_once(tmp_path: Path) -> None:
    write_table(tmp_path, [[f"pictures/{row[0]}", *row[1:]] for row in ROWS])
    with pytest.raises(DataError) as caught:
        make(tmp_path)
    text = str(caught.value)
    assert "none of the 4 images in column 'image' exists" in text
    assert "set the source's `root` to the folder that paths such as 'pictures/a.png'" in text
    assert f"(now {tmp_path})" in text
    assert "b.png" not in text


def test_unknown_class_is_reported_with_row_and_suggestion(tmp_path: Path) -> None:
    write_table(tmp_path, changed(0, "breed", "pgu"))
    labels = {"breed": {"form": "category", "classes": ["pug", "beagle"]}}
    text = error_of(tmp_path, labels=labels)
    assert "unknown class 'pgu'; did you mean 'pug'?" in text
    assert "row 2 (a.png), column 'breed'" in text


def test_invalid_box_shows_the_expected_format(tmp_path: Path) -> None:
    write_table(tmp_path, changed(2, "heads", '"[[1, 2, 3, 4]]"'))
    labels = {"heads": {**LABELS["heads"], "format": "xywh"}}
    assert "[[xmin, ymin, width, height, class], ...]" in error_of(tmp_path, labels=labels)


def test_message_lists_the_first_of_many_classes(tmp_path: Path) -> None:
    write_table(tmp_path, changed(0, "breed", "cow"))
    classes = ["pug", "beagle", *(f"breed {index}" for index in range(60))]
    text = error_of(tmp_path, labels={"breed": {"form": "category", "classes": classes}})
    assert "unknown class 'cow' (allowed: pug, beagle, breed 0, " in text
    assert " and 50 more)" in text


def test_truncated_images_are_reported(tmp_path: Path) -> None:
    write_table(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "c.png")
    for name in ("c.png", "c_depth.npy"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        text = error_of(tmp_path)
        assert f"{name} cannot be decoded" in text
        assert "row 4" in text
        (tmp_path / name).write_bytes(whole)


NUMBER = {"weight": {"form": "number", "unit": "kg", "scale": 0.001}}


def numbers(root: Path, *cells: str) -> Manifest:
    rows = [[f"{name}.png", cell] for name, cell in zip("abcd", cells, strict=False)]
    write_table(root, rows, ["image", "weight"])
    return make(root, labels=NUMBER)


def test_cells_are_read_as_numbers(tmp_path: Path) -> None:
    source = numbers(tmp_path, "71500", " -2.5e3 ", "", "0")
    assert source.labels["weight"].describe() == "number in kg"
    labels = [source.read("train", index).labels for index in range(4)]
    assert labels == [{"weight": 71.5}, {"weight": -2.5}, {}, {"weight": 0.0}]


def test_mean_and_spread_of_training_numbers_are_counted(tmp_path: Path) -> None:
    data = data_of(numbers(tmp_path, "1000", "2000", "6000", ""))
    assert data.check().problems == ()
    label = data.labels["weight"]
    values = [
        float(target)
        for batch in data.eval_batches("train", 4)
        for target in batch.targets["weight"].values
    ]
    assert label.mean == pytest.approx(np.mean(values))
    assert label.std == pytest.approx(np.std(values))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("71.5 kg", "without a unit"),
        ('"71,5"', "a decimal point instead of the comma"),
        ("1_5", "got '1_5'"),
        ("nan", "got 'nan'"),
        ("inf", "got 'inf'"),
        ("true", "got 'true'"),
        ("1e42", "not finite in float32"),
    ],
)
def test_cell_without_a_number_is_reported(tmp_path: Path, cell: str, message: str) -> None:
    text = error_of_numbers(tmp_path, cell)
    assert message in text
    assert "row 2" in text


def error_of_numbers(root: Path, cell: str) -> str:
    with pytest.raises(DataError) as caught:
        data_of(numbers(root, cell, "1", "2", "3")).check().raise_if_bad()
    return str(caught.value)


def test_maps_of_another_size_or_not_finite_are_reported(tmp_path: Path) -> None:
    write_table(tmp_path)
    np.save(tmp_path / "c_depth.npy", np.ones((40, 30)))
    assert "the map is 30 x 40 pixels, its image 40 x 30" in error_of(tmp_path)
    values = np.ones((30, 40))
    values[2, 3] = np.nan
    np.save(tmp_path / "c_depth.npy", values)
    assert "1 numbers of the map are not finite" in error_of(tmp_path)
    nan_is_void = {"depth": {"form": "map", "invalid": float("nan")}}
    depth = np.asarray(make(tmp_path, labels=nan_is_void).read("train", 2).labels["depth"])
    assert depth[0, 2, 3] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,breed\na.png\n", "the row must have 2 cells, as the header, got 1"),
        ('image,breed\na.png,"pug\n', "row 2"),
        ("image,breed\n", "no rows"),
        ("image,bred\na.png,pug\n", "there is no column 'breed'"),
        ("image,dog breed\na.png,pug\n", "allowed: 'dog breed', 'image'"),
        ("image;breed\na.png;pug\n", "cells must be separated by commas, got semicolons"),
        ("image;breed\na.png;pug\n", "save the table with commas"),
        ("image\tbreed\na.png\tpug\n", "rename the file to end in .tsv"),
        ("image,breed,split\na.png,pug,trian\n", "unknown split 'trian' in column 'split'"),
        ("image,breed,breed\na.png,pug,x\n", "occurs twice: column 2 and column 3"),
    ],
)
def test_malformed_csv_raises_when_opened(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        make(tmp_path, labels={"breed": {"form": "category"}})
    assert message in str(caught.value)
    assert "manifest.csv" in str(caught.value)


def test_spaces_after_commas_are_ignored(tmp_path: Path) -> None:
    header = [HEADER[0], *(f" {name}" for name in HEADER[1:])]
    write_table(tmp_path, [[row[0], *(f" {cell}" for cell in row[1:])] for row in ROWS], header)
    spaced = make(tmp_path)
    write_table(tmp_path)
    plain = make(tmp_path)
    assert {split: spaced.size(split) for split in ("train", "val")} == {"train": 3, "val": 1}
    for index in range(3):
        assert spaced.files("train", index) == plain.files("train", index)
    boxes = spaced.read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[1, 2, 30, 20], [0, 0, 9, 9]]


def test_table_in_another_encoding_raises_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes("image,breed\ncaf\xe9.png,pug\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        make(tmp_path, labels={"breed": {"form": "category"}})
    assert "not in UTF-8" in str(caught.value)
    assert "save it as UTF-8" in str(caught.value)


def test_class_names_in_another_encoding_raise(tmp_path: Path) -> None:
    write_table(tmp_path)
    (tmp_path / "classes.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match="not in UTF-8"):
        make(tmp_path, labels={"breed": {"form": "category", "classes_file": "classes.txt"}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image": "a.png", "breed": "pug"}\n{"image": \n', "row 2"),
        ("[1, 2]\n", "must be a JSON object"),
    ],
)
def test_malformed_json_lines_raise(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "table.jsonl").write_text(text)
    with pytest.raises(DataError) as caught:
        make(tmp_path, labels={"breed": {"form": "category"}}, file="table.jsonl")
    assert message in str(caught.value)


def test_missing_table_and_missing_classes_file_raise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the table does not exist"):
        make(tmp_path)
    with pytest.raises(DataError, match="the table is a folder"):
        make(tmp_path, file=".")
    write_table(tmp_path)
    labels = {"outline": {"form": "mask", "column": "mask", "classes_file": "no.txt"}}
    with pytest.raises(DataError, match="file with the class names does not exist"):
        make(tmp_path, labels=labels)


BOX_LABEL = {
    "form": "boxes",
    "columns": ["x1", "y1", "x2", "y2"],
    "class_column": "what",
    "classes": ["dog", "cat"],
}
BOX_ROWS = [
    ["a.png", "1", "2", "30", "20", "dog", "1"],
    ["b.png", "", "", "", "", "", ""],
    ["a.png", "0", "0", "9", "9", "cat", "false"],
]
BOX_HEADER = ["image", "x1", "y1", "x2", "y2", "what", "crowd"]


def make_box_rows(root: Path, rows: list[list[str]] = BOX_ROWS, **options: object) -> Manifest:
    write_table(root, rows, BOX_HEADER)
    return make(root, labels={"heads": {**BOX_LABEL, **options}})


class TestManifestWithOneRowPerBox(DatasetContract):
    def make_source(self, folder: Path) -> Manifest:
        rows = [*BOX_ROWS, ["c.png", "0", "0", "9", "9", "cat", "0"]]
        return make_box_rows(folder, rows, crowd_column="crowd")


def test_boxes_in_four_columns_are_joined_by_image(tmp_path: Path) -> None:
    source = make_box_rows(tmp_path, crowd_column="crowd")
    assert source.size("train") == 2
    boxes = source.read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[1, 2, 30, 20], [0, 0, 9, 9]]
    assert boxes.classes.tolist() == [0, 1]
    assert boxes.crowd.tolist() == [True, False]
    assert source.read("train", 1).labels == {}
    empty = make_box_rows(tmp_path, no_box_if_empty=True).read("train", 1).labels["heads"]
    assert isinstance(empty, Boxes)
    assert len(empty.xyxy) == 0


def test_boxes_in_four_columns_have_classes(tmp_path: Path) -> None:
    assert make_box_rows(tmp_path, classes=None).labels["heads"].classes == ("cat", "dog")
    single = make_box_rows(tmp_path, class_column=None, classes=["animal"])
    boxes = single.read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.classes.tolist() == [0, 0]
    with pytest.raises(DataError, match="boxes in `columns` need a class, there are 2"):
        make_box_rows(tmp_path, class_column=None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["a.png", "1", "", "30", "20", "dog", "0"], "column 'y1' is empty"),
        (["a.png", "1", "x", "30", "20", "dog", "0"], "column 'y1' must be a number, got 'x'"),
        (["a.png", "1", "2", "30", "20", "", "0"], "column 'what' is empty"),
        (["a.png", "1", "2", "30", "20", "cow", "0"], "unknown class 'cow'"),
        (["a.png", "1", "2", "30", "20", "dog", "x"], "`crowd` must be a flag, got 'x'"),
    ],
)
def test_invalid_box_row_is_reported(tmp_path: Path, row: list[str], message: str) -> None:
    source = make_box_rows(tmp_path, [*BOX_ROWS, row], crowd_column="crowd")
    with pytest.raises(DataError) as caught:
        source.read("train", 0)
    assert message in str(caught.value)
    assert "row 2" in str(caught.value)


def test_rows_of_one_image_must_not_differ(tmp_path: Path) -> None:
    rows = [["a.png", "1", "2", "3", "4", "train"], ["a.png", "1", "2", "3", "4", "val"]]
    write_table(tmp_path, rows, ["image", "x1", "y1", "x2", "y2", "split"])
    label = {**BOX_LABEL, "class_column": None, "classes": ["dog"]}
    with pytest.raises(DataError, match="differ in column 'split': 'train' and 'val'") as caught:
        make(tmp_path, labels={"heads": label})
    assert "rows 2 and 3" in str(caught.value)


@pytest.mark.parametrize(
    ("format_", "numbers"),
    [("xyxy", [0.25, 0.2, 0.75, 0.8]), ("xywh", [0.25, 0.2, 0.5, 0.6]), ("cxcywh", [0.5] * 3)],
)
def test_normalized_boxes_of_each_format(
    tmp_path: Path, format_: str, numbers: list[float]
) -> None:
    numbers = [*numbers, 0.6][:4]
    rows = [["a.png", f'"[[{", ".join(map(str, numbers))}, ""dog""]]"'], ["b.png", "[]"]]
    write_table(tmp_path, rows, ["image", "heads"])
    label = {"form": "boxes", "classes": ["dog"], "format": format_, "normalized": True}
    source = make(tmp_path, labels={"heads": label})
    boxes = source.read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert np.allclose(boxes.xyxy, [[10, 6, 30, 24]])
    write_table(tmp_path, [["a.png", '"[[4, 5, 6, 7, ""dog""]]"']], ["image", "heads"])
    with pytest.raises(DataError, match="must have fractions of the image"):
        make(tmp_path, labels={"heads": label}).read("train", 0)


def test_same_image_twice_raises_with_both_rows(tmp_path: Path) -> None:
    write_table(tmp_path, [*ROWS, ["./a.png", *ROWS[0][1:6], "val"]])
    with pytest.raises(DataError, match=r"image 'a.png' occurs twice: row 2 and row 6"):
        make(tmp_path)


@pytest.mark.parametrize("crowd", ["false", "0", 0, None, "No"])
def test_crowd_flag_in_json_is_parsed(tmp_path: Path, crowd: object) -> None:
    write_table(tmp_path)
    row = {"image": "a.png", "heads": [{"box": [0, 0, 9, 9], "class": "cat", "crowd": crowd}]}
    (tmp_path / "table.jsonl").write_text(json.dumps(row) + "\n")
    source = make(tmp_path, file="table.jsonl", labels={"heads": LABELS["heads"]})
    boxes = source.read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.crowd.tolist() == [False]


def test_values_map_mask_numbers_to_classes(tmp_path: Path) -> None:
    write_table(tmp_path)
    label = {**LABELS["outline"], "values": {255: "dog", 1: "dog"}}
    mask = np.asarray(
        make(tmp_path, labels={"mask": {**label, "column": "mask"}}).read("train", 0).labels["mask"]
    )
    assert sorted(np.unique(mask).tolist()) == [0, 1]
    assert mask[0].tolist() == [1] * 40


def test_whole_numbers_as_floats_get_a_hint(tmp_path: Path) -> None:
    write_table(tmp_path, changed(0, "breed", "1.0"))
    labels = {"breed": {"form": "category", "classes": [1, 2]}}
    with pytest.raises(DataError, match=r"unknown class '1\.0'; did you mean '1'") as caught:
        make(tmp_path, labels=labels).read("train", 0)
    assert "astype('Int64')" in str(caught.value)


def test_one_number_written_in_two_ways_raises(tmp_path: Path) -> None:
    write_table(tmp_path, [["a.png", "1"], ["b.png", "1.0"]], ["image", "kind"])
    with pytest.raises(DataError, match=r"same number in several ways: 1, 1\.0"):
        make(tmp_path, labels={"kind": {"form": "category"}})


def test_classes_file_is_read_without_byte_order_mark(tmp_path: Path) -> None:
    write_table(tmp_path)
    (tmp_path / "classes.txt").write_text("pug\nbeagle\n", encoding="utf-8-sig")
    labels = {"breed": {"form": "category", "classes_file": "classes.txt"}}
    assert make(tmp_path, labels=labels).labels["breed"].classes == ("pug", "beagle")
    (tmp_path / "classes.txt").write_text("pug\nbeagle\n\npug\n")
    with pytest.raises(DataError, match="class name 'pug' occurs twice: line 1 and line 4"):
        make(tmp_path, labels=labels)


def test_backslashes_in_cells_are_converted(tmp_path: Path) -> None:
    write_table(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "a_mask.png"):
        (tmp_path / name).rename(tmp_path / "sub" / name)
    rows = [["sub\\a.png", "sub\\a_mask.png"], ["b.png", ""]]
    (tmp_path / "manifest.csv").write_text(
        "\n".join(",".join(row) for row in [["image", "mask"], *rows])
    )
    source = make(tmp_path, labels={"outline": LABELS["outline"]})
    assert set(source.read("train", 0).labels) == {"outline"}
    assert "2 path(s)" in source.warnings[0]


def test_cell_of_thousands_of_boxes_is_read(tmp_path: Path) -> None:
    cell = json.dumps([[0, 0, 9, 9, "dog"]] * 8000).replace('"', '""')
    assert len(cell) > 131072
    write_table(tmp_path, [["a.png", f'"{cell}"']], ["image", "heads"])
    source = make(tmp_path, labels={"heads": LABELS["heads"]})
    boxes = source.read("train", 0).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert len(boxes.xyxy) == 8000


def test_category_cell_with_a_list_raises(tmp_path: Path) -> None:
    write_table(tmp_path)
    (tmp_path / "table.jsonl").write_text('{"image": "a.png", "breed": ["pug"]}\n')
    source = make(tmp_path, file="table.jsonl", labels={"breed": {"form": "category"}})
    with pytest.raises(DataError, match="the cell must be one class"):
        source.read("train", 0)


def test_xml_of_another_size_names_a_fix(tmp_path: Path) -> None:
    write_table(tmp_path)
    (tmp_path / "c.xml").write_text(XML.replace("<width>40", "<width>80"))
    with pytest.raises(DataError, match="as in the XML, got 40 x 30") as caught:
        make(tmp_path).read("train", 2)
    assert "size: from_image" in str(caught.value)
    labels = {"heads": {**LABELS["heads"], "size": "rescale"}}
    boxes = make(tmp_path, labels=labels).read("train", 2).labels["heads"]
    assert isinstance(boxes, Boxes)
    assert boxes.xyxy.tolist() == [[0, 0, 2.5, 6]]


@pytest.mark.parametrize(
    "column",
    [
        {"form": "mask"},
        {"form": "boxes"},
        {"form": "map", "classes": ["a"]},
        {"form": "category", "index_offset": 1},
        {"form": "category", "classes": ["a"], "classes_file": "a.txt"},
        {"form": "outline"},
        {"form": "category", "colum": "x"},
        {"form": "category", "classes": ["a", "b", "a"]},
        {"form": "boxes", "classes": ["a"], "box_format": "xywh"},
        {"form": "boxes", "classes": ["a"], "class_column": "x"},
        {"form": "category", "columns": ["a", "b", "c", "d"]},
        {"form": "mask", "classes": ["a"], "values": {1: "a"}, "index_offset": 1},
    ],
)
def test_contradictory_columns_raise(column: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Manifest.Settings.model_validate({"labels": {"x": column}})


@pytest.mark.real_data
def test_pennfudan_is_clean(real_data: Path) -> None:
    labels = {
        "pedestrians": {"form": "category", "classes": [1, 2, 3, 4]},
        "boxes": {"form": "boxes", "classes": ["person"]},
        "segmentation": {"form": "mask", "classes": ["background", "person"]},
    }
    report = data_of(make(real_data / "pennfudan", labels=labels)).check()
    report.raise_if_bad()
    assert report.num_images == {"train": 107, "val": 23}
    assert report.counts["train"]["boxes"].classes == {"person": 280}


@pytest.mark.real_data
def test_nyuv2_is_clean(real_data: Path) -> None:
    labels = {
        "scene": {"form": "category"},
        "segmentation": {"form": "mask", "classes_file": "segmentation_classes.txt"},
        "depth": {"form": "map", "scale": 1 / 25.5, "unit": "m"},
    }
    source = make(real_data / "nyuv2", labels=labels)
    assert source.labels["depth"].form is Form.MAP
    assert len(source.labels["scene"].classes) == 10
    report = data_of(source).check()
    report.raise_if_bad()
    extent = report.counts["train"]["depth"].extent
    assert extent is not None
    assert 0.5 < extent[0] < extent[1] < 10.1


def test_key_of_a_row_that_occurs_twice_raises(tmp_path: Path) -> None:
    write_table(tmp_path)
    (tmp_path / "t.jsonl").write_text('{"image": "a.jpg"}\n{"image": "b.jpg", "image": "c.jpg"}\n')
    with pytest.raises(DataError, match="'image' occurs twice") as caught:
        make(tmp_path, file="t.jsonl")
    assert "t.jsonl row 2" in str(caught.value)


def test_split_that_is_no_text_is_reported(tmp_path: Path) -> None:
    write_table(tmp_path)
    cells = '{"image": "a.png", "kind": "x", "split": [[]]}'
    (tmp_path / "t.jsonl").write_text(cells)
    with pytest.raises(DataError, match=r"unknown split \[\[\]\] in column 'split'"):
        make(tmp_path, file="t.jsonl", labels={"kind": {"form": "category"}})
