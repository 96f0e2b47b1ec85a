"""Latency of a candidate's network, measured before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlsearch.plugin import Candidate
from mtlsearch.results import Latency

if TYPE_CHECKING:
    from mtlsearch.runs._training_evaluator import TrainingEvaluator

WARMUP = 5
"""Forward passes before the measured ones."""
REPEATS = 15
"""Measured forward passes per round, of which the median counts."""
ROUNDS = 3
"""Rounds for one image, of which the lowest counts."""


def measure_network_latency(
    evaluator: TrainingEvaluator, candidate: Candidate, *, batch: int
) -> Latency:
    """Measure the latency of an untrained network on the training device, in fp32.

    Weights do not change the time of a forward pass. Other work on the machine only increases
    it, so the result is the lowest of several medians.

    Args:
        evaluator: builds the network and has the device.
        candidate: candidate of the network.
        batch: images of the second batch; the first has one image.

    Returns:
        The latency for one image and for a batch.
    """
    from mtlsearch.models import measure_latency

    network = evaluator.build(candidate).to(evaluator.device)
    size = evaluator.config.data.image_size
    single, batched = (
        min(
            measure_latency(
                network,
                size,
                device=evaluator.device,
                batch_size=batch_size,
                warmup=WARMUP,
                repeats=REPEATS,
                channels=network.backbones.channels,
            )
            for _ in range(rounds)
        )
        for batch_size, rounds in ((1, ROUNDS), (batch, 1))
    )
    return Latency(single, batch, batched)
