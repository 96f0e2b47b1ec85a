"""Images of trained networks on a page."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from mtlsearch.labels import Sample
from mtlsearch.report.page import _networks
from mtlsearch.report.page._networks import SampleCell, SampleView


class CountingData:
    """Data that count the images in memory; every third image has both labels."""

    def __init__(self, size: int) -> None:
        self.num_images = size
        self.references: list[weakref.ref[Image.Image]] = []
        self.most = 0

    def size(self, split: str) -> int:
        return self.num_images

    def locate(self, split: str, index: int) -> str:
        return f"{index}.jpg"

    def samples(self, split: str, indices: Sequence[int]) -> list[Sample]:
        images = [Image.new("RGB", (4, 4)) for _ in indices]
        self.references += [weakref.ref(image) for image in images]
        self.most = max(self.most, sum(item() is not None for item in self.references))
        return [
            Sample(image, {"scene": 0, "shape": 0} if index % 3 == 0 else {"scene": 0})
            for image, index in zip(images, indices, strict=True)
        ]


def test_images_with_most_labels_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _networks, "_view", lambda jobs, sample, name: SampleView(name, SampleCell(), sample.labels)
    )
    data = CountingData(30)
    job = SimpleNamespace(data=data, tasks={}, label_by_task={"a": "scene", "b": "shape"})
    jobs = {"hard": cast("Any", job)}
    views = _networks._samples(jobs, 0, lambda text, done, total: None)
    drawn = np.random.default_rng(0).permutation(30)[:24].tolist()
    first = sorted(drawn, key=lambda index: index % 3 != 0)[:8]
    assert [view.name for view in views] == [f"{index}.jpg" for index in first]
    assert data.most <= 2  # one that is read, one that is replaced


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/data/images/a (1).jpg", "a (1).jpg"),
        ("/data/t.csv row 3 (images/a.jpg)", "a.jpg"),
        ("/data/t.csv row 3 (images/a (1).jpg)", "a (1).jpg"),
        ("/data/t.csv row 3 (images (new)/a.jpg)", "a.jpg"),
        ("C:\\data\\a.jpg", "a.jpg"),
    ],
)
def test_name_of_an_image_is_the_end_of_its_place(where: str, name: str) -> None:
    assert _networks._name(where) == name
