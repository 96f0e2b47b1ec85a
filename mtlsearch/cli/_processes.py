"""Processes started by torchrun, one device each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from mtlsearch.cli._context import pick_device

if TYPE_CHECKING:
    import torch

    from mtlsearch.training import ProcessGroup

TIMEOUT = timedelta(days=1)
"""Time that a process waits for the others; torchrun itself detects a dead process."""


@contextmanager
def join_processes(device: str) -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Join the process group of torchrun; without torchrun, the group has one process.

    Args:
        device: name of the device, see :func:`pick_device`. With torchrun and ``cuda``, each
            process uses the GPU of its local rank.

    Yields:
        The process group and the device of this process.

    Raises:
        ConfigError: the device is not available.
    """
    from mtlsearch.training import joined_process_group

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield joined_process_group(), pick_device(device)
        return

    import torch
    from torch import distributed

    chosen = pick_device(device)
    if chosen.type == "cuda":
        chosen = pick_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(chosen)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=TIMEOUT
    )
    try:
        yield joined_process_group(), chosen
    finally:
        distributed.destroy_process_group()
