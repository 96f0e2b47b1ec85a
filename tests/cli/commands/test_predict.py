"""``mtlsearch predict``: JSON on standard output, pictures on request, bad images named."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from mtlsearch.cli import main
from tests.bundle import small


@pytest.fixture
def bundle(tmp_path):
    return small.write(tmp_path / "bundle")


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / "one" / "street.png", tmp_path / "two" / "street.png"]
    for path, colour in zip(paths, ("red", "blue"), strict=True):
        path.parent.mkdir()
        Image.new("RGB", (30, 20), colour).save(path)
    return paths


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, arguments)])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_it_prints_one_document(bundle, photos, capsys):
    code, out, _ = _run(capsys, bundle, *photos)
    document = json.loads(out)
    assert code == 0
    assert document["failed"] == []
    assert [at["image"] for at in document["images"]] == [str(path) for path in photos]
    classes = [at["tasks"]["colour"]["class"] for at in document["images"]]
    assert classes == ["red", "blue"]
    assert document["images"][0]["tasks"]["tint"]["fractions"] == {"red": 1.0}


def test_it_writes_pictures_under_names_of_their_own(bundle, photos, tmp_path, capsys):
    code, out, err = _run(capsys, bundle, *photos, "--out", tmp_path / "pictures")
    named = [at["picture"] for at in json.loads(out)["images"]]
    assert code == 0
    assert "2 images" in err
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "street-2.png",
        "street-2.tint.png",
        "street.png",
        "street.tint.png",
    ]
    for name in named:
        with Image.open(name) as picture:
            assert picture.width > 3 * 256


def test_a_bad_image_is_named_and_the_others_are_predicted(bundle, photos, tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    code, out, err = _run(capsys, bundle, photos[0], bad, photos[1])
    document = json.loads(out)
    assert code == 1
    assert str(bad) in err
    assert [at["image"] for at in document["failed"]] == [str(bad)]
    assert len(document["images"]) == 2


def test_what_is_no_bundle_is_said_to_be_none(photos, tmp_path, capsys):
    code, out, err = _run(capsys, tmp_path, photos[0])
    assert code == 1
    assert out == ""
    assert "no bundle here" in err
