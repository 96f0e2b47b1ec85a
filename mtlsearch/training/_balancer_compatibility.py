"""Balancers that a way of training does not allow, refused before it begins."""

from __future__ import annotations

from typing import Any

from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Balancer
from mtlsearch.training._precision import Precision

LOSSES = "a balancer that weighs losses (`mtlsearch balancers`)"


def check_balancer_compatible(
    balancer: type[Balancer[Any]] | Balancer[Any],
    *,
    precision: Precision,
    compiles: bool = False,
    parts: int = 1,
    processes: int = 1,
    where: str = "search.balancer",
) -> None:
    """Be sure that a balancer works with a number format and a way of taking steps.

    Args:
        balancer: what is to balance.
        precision: the number format.
        compiles: whether the network runs through ``torch.compile``.
        parts: in how many parts a batch is computed.
        processes: over how many processes a batch is spread.
        where: where the run file names it, for messages.

    Raises:
        TrainingError: it does not work; the message says what would.
    """
    gradients, whole = balancer.per_task_gradients, needs_whole_batches(balancer)
    for unfit, reason, way_out in (
        (
            gradients and precision.scales_loss,
            "combines gradients, which in float16 overflow now and then",
            f"take precision: bf16 or fp32, or {LOSSES}",
        ),
        (
            gradients and compiles,
            "takes a backward pass a task, and a compiled network has one for all tasks, which "
            "torch may refuse to run twice",
            f"take compile: false, or {LOSSES}",
        ),
        (
            whole and parts > 1,
            "needs whole batches, and this training adds up parts of them",
            "take accumulation_steps: 1 and a smaller batch_size, or balancer: static",
        ),
        (
            whole and processes > 1,
            "needs whole batches, and this training spreads them over processes",
            "train on one device, or take balancer: static",
        ),
    ):
        if unfit:
            raise TrainingError(
                f"balance {balancer.name!r} {reason}", where=where, next_step=way_out
            )


def needs_whole_batches(balancer: type[Balancer[Any]] | Balancer[Any]) -> bool:
    """Whether a batch's losses must be known together before any gradient is taken.

    So it is with all that does more than leave losses and gradients alone: a weight found on a
    part's losses is not the batch's, and what is remembered of a loss would be told once a part.
    """
    kind = balancer if isinstance(balancer, type) else type(balancer)
    weighs = kind.weigh is not Balancer.weigh
    return balancer.per_task_gradients or balancer.measures_again or weighs
