"""Readers of text, flags, paths and names for sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from mtlsearch.errors import DataError
from mtlsearch.files import Outputs
from mtlsearch.plugin import (
    BoxXml,
    ClassNames,
    MaskValues,
    Settings,
    backslash_warnings,
    list_images,
    parse_flag,
    read_text,
    read_xml,
    require_image_size,
    require_unique,
    resolve_path,
)


class NamedSettings(Settings):
    classes: ClassNames | None = None


@pytest.mark.parametrize("value", [1, 1.0, True, "1", "true", "TRUE", " Yes "])
def test_flag_of_a_true_value(value: object) -> None:
    assert parse_flag(value, name="crowd", where="here") is True


@pytest.mark.parametrize(
    "value", [0, 0.0, False, None, "", "0", "false", "False", "NO", "Unspecified"]
)
def test_flag_of_a_false_value(value: object) -> None:
    assert parse_flag(value, name="crowd", where="here") is False


@pytest.mark.parametrize("value", [2, -1, "maybe", "t", [], [1], {}, 0.5])
def test_flag_of_another_value_raises(value: object) -> None:
    with pytest.raises(DataError, match="`crowd` must be a flag") as caught:
        parse_flag(value, name="crowd", where="row 3")
    assert "row 3" in str(caught.value)
    assert "yes, no" in str(caught.value)


def test_text_has_no_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\n")
    assert read_text(tmp_path / "a.txt").split() == ["cat", "dog"]


def test_text_in_another_encoding_raises(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="the list is not in UTF-8") as caught:
        read_text(tmp_path / "a.txt", what="list")
    assert "save it as UTF-8" in str(caught.value)


def test_backslashes_are_converted_unless_the_file_exists(tmp_path: Path) -> None:
    assert resolve_path(tmp_path, "a\\b.png") == tmp_path / "a" / "b.png"
    (tmp_path / "a\\b.png").touch()
    assert resolve_path(tmp_path, "a\\b.png") == tmp_path / "a\\b.png"
    assert backslash_warnings(["a/b.png"], "x.csv") == []
    (message,) = backslash_warnings(["a\\b.png", "c.png", "a\\d.png"], "x.csv")
    assert message.startswith("2 path(s) in x.csv contain backslashes")


def test_repeated_values_are_reported_with_all_places() -> None:
    def require(keys: list[int]) -> None:
        require_unique("image id", keys, "images[{}]".format, where="a.json", next_step="renumber")

    require([1, 2, 3])
    with pytest.raises(DataError, match=r"image id 1 occurs twice: images\[0\] and images\[2\]"):
        require([1, 2, 1])
    with pytest.raises(DataError, match=r"5 image ids occur .*\(images\[0\] and .* and 2 more"):
        require([1, 2, 3, 4, 5] * 2)
    with pytest.raises(DataError, match=r"6 times: .*images\[2\] and 3 more"):
        require([1] * 6)


def test_class_names_are_unique_texts() -> None:
    assert NamedSettings.model_validate({"classes": [1, 2]}).classes == ("1", "2")
    with pytest.raises(ValidationError, match="'cat' occurs twice, at index 0 and at index 2"):
        NamedSettings.model_validate({"classes": ["cat", "dog", "cat"]})
    with pytest.raises(ValidationError, match="class 1 has no name"):
        NamedSettings.model_validate({"classes": ["cat", " "]})


def test_mask_values_become_class_indices() -> None:
    values = MaskValues.of({255: "cell", 7: None}, ("background", "cell"), where="here")
    plane = np.array([[0, 255], [7, 0]], np.uint8)
    assert values.apply(plane, "a.png").tolist() == [[0, 1], [255, 0]]


def test_mask_value_beside_a_mapped_class_raises() -> None:
    values = MaskValues.of({255: "cell"}, ("background", "cell"), where="here")
    with pytest.raises(DataError, match="contains 1, which `values` does not map"):
        values.apply(np.array([[0, 255, 1]], np.uint8), "a.png")
    with pytest.raises(DataError, match="unknown class 'cel'; did you mean 'cell'"):
        MaskValues.of({255: "cel"}, ("background", "cell"), where="here")


def test_size_error_contains_the_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (40, 30)).save(tmp_path / "plain.jpg")

    def message(name: str) -> str:
        with pytest.raises(DataError) as caught:
            require_image_size(
                tmp_path / name, (30, 40), (40, 30), origin="the JSON", where="x", next_step="y"
            )
        return str(caught.value)

    assert "40 x 30 pixels, as in the JSON, got 30 x 40, because its EXIF" in message("turned.jpg")
    assert "remove the EXIF orientation" in message("turned.jpg")
    assert "EXIF" not in message("plain.jpg")


def test_xml_is_read_without_namespaces(tmp_path: Path) -> None:
    text = (
        '<annotation xmlns="http://a.b/c"><!-- x --><object><name>cat</name></object></annotation>'
    )
    (tmp_path / "a.xml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    root = read_xml(tmp_path / "a.xml", "here")
    assert [item.findtext("name") for item in root.iter("object")] == ["cat"]


def test_box_xml_can_be_rescaled_to_the_image() -> None:
    xml = BoxXml(20, 10, ("cat",), ((1.0, 1.0, 10.0, 5.0),), (False,))
    rescaled = xml.boxes(["cat"], image_size=(40, 30), where="x", size="rescale")
    assert rescaled.xyxy.tolist() == [[0, 0, 20, 15]]
    trusted = xml.boxes(["cat"], image_size=(40, 30), where="x", size="from_image")
    assert trusted.xyxy.tolist() == [[0, 0, 10, 5]]


def test_hidden_and_other_files_are_not_images(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a.png", ".hidden/1.png", "__MACOSX/1.png", "._a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / "a.png", tmp_path / "b" / "2.JPG"]


def test_unchanged_outputs_of_commands_are_not_images(tmp_path: Path) -> None:
    outputs = Outputs("predict")
    for name in ("b/drawn.png", "b/new/drawn.png", "b/edited.png"):
        with outputs.write(tmp_path / name) as partial:
            partial.write_text("drawn")
    (tmp_path / "b" / "edited.png").write_text("edited")
    (tmp_path / "b" / "photo.png").touch()
    assert list_images(tmp_path) == [tmp_path / "b" / "edited.png", tmp_path / "b" / "photo.png"]


class Numbers(Settings):
    count: int = 1
    share: float = 0.5
    sizes: tuple[int, ...] = ()
    is_flipped: bool = False


@pytest.mark.parametrize(
    "values",
    [{"count": True}, {"share": False}, {"sizes": [8, True]}, {"is_flipped": 1}],
    ids=str,
)
def test_settings_refuse_booleans_as_numbers(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Numbers.model_validate(values)
    assert Numbers(count=3, share=1, sizes=(8,), is_flipped=True).share == 1.0


@pytest.mark.parametrize("text", ["a" * 300, f"images/{'a' * 256}.jpg", "a/" * 2500])
def test_path_that_no_disk_supports_raises(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        DataError,
        match=r"too long: \d+ characters, at most 4096; its longest name \d+, at most 255",
    ):
        resolve_path(tmp_path, text)
    assert resolve_path(tmp_path, f"{'a' * 251}.jpg").parent == tmp_path


def test_path_with_a_character_0_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains a character that no path") as caught:
        resolve_path(tmp_path, "images/a\0.png")
    assert caught.value.next_step
