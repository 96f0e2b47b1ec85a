"""Numbers as people read them."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.report import _formatting as quantity

FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=6))
def test_counts_are_read_back_to_two_digits(values: list[int]) -> None:
    texts = quantity.counts(pd.Series(values))
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
def test_counts(values: list[int], texts: list[str]) -> None:
    assert quantity.counts(pd.Series(values, dtype="int64")) == texts


def test_missing_numbers_are_blank() -> None:
    column = pd.Series([1.0, float("nan")])
    for form in (quantity.percents, quantity.measures, quantity.durations, quantity.rates):
        assert form(column)[1] == ""


def test_durations() -> None:
    assert quantity.durations(pd.Series([9.26, 142.4, 3600.0])) == ["9.3 s", "142 s", "60 min"]
