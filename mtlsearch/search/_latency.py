"""The time of a candidate's network, before it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlsearch.plugin import Candidate
from mtlsearch.record import Latency

if TYPE_CHECKING:
    from mtlsearch.search._training_evaluator import TrainingEvaluator

WARMUP = 5
REPEATS = 30


def time_network(evaluator: TrainingEvaluator, candidate: Candidate, *, batch: int) -> Latency:
    """Medians of an untrained network on the device it would be trained on, in fp32.

    Weights do not change how long a forward takes. The clock is noisy: other work on the
    machine makes a median of a few dozen forwards differ by some percent from one time to
    the next.

    Args:
        evaluator: builds the network and knows the device.
        candidate: whose network.
        batch: images of the second batch; the first has one.
    """
    from mtlsearch.network import measure_latency

    network = evaluator.build(candidate).to(evaluator.device)
    size = evaluator.config.data.size
    alone, together = (
        measure_latency(
            network,
            size,
            device=evaluator.device,
            batch_size=images,
            warmup=WARMUP,
            repeats=repeats,
        )
        for images, repeats in ((1, REPEATS), (batch, REPEATS // 3))
    )
    return Latency(alone, batch, together)
