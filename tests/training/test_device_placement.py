"""Memory order by choice."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtlsearch.plugin import Batch
from mtlsearch.training._placement import resolve_placement, resolve_train_config
from tests.training.fakes import CPU, Points, config, guesses, run
from tests.training.fakes import Network as Flat


class Network(Flat):
    """One with a convolution that looks at what it is given."""

    def __init__(self, *tasks: str) -> None:
        super().__init__(*tasks)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        nn.init.dirac_(self.conv.weight)
        self.seen: set[bool] = set()

    def forward(self, images, tasks=None):
        self.seen.add(images.is_contiguous(memory_format=torch.channels_last))
        return super().forward(self.conv(images).contiguous(), tasks)


@pytest.mark.parametrize(("chosen", "expected"), [("auto", True), (True, True), (False, False)])
def test_images_and_weights_lie_as_the_run_file_says(chosen: object, expected: bool) -> None:
    network = Network("a")
    run(network, guesses("a"), Points(labels=("a",)), config(channels_last=chosen))
    assert network.seen == {expected}
    assert network.conv.weight.is_contiguous(memory_format=torch.channels_last) == expected


def test_the_numbers_do_not_depend_on_it() -> None:
    results = []
    for chosen in (True, False):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = Network("a")
        results.append(
            run(network, guesses("a"), Points(labels=("a",)), config(channels_last=chosen))
        )
    first, second = (result.epochs[-1].train_losses["a"] for result in results)
    assert first == pytest.approx(second, rel=1e-5)


def test_auto_is_yes_where_it_is_fast() -> None:
    assert resolve_placement("auto", torch.device("cuda")).channels_last
    assert resolve_placement("auto", CPU).channels_last
    assert not resolve_placement("auto", torch.device("mps")).channels_last
    assert not resolve_placement(False, torch.device("cuda")).channels_last


@pytest.mark.parametrize(
    ("image_size", "batch_size", "expected"),
    [((256, 256), 1, True), ((64, 64), 16, True), ((64, 64), 15, False), ((32, 128), 4, False)],
)
def test_auto_looks_at_pixels_on_a_cpu(size: object, batch_size: int, expected: bool) -> None:
    given = config(batch_size=batch_size)
    assert resolve_train_config(given, size, CPU).channels_last is expected
    assert resolve_train_config(given, size, torch.device("cuda")) == given
    parts = config(batch_size=2 * batch_size, accumulation_steps=2)
    assert resolve_train_config(parts, size, CPU).channels_last is expected
    for chosen in (True, False):
        said = config(batch_size=batch_size, channels_last=chosen)
        assert resolve_train_config(said, size, CPU) == said


def test_labels_are_left_as_they_are() -> None:
    batch = Points().batch([0, 1])
    placed = resolve_placement(True, CPU).batch(batch)
    assert isinstance(placed, Batch)
    assert torch.equal(placed.images, batch.images)
    assert torch.equal(placed.targets["a"].values, batch.targets["a"].values)
