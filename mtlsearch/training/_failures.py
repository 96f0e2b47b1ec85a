"""Torch's failures that a person can mend, told as such."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtlsearch.errors import TrainingError


@contextmanager
def explained() -> Iterator[None]:
    """Raise a TrainingError where memory runs out or a norm sees one value; pass on the rest.

    Raises:
        TrainingError: one of these has happened.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _out_of_memory("the GPU's memory") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise _out_of_memory("the machine's memory") from error
    except ValueError as error:
        if "Expected more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            "BatchNorm cannot train on a single image of this size",
            where="train.batch_size",
            next_step="take a batch size of 2 or more, or larger images",
        ) from error


def _out_of_memory(what: str) -> TrainingError:
    return TrainingError(
        f"{what} does not suffice for this network",
        where="train.batch_size",
        next_step="take a smaller batch_size, smaller images (data.size) or precision: bf16",
    )
