"""Latency of a network: the median time of one forward pass."""

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
    channels: int = 3,
) -> float:
    """Measure the median time of one forward pass in evaluation mode.

    Args:
        network: takes images ``[batch_size, C, H, W]``. It must be on ``device``. Its training
            mode is restored.
        image_size: ``(height, width)`` in pixels.
        device: device of the images.
        batch_size: number of images per forward pass.
        repeats: number of forward passes that are timed.
        warmup: number of forward passes before them.
        channels: number of channels of the images.

    Returns:
        Milliseconds.
    """
    images = torch.zeros(batch_size, channels, *image_size, device=device)
    is_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            times = [_time_forward(network, images) for _ in range(warmup + repeats)]
    finally:
        network.train(is_training)
    return statistics.median(times[warmup:])


def _time_forward(network: nn.Module, images: torch.Tensor) -> float:
    _synchronize(images.device)
    start = time.perf_counter()
    network(images)
    _synchronize(images.device)
    return 1000 * (time.perf_counter() - start)


def _synchronize(device: torch.device) -> None:
    """Wait for pending work of an accelerator; the CPU has none."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
