"""Torch's failures that a person can mend, told as such."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtlsearch.errors import TrainingError


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise a TrainingError where memory runs out, a norm sees one value or torch.compile fails.

    All else is passed on.

    Raises:
        TrainingError: one of these has happened.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise _out_of_memory() from error
        if _is_of_the_compiler(error):
            raise _not_compiled(error) from error
        raise
    except ValueError as error:
        if "Expected more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            "BatchNorm cannot train on a single image of this size",
            where="train.batch_size",
            next_step="take a batch size of 2 or more (with train.accumulation_steps, that of a part), "
            "or larger images",
        ) from error


@contextmanager
def require_full_batch(balancer: str | None) -> Iterator[None]:
    """Raise a TrainingError where memory runs out in a batch that may not come in parts.

    Args:
        balancer: the name of what needs whole batches; None passes all on.

    Raises:
        TrainingError: memory has run out.
    """
    try:
        yield
    except RuntimeError as error:
        if balancer is None or not is_out_of_memory(error):
            raise
        raise TrainingError(
            "the device's memory does not suffice for a batch, which balance "
            f"{balancer!r} needs whole",
            where="train.batch_size",
            next_step="take a smaller batch_size, smaller images (data.image_size) or balancer: static, "
            "with which batches may come in parts",
        ) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the GPU's memory, or the machine's, has run out."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _out_of_memory() -> TrainingError:
    return TrainingError(
        "the device's memory does not suffice for this network, not even image by image",
        where="train.batch_size",
        next_step="take smaller images (data.image_size), a smaller backbone or precision: bf16",
    )


def _is_of_the_compiler(error: RuntimeError) -> bool:
    """Whether torch.compile gave up; where it was never used, it is not loaded for this."""
    found = sys.modules.get("torch._dynamo.exc")
    return found is not None and isinstance(error, found.TorchDynamoException)


def _not_compiled(error: RuntimeError) -> TrainingError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return TrainingError(
        f"torch.compile cannot compile this network here: {' '.join(lines[:2])}",
        where="train.compile",
        allowed=["true", "false"],
        next_step="set train.compile to false; compiling takes a C++ compiler, on a GPU Triton",
    )
