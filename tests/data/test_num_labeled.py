"""Tests of the number of labeled images per split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.fake import LABELS, Fake, opened, square


@pytest.mark.parametrize("is_cached", [False, True])
def test_num_labeled_counts_images_with_the_label(tmp_path: Path, is_cached: bool) -> None:
    plain = square()
    without_kind = replace(
        plain, labels={name: value for name, value in plain.labels.items() if name != "kind"}
    )
    source = Fake({"train": [plain, plain], "val": [plain, without_kind, plain]})
    data = opened(source, cache=str(tmp_path) if is_cached else None)
    assert data.num_labeled("val", "kind") is None
    for _ in range(2):
        data.check()
        assert data.num_labeled("val", "kind") == 2
        assert {data.num_labeled("val", name) for name in LABELS if name != "kind"} == {3}
        assert data.with_seed(5).num_labeled("val", "kind") == 2
    assert data.num_labeled("test", "kind") is None
