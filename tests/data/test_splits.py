"""Splits: held-out validation images, limits, several sources."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.data._splits import SPLITS, describe_held_out, make_splits
from mtlsearch.errors import DataError
from tests.data.fake import Fake, many, opened, square


class Sized(Fake):
    """Source that has only sizes."""

    def __init__(self, train: int, val: int = 0, test: int = 0) -> None:
        super().__init__({"train": [square()] * 0})
        self._sizes = {"train": train, "val": val, "test": test}

    def size(self, split: str) -> int:
        return self._sizes[split]


@given(
    sizes=st.lists(
        st.tuples(st.integers(2, 60), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=3
    ),
    fraction=st.floats(0.01, 0.99),
    max_images=st.none() | st.integers(1, 30),
    seed=st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_splits_are_disjoint_and_repeatable(
    sizes: list[tuple[int, int, int]], fraction: float, max_images: int | None, seed: int
) -> None:
    sources = [Sized(*size) for size in sizes]
    splits = make_splits(sources, val_fraction=fraction, max_images=max_images, seed=seed)
    rows = [row for name in SPLITS for row in splits[name]]
    assert len(set(rows)) == len(rows)
    assert splits == make_splits(sources, val_fraction=fraction, max_images=max_images, seed=seed)
    assert all(row.split == "test" for row in splits["test"])
    assert all(0 <= row.index < sources[row.source].size(row.split) for row in rows)
    if max_images is None:
        assert len(rows) == sum(sum(size) for size in sizes)
    else:
        assert max(len(splits[name]) for name in SPLITS) <= max_images


def test_held_out_images_are_described() -> None:
    split, whole = (Fake({"train": [square()] * 10, **more}) for more in ({"val": [square()]}, {}))
    (line,) = describe_held_out([split, whole], 0.2)
    assert line.startswith("source 2 (fake) has no `val` split: 20% of its 10 `train` images")
    assert describe_held_out([split, whole], 0.0) == ()


def test_val_fraction_is_held_out_without_val() -> None:
    splits = make_splits([Sized(50, 0, 7)], val_fraction=0.2, max_images=None, seed=0)
    assert [len(splits[name]) for name in SPLITS] == [40, 10, 7]
    other = make_splits([Sized(50, 0, 7)], val_fraction=0.2, max_images=None, seed=1)
    assert splits["val"] != other["val"]


def test_existing_val_is_unchanged() -> None:
    splits = make_splits([Sized(50, 5)], val_fraction=0.2, max_images=None, seed=0)
    assert [len(splits[name]) for name in SPLITS] == [50, 5, 0]


def test_empty_train_or_val_is_rejected() -> None:
    with pytest.raises(DataError, match="'train'"):
        make_splits([Sized(0, 5)], val_fraction=0.2, max_images=None, seed=0)
    with pytest.raises(DataError, match="'val'"):
        make_splits([Sized(5)], val_fraction=0, max_images=None, seed=0)


@pytest.mark.parametrize(
    ("sizes", "fraction", "advice"),
    [
        ((0, 5), 0.2, "assign images to it in the source's settings, lists or split column"),
        ((5, 0), 0.0, "set `data.val_fraction` above 0"),
        ((1, 0), 0.2, "it needs at least two"),
    ],
)
def test_next_step_depends_on_empty_split(
    sizes: tuple[int, int], fraction: float, advice: str
) -> None:
    with pytest.raises(DataError) as caught:
        make_splits([Sized(*sizes)], val_fraction=fraction, max_images=None, seed=0)
    assert caught.value.next_step is not None
    assert advice in caught.value.next_step
    assert caught.value.where == (
        f"data.sources: source 1 (fake) has {sizes[0]} train, {sizes[1]} val, 0 test"
    )


def test_max_images_samples_the_whole_list() -> None:
    splits = make_splits([Sized(1000, 5)], val_fraction=0, max_images=50, seed=0)
    rows = [row.index for row in splits["train"]]
    assert rows == sorted(rows)
    assert rows[0] < 200
    assert rows[-1] > 800


def test_sources_are_concatenated_in_order() -> None:
    first, second = many(3, val=2), many(4, val=1)
    data = opened(first, second)
    assert (data.size("train"), data.size("val")) == (7, 3)
    assert data.locate("train", 3) == "fake train row 0"
    assert data.locate("val", 1) == "fake val row 1"
