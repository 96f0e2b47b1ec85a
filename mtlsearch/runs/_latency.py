"""The time of a candidate's network, before it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlsearch.plugin import Candidate
from mtlsearch.results import Latency

if TYPE_CHECKING:
    from mtlsearch.runs._training_evaluator import TrainingEvaluator

WARMUP = 5
REPEATS = 15
ROUNDS = 3


def measure_network_latency(
    evaluator: TrainingEvaluator, candidate: Candidate, *, batch: int
) -> Latency:
    """The time of an untrained network on the device it would be trained on, in fp32.

    Weights do not change how long a forward takes. The clock is noisy, to one side: other work
    on the machine slows forwards down. So it is the lowest of several medians.

    Args:
        evaluator: builds the network and knows the device.
        candidate: whose network.
        batch: images of the second batch; the first has one.
    """
    from mtlsearch.models import measure_latency

    network = evaluator.build(candidate).to(evaluator.device)
    size = evaluator.config.data.image_size
    alone, together = (
        min(
            measure_latency(
                network,
                size,
                device=evaluator.device,
                batch_size=images,
                warmup=WARMUP,
                repeats=REPEATS,
            )
            for _ in range(rounds)
        )
        for images, rounds in ((1, ROUNDS), (batch, 1))
    )
    return Latency(alone, batch, together)
