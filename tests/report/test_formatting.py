"""Tests of number formatting."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.report import _formatting as formatting

FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=6))
def test_format_counts_keeps_two_digits(values: list[int]) -> None:
    texts = formatting.format_counts(pd.Series(values))
    prefixes = {text.partition(" ")[2] for text in texts}
    assert len(prefixes) == 1
    for text, value in zip(texts, values, strict=True):
        number, _, prefix = text.partition(" ")
        assert float(number) * FACTORS[prefix] == pytest.approx(value, rel=0.051)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([4_900_000, 11_200_000], ["4.9 M", "11.2 M"]),
        ([610_000_000, 1_830_000_000], ["0.61 G", "1.83 G"]),
        ([12, 7], ["12", "7"]),
        ([], []),
    ],
)
def test_format_counts_examples(values: list[int], texts: list[str]) -> None:
    assert formatting.format_counts(pd.Series(values, dtype="int64")) == texts


def test_missing_numbers_are_empty() -> None:
    column = pd.Series([1.0, float("nan")])
    for format_column in (
        formatting.format_percents,
        formatting.format_metrics,
        formatting.format_durations,
        formatting.format_significant_digits,
    ):
        assert format_column(column)[1] == ""


def test_format_durations_examples() -> None:
    assert formatting.format_durations(pd.Series([9.26, 142.4, 3600.0])) == [
        "9.3 s",
        "142 s",
        "60 min",
    ]
