"""Balancers that a way of training does not allow, refused before it begins."""

from __future__ import annotations

from typing import Any

from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Balancer
from mtlsearch.training._precision import Precision


def refuse_unfit(
    balancer: type[Balancer[Any]] | Balancer[Any],
    *,
    precision: Precision,
    compiles: bool = False,
    parts: int = 1,
    processes: int = 1,
) -> None:
    """Be sure that a balancer works with a number format and a way of taking steps.

    Args:
        balancer: what is to balance.
        precision: the number format.
        compiles: whether the network runs through ``torch.compile``.
        parts: in how many parts a batch is computed.
        processes: over how many processes a batch is spread.

    Raises:
        TrainingError: it does not work; the message says what would.
    """
    gradients, again = balancer.per_task_gradients, balancer.measures_again
    if gradients and precision.scales_loss:
        raise _unfit(
            balancer,
            "combines gradients, which in float16 overflow now and then",
            "take precision: bf16 or fp32",
        )
    if gradients and compiles:
        raise _unfit(
            balancer,
            "takes a backward pass a task, and a compiled network has one for all tasks, which "
            "torch may refuse to run twice",
            "take compile: false",
        )
    if (gradients or again) and parts > 1:
        raise _unfit(
            balancer,
            "needs whole batches, and this training adds up parts of them",
            "take accumulate: 1 and a smaller batch_size",
        )
    if (gradients or again) and processes > 1:
        raise _unfit(
            balancer,
            "needs whole batches, and this training spreads them over processes",
            "train on one device",
        )


def _unfit(balancer: type[Balancer[Any]] | Balancer[Any], why: str, way_out: str) -> TrainingError:
    return TrainingError(
        f"balance {balancer.name!r} {why}",
        where="search.balance",
        next_step=f"{way_out}, or a balancer that weighs losses (`mtlsearch balancers`)",
    )
