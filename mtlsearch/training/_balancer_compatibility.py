"""Compatibility of balancers with training options, checked before training."""

from __future__ import annotations

from typing import Any

from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Balancer
from mtlsearch.training._device import Precision

WEIGHTING_BALANCER = "a balancer that weighs losses (`mtlsearch list balancers`)"


def check_balancer_compatible(
    balancer: type[Balancer[Any]] | Balancer[Any],
    *,
    precision: Precision,
    is_compiled: bool = False,
    accumulation_steps: int = 1,
    num_processes: int = 1,
    where: str = "search.balancer",
) -> None:
    """Check that a balancer supports a number format and a way of training.

    Args:
        balancer: the balancer or its class.
        precision: number format of the training.
        is_compiled: whether the network runs through ``torch.compile``.
        accumulation_steps: number of micro batches per batch.
        num_processes: number of processes that each batch is spread over.
        where: run-file key of the balancer, for messages.

    Raises:
        TrainingError: the combination is not supported; the message names a supported one.
    """
    per_task, full_batch = balancer.per_task_gradients, needs_full_batch(balancer)
    for is_unsupported, reason, fix in (
        (
            per_task and precision.scales_loss,
            "combines gradients, which sometimes overflow in float16",
            f"set train.precision to bf16 or fp32, or choose {WEIGHTING_BALANCER}",
        ),
        (
            per_task and is_compiled,
            "needs one backward pass per task, and a compiled network has one for all tasks, "
            "which torch may refuse to run twice",
            f"set train.compile to false, or choose {WEIGHTING_BALANCER}",
        ),
        (
            full_batch and accumulation_steps > 1,
            "needs whole batches, and this training splits them into micro batches",
            "set train.accumulation_steps to 1 and train.batch_size to a smaller value, "
            "or set search.balancer to static",
        ),
        (
            full_batch and num_processes > 1,
            "needs whole batches, and this training spreads them over processes",
            "train on one device, or set search.balancer to static",
        ),
    ):
        if is_unsupported:
            raise TrainingError(f"balancer {balancer.name!r} {reason}", where=where, next_step=fix)


def needs_full_batch(balancer: type[Balancer[Any]] | Balancer[Any]) -> bool:
    """Return whether a balancer needs the losses of the whole batch before any backward pass.

    This holds for every balancer that changes losses or gradients. Weights computed from the
    losses of a micro batch differ from those of the batch, and a balancer with memory would
    record one entry per micro batch.
    """
    kind = balancer if isinstance(balancer, type) else type(balancer)
    weighs_losses = kind.weigh is not Balancer.weigh
    return balancer.per_task_gradients or balancer.remeasures_losses or weighs_losses
