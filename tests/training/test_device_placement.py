"""Memory order of images and weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtlsearch.plugin import Batch
from mtlsearch.training import resolve_placement, resolve_train_config
from tests.training.fakes import CPU, Network, Points, config, guesses, run


class ConvolutionalNetwork(Network):
    """A network with a convolution, which records the memory order of its images."""

    def __init__(self, *tasks: str) -> None:
        super().__init__(*tasks)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        nn.init.dirac_(self.conv.weight)
        self.seen_channels_last: set[bool] = set()

    def forward(self, images, tasks=None):
        is_channels_last = images.is_contiguous(memory_format=torch.channels_last)
        self.seen_channels_last.add(is_channels_last)
        return super().forward(self.conv(images).contiguous(), tasks)


@pytest.mark.parametrize(("value", "expected"), [("auto", True), (True, True), (False, False)])
def test_images_and_weights_have_the_configured_order(value: object, expected: bool) -> None:
    network = ConvolutionalNetwork("a")
    run(network, guesses("a"), Points(labels=("a",)), config(channels_last=value))
    assert network.seen_channels_last == {expected}
    assert network.conv.weight.is_contiguous(memory_format=torch.channels_last) == expected


def test_losses_do_not_depend_on_the_memory_order() -> None:
    results = []
    for value in (True, False):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = ConvolutionalNetwork("a")
        results.append(
            run(network, guesses("a"), Points(labels=("a",)), config(channels_last=value))
        )
    first, second = (result.epochs[-1].train_losses["a"] for result in results)
    assert first == pytest.approx(second, rel=1e-5)


def test_auto_is_channels_last_on_cpu_and_cuda() -> None:
    assert resolve_placement("auto", torch.device("cuda")).channels_last
    assert resolve_placement("auto", CPU).channels_last
    assert not resolve_placement("auto", torch.device("mps")).channels_last
    assert not resolve_placement(False, torch.device("cuda")).channels_last


@pytest.mark.parametrize(
    ("size", "batch_size", "expected"),
    [((256, 256), 1, True), ((64, 64), 16, True), ((64, 64), 15, False), ((32, 128), 4, False)],
)
def test_auto_depends_on_pixels_on_a_cpu(size: object, batch_size: int, expected: bool) -> None:
    settings = config(batch_size=batch_size)
    assert resolve_train_config(settings, size, CPU).channels_last is expected
    assert resolve_train_config(settings, size, torch.device("cuda")) == settings
    accumulated = config(batch_size=2 * batch_size, accumulation_steps=2)
    assert resolve_train_config(accumulated, size, CPU).channels_last is expected
    for value in (True, False):
        explicit = config(batch_size=batch_size, channels_last=value)
        assert resolve_train_config(explicit, size, CPU) == explicit


def test_placement_does_not_change_labels() -> None:
    batch = Points().batch([0, 1])
    placed = resolve_placement(True, CPU).batch(batch)
    assert isinstance(placed, Batch)
    assert torch.equal(placed.images, batch.images)
    assert torch.equal(placed.targets["a"].values, batch.targets["a"].values)
