"""The network's forward, compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

BACKEND = "inductor"


@contextmanager
def compiled(network: nn.Module, *, wanted: bool) -> Iterator[nn.Module]:
    """The network for training steps: compiled if ``wanted``, else itself.

    Weights stay those of ``network``. Every set of tasks that a batch has labels of is
    compiled when it first comes. What was compiled is forgotten afterwards: torch keeps few
    variants of one piece of code, and the next trial's network is another variant.
    """
    if not wanted:
        yield network
        return
    torch.compiler.reset()
    try:
        yield cast("nn.Module", torch.compile(network, backend=BACKEND))
    finally:
        torch.compiler.reset()
