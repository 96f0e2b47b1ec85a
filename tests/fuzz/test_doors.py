"""Changed inputs end in an error of mtlsearch, in bounded time and memory.

``MTLSEARCH_FUZZ_EXAMPLES=700`` reads more mutations per door than the suite does.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz.doors import DOORS
from tests.fuzz.guard import finding
from tests.fuzz.run import read_changed, run_door

EXAMPLES = int(os.environ.get("MTLSEARCH_FUZZ_EXAMPLES", "12"))
CASES = sorted((Path(__file__).parent / "cases").iterdir())
DOOR_BY_KIND = {"none": "checkpoint"}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_valid_input_is_read(door: str, tmp_path: Path) -> None:
    DOORS[door].write(tmp_path)
    for file in DOORS[door].files:
        (tmp_path / "changed").write_text(file)
        DOORS[door].repair(tmp_path)
        DOORS[door].read(tmp_path)


def test_mutations_end_in_own_errors(door: str, tmp_path: Path) -> None:
    ends = set()
    for file, content, failure, end in run_door(DOORS[door], tmp_path, EXAMPLES, 0):
        assert failure is None, (file, content, failure)
        ends.add(end)
    assert "refused" in ends


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_case_ends_in_an_own_error(case: Path, tmp_path: Path) -> None:
    """Cases are named KIND-NUMBER-FILE; underscores of the file stand for folders."""
    kind, _, name = case.name.split("-", 2)
    door = DOORS[DOOR_BY_KIND.get(kind, kind)]
    door.write(tmp_path)
    file = tmp_path / name
    if not file.exists() and "_" in name:
        file = tmp_path / name.replace("_", "/")
    file.write_bytes(case.read_bytes())
    (tmp_path / "changed").write_text(name)
    assert finding(lambda: door.read(tmp_path)) is None


NESTED = "[" * 950 + "]" * 950
BOMB = "&a [x,x,x,x,x,x,x,x,x,x]"
for _name, _next in zip("abcdefgh", "bcdefghi", strict=True):
    BOMB += f", &{_next} [" + ",".join([f"*{_name}"] * 10) + "]"


@pytest.mark.parametrize(
    ("door", "file", "old", "new"),
    [
        ("yaml", "run.yaml", "  root: .", f"  [{BOMB}]: ."),
        ("yaml", "run.yaml", "  root: .", f"  root: [{BOMB}]"),
        ("yaml", "run.yaml", "data:\n  root: .\n", "data: [1]\nx:\n"),
        ("yaml", "run.yaml", "seed: 3", "seed: \x01"),
        ("yaml", "run.yaml", "seed: 3", 'seed: "\\ud800"'),
        ("yaml", "run.yaml", "root: .", "root: ~no-such-user/x"),
        ("yolo", "data.yaml", "0: person", f"0: [{BOMB}]"),
        ("csv", "t.csv", ",0,a;b,", ",--5,a;b,"),
        ("csv", "t.csv", ",0,a;b,", f",{'1' * 5000},a;b,"),
        ("csv", "t.csv", "m0.png", "/proc/self/mem"),
        ("jsonl", "t.jsonl", '"cls": 0', f'"cls": {NESTED}'),
        ("jsonl", "t.jsonl", '"i0.png"', '"\\ud800.png"'),
        ("coco", "train.json", '"id": 0', f'"id": {NESTED}'),
        ("coco", "train.json", '"bbox": [1, 2, 10, 11]', '"bbox": [1, 2, 1e20, 1e999]'),
        ("table", "t.csv", "01 01 01,0,1,", "01 01 01,0,0,"),
        ("table", "t.csv", "01 01 01,0,1,", "01 01 01,0,1.5,"),
        ("table", "t.csv", "01 01 01,0,1,", "01 01 01,1e300,1,"),
        ("bundle", "bundle.json", '"tint":', '"../tint":'),
        ("bundle", "bundle.json", "[8, 12]", "[80000, 120000]"),
        ("bundle", "bundle.json", "[8, 12]", "[12, 8]"),
        ("bundle", "bundle.json", '"channels": "rgb"', '"channels": 3000000000'),
        ("bundle", "bundle.json", '["red", "green", "blue"]', '["red", "green"]'),
        ("bundle", "bundle.json", '"parameters": 0', f'"parameters": 1{"0" * 400}'),
        ("bundle", "bundle.json", '"0.1.0"', '"\\ud800"'),
        ("bundle", "bundle.json", "[0.2,", "[0,"),
    ],
    ids=lambda value: value[:20] if value.isprintable() else "x",
)
def test_found_input_is_refused(tmp_path: Path, door: str, file: str, old: str, new: str) -> None:
    DOORS[door].write(tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    failure, end = read_changed(DOORS[door], tmp_path, file, text.replace(old, new, 1).encode())
    assert (failure, end) == (None, "refused")


def test_postscript_is_not_executed(tmp_path: Path) -> None:
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    DOORS["image"].write(tmp_path)
    assert read_changed(DOORS["image"], tmp_path, "a.png", content) == (None, "refused")
