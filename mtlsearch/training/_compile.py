"""Compilation of the forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

BACKEND = "inductor"


@contextmanager
def compiled(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the compiled module for training steps, with the weights of the network.

    Each set of tasks that a batch has labels of is compiled when
    it first occurs. The compiler is reset at the end, because torch keeps only a few variants
    of the same code, and the next network is another variant.

    Args:
        network: the network.

    Yields:
        The module to call in training steps.
    """
    torch.compiler.reset()
    try:
        yield cast("nn.Module", torch.compile(network, backend=BACKEND))
    finally:
        torch.compiler.reset()
