"""Data module: batches, preprocessing, missing labels, checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mtlsearch.bundle import Preprocessing
from mtlsearch.data import DataModule
from mtlsearch.errors import DataError
from mtlsearch.labels import Form, LabelSpec, Sample
from mtlsearch.plugin import Batch
from tests.data.fake import LABELS, MEAN, STD, Fake, many, opened, square


def same(first: Batch, second: Batch) -> bool:
    if not torch.equal(first.images, second.images) or list(first.targets) != list(second.targets):
        return False
    for name, targets in first.targets.items():
        values, others = targets.values, second.targets[name].values
        if not torch.equal(targets.rows, second.targets[name].rows):
            return False
        if isinstance(values, tuple) and isinstance(others, tuple):
            for left, right in zip(values, others, strict=True):
                if not torch.equal(left.xyxy, right.xyxy):
                    return False
        elif not torch.equal(values, others):
            return False
    return True


def all_same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(map(same, first, second))


def test_batch_has_documented_shapes_and_dtypes() -> None:
    (batch,) = opened(many(4)).eval_batches("val", 8)
    assert batch.images.shape == (4, 3, 48, 64)
    assert batch.images.dtype == torch.float32
    values = {name: targets.values for name, targets in batch.targets.items()}
    assert list(values) == list(LABELS)
    assert values["kind"].tolist() == [1, 2, 0, 1]
    assert values["kind"].dtype == torch.int64
    assert values["tags"].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert values["mask"].shape == (4, 48, 64)
    assert values["mask"].dtype == torch.int64
    assert values["depth"].shape == (4, 1, 48, 64)
    assert values["depth"].dtype == torch.float32
    (first, *_) = values["boxes"]
    assert torch.allclose(first.xyxy, torch.tensor([[20.0, 12, 60, 42]]) * 0.8)
    assert first.classes.tolist() == [1]


def test_evaluation_equals_bundle_preprocessing() -> None:
    """Batches, ``prepare`` and the bundle's preprocessing agree up to rounding."""
    noise = np.random.default_rng(0).integers(0, 255, (77, 91, 3), np.uint8)
    image = Image.fromarray(noise)
    data = opened(Fake({"train": [square()], "val": [Sample(image)]}))
    (batch,) = data.eval_batches("val", 1)
    bundle = torch.from_numpy(Preprocessing((48, 64), MEAN, STD)(image))
    assert torch.equal(data.prepare(image), bundle)
    assert torch.allclose(batch.images[0], bundle, atol=1e-6)


def test_same_seed_and_epoch_give_same_batches() -> None:
    once, again = opened(many(20)), opened(many(20))
    assert all_same(list(once.train_batches(3, 8)), list(again.train_batches(3, 8)))
    # The second pass uses the cache, after other batches were loaded.
    assert all_same(list(once.train_batches(3, 8)), list(again.train_batches(3, 8)))


def test_epochs_and_seeds_give_different_batches() -> None:
    data = opened(many(20))
    first = list(data.train_batches(0, 20))
    assert not all_same(first, list(data.train_batches(1, 20)))
    assert not all_same(first, list(opened(many(20), seed=1).train_batches(0, 20)))


def test_augmentation_does_not_depend_on_batch_size() -> None:
    data = opened(many(12))
    small = torch.cat([batch.images for batch in data.train_batches(0, 3)])
    large = torch.cat([batch.images for batch in data.train_batches(0, 6)])
    assert torch.equal(small, large)


def test_batches_do_not_change_global_generator() -> None:
    data = opened(many(8))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    list(data.train_batches(0, 4))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("count", "size", "steps"), [(10, 4, 2), (8, 4, 2), (3, 4, 1), (9, 8, 1)])
def test_smaller_last_batch_is_dropped(count: int, size: int, steps: int) -> None:
    data = opened(many(count))
    batches = list(data.train_batches(0, size))
    assert len(batches) == steps == data.train_steps(size)
    assert all(len(batch.images) == min(size, count) for batch in batches)


def test_evaluation_contains_all_images_in_order() -> None:
    batches = list(opened(many(4, val=7)).eval_batches("val", 3))
    assert [len(batch.images) for batch in batches] == [3, 3, 1]
    kinds = torch.cat([torch.as_tensor(batch.targets["kind"].values) for batch in batches])
    assert kinds.tolist() == [(100 + index) % 3 for index in range(7)]


def test_missing_labels_are_left_out_of_targets() -> None:
    samples = [square(index) for index in range(4)]
    partly = [
        replace(samples[0], labels={}),
        samples[1],
        replace(samples[2], labels={"kind": 2}),
        samples[3],
    ]
    data = opened(Fake({"train": samples, "val": partly}))
    (batch,) = data.eval_batches("val", 4)
    assert batch.targets["kind"].rows.tolist() == [1, 2, 3]
    assert batch.targets["mask"].rows.tolist() == [1, 3]
    assert len(batch.targets["boxes"].values) == 2
    (first, _) = data.eval_batches("val", 3)
    assert set(first.targets) == set(LABELS)
    (lone, *_) = data.eval_batches("val", 1)
    assert dict(lone.targets) == {}


def test_sources_with_different_labels_share_batches() -> None:
    kinds = Fake({"train": [square(0)], "val": [square(1)]}, {"kind": LABELS["kind"]})
    for split in ("train", "val"):
        (sample,) = kinds._splits[split]
        assert isinstance(sample, Sample)
        kinds._splits = {**kinds._splits, split: [replace(sample, labels={"kind": 1})]}
    data = opened(kinds, many(2, val=1))
    assert list(data.labels) == list(LABELS)
    (batch,) = data.eval_batches("val", 4)
    assert batch.targets["kind"].rows.tolist() == [0, 1]
    assert batch.targets["mask"].rows.tolist() == [1]


def test_label_that_differs_between_sources_is_rejected() -> None:
    other = {**LABELS, "kind": LabelSpec(Form.CATEGORY, ("a", "b"))}
    with pytest.raises(DataError) as caught:
        opened(many(2), Fake({"train": [square()], "val": [square()]}, other))
    assert "label 'kind' differs" in str(caught.value)
    assert "source 2" in str(caught.value)


def test_labels_that_differ_in_counts_are_equal() -> None:
    counted = {name: replace(spec, counts=(1, 2)) for name, spec in LABELS.items()}
    data = opened(many(2), Fake({"train": [square()], "val": [square()]}, counted))
    assert data.labels["kind"].counts is None


def test_check_counts_labels_and_classes() -> None:
    data = opened(many(6, val=3))
    seen: list[tuple[int, int]] = []
    report = data.check(lambda done, total: seen.append((done, total)))
    report.raise_if_bad()
    assert seen == [(done, 9) for done in range(10)]
    train = report.counts["train"]
    assert train["kind"].classes == {"a": 2, "b": 2, "c": 2}
    assert train["boxes"].classes == {"dog": 0, "cat": 6}
    assert train["mask"].classes == {"background": 6 * (4800 - 1200), "thing": 6 * 1200}
    assert train["depth"].extent == (2.0, 5.0)
    assert (train["kind"].present, train["kind"].missing) == (6, 0)
    assert data.labels["kind"].counts == (2, 2, 2)
    assert data.labels["depth"].counts is None


def test_images_are_decoded_once() -> None:
    source = many(6, val=3, test=5)
    data = opened(source)
    data.check().raise_if_bad()
    assert source.reads == 9
    for epoch in range(2):
        list(data.train_batches(epoch, 2))
        list(data.eval_batches("val", 2))
    assert source.reads == 9


def bad_data(workers: int = 0) -> DataModule:
    train = [square(0), DataError("it is torn", where="list.csv row 7"), square(2, kind=9)]
    return opened(Fake({"train": train, "val": [square(3)]}), num_workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_check_collects_all_problems(workers: int) -> None:
    report = bad_data(workers).check()
    assert [(problem.split, problem.where) for problem in report.problems] == [
        ("train", "list.csv row 7"),
        ("train", "fake train row 2"),
    ]
    assert "class 9" in report.problems[1].what
    assert report.counts["train"]["kind"].present == 1
    with pytest.raises(DataError) as caught:
        report.raise_if_bad()
    assert "2 problem(s) in 4 images" in str(caught.value)
    assert "list.csv row 7: it is torn" in str(caught.value)


def test_long_list_of_problems_is_truncated() -> None:
    train = [square(index, kind=9) for index in range(25)]
    report = opened(Fake({"train": train, "val": [square(0)]})).check()
    assert len(report.problems) == 25
    with pytest.raises(DataError, match="and 22 more of this kind"):
        report.raise_if_bad()


def test_unchecked_bad_image_is_named_in_training() -> None:
    with pytest.raises(DataError) as caught:
        list(bad_data().train_batches(0, 3))
    assert caught.value.where in ("list.csv row 7", "fake train row 2")


def test_workers_give_same_batches() -> None:
    serial, parallel = opened(many(9, val=5)), opened(many(9, val=5), num_workers=2)
    assert all_same(list(serial.train_batches(1, 4)), list(parallel.train_batches(1, 4)))
    assert all_same(list(serial.eval_batches("val", 2)), list(parallel.eval_batches("val", 2)))


def test_workers_give_same_report() -> None:
    serial, parallel = opened(many(9, val=5)), opened(many(9, val=5), num_workers=2)
    assert serial.check() == parallel.check()


def test_samples_have_original_size() -> None:
    data = opened(many(4))
    (sample,) = data.samples("val", [2])
    assert sample.image.size == (80, 60)
    assert sample.labels["kind"] == 102 % 3
