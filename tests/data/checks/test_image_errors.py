"""Kinds of problems: three examples, the number and the fix."""

from __future__ import annotations

import pytest

from mtlsearch.data import CheckReport, Problem
from mtlsearch.errors import DataError


def problems(*texts: str, fix: str = "") -> tuple[Problem, ...]:
    return tuple(
        Problem("train", index, f"row {index}", text, fix) for index, text in enumerate(texts)
    )


def report(*texts: str, fix: str = "") -> CheckReport:
    return CheckReport(problems(*texts, fix=fix), {}, {"train": 40, "val": 8})


SAME = [
    ("/data/a b/1.png is missing", "/data/a b/2.png is missing"),
    ("im/dog.jpg is missing", "im/cat.jpg is missing"),
    (
        "label 'head': box 1 (10, 20, 190, 80) is outside the image of 120 x 100 pixels",
        "label 'head': box 12 (1.5, 2, 19, 8) is outside the image of 64 x 48 pixels",
    ),
    ("unknown class 'a' (allowed: x)", "unknown class 'b c'; did you mean 'x'? (allowed: x)"),
]
DIFFERENT = [
    ("label 'a': class 3 does not exist", "label 'b': class 3 does not exist"),
    ("column 'a': unknown class 'x'", "column 'b': unknown class 'x'"),
    ("im/a.jpg is missing", "im/a.jpg is empty"),
]


@pytest.mark.parametrize("pair", SAME)
def test_problems_that_differ_by_values_are_one_kind(pair: tuple[str, str]) -> None:
    (error,) = report(*pair).errors()
    assert error.what.startswith("2 problems of one kind:")


@pytest.mark.parametrize("pair", DIFFERENT)
def test_problems_of_other_labels_are_other_kinds(pair: tuple[str, str]) -> None:
    assert [error.what for error in report(*pair).errors()] == [
        f"row {index}: {text}" for index, text in enumerate(pair)
    ]


def test_kind_lists_three_examples_number_and_fix() -> None:
    texts = [f"im/{index}.png is missing" for index in range(9)]
    (error,) = report(*texts, fix="set `root`").errors()
    assert error.what.splitlines() == [
        "9 problems of one kind:",
        "  - row 0: im/0.png is missing",
        "  - row 1: im/1.png is missing",
        "  - row 2: im/2.png is missing",
        "  - and 6 more of this kind",
    ]
    assert error.next_step == "set `root`"


def test_single_error_lists_examples_of_all_kinds() -> None:
    texts = [*(f"im/{index}.png is missing" for index in range(5)), "im/9.png is empty"]
    with pytest.raises(DataError) as caught:
        report(*texts).raise_if_bad()
    lines = caught.value.what.splitlines()
    assert lines[0] == "6 problem(s) in 48 images"
    assert lines[4:] == ["  - and 2 more of this kind", "  - row 5: im/9.png is empty"]
    assert "mtlsearch -v check" in str(caught.value)


def test_many_kinds_are_counted() -> None:
    texts = ["x" * count + " is wrong" for count in range(1, 21)]
    *_, last = report(*texts).errors()
    assert last.what == "8 more problems of 8 other kinds"
