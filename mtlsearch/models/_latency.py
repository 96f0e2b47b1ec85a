"""How long a forward takes."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn


def measure_latency(
    network: nn.Module,
    image_size: tuple[int, int],
    *,
    device: torch.device,
    batch_size: int = 1,
    repeats: int = 20,
    warmup: int = 3,
) -> float:
    """Median milliseconds of one forward in evaluation mode.

    Args:
        network: takes ``[batch_size, 3, H, W]``; it must lie on ``device`` and keeps its mode.
        image_size: ``(height, width)`` in pixels.
        device: where the images are made.
        batch_size: images a forward.
        repeats: forwards that are timed.
        warmup: forwards before that.
    """
    images = torch.zeros(batch_size, 3, *image_size, device=device)
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            times = [_timed(network, images) for _ in range(warmup + repeats)]
    finally:
        network.train(training)
    return statistics.median(times[warmup:])


def _timed(network: nn.Module, images: torch.Tensor) -> float:
    _wait(images.device)
    start = time.perf_counter()
    network(images)
    _wait(images.device)
    return 1000 * (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    """Let an accelerator finish what it was given; the CPU has nothing pending."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
