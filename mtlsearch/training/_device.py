"""Names of devices, resolved."""

from __future__ import annotations

import torch

from mtlsearch.errors import TrainingError


def resolve_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        TrainingError: no such device, or this machine has none of that kind.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _no_device(name, "there is no such kind of device") from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        return _cuda(name, device)
    if device.type == "mps" and torch.backends.mps.is_available():
        return device
    raise _no_device(name, f"this machine, or this build of torch, has no {device.type} device")


def _cuda(name: str, device: torch.device) -> torch.device:
    if not torch.cuda.is_available():
        raise _no_device(name, "this machine, or this build of torch, has no CUDA device")
    if device.index is not None and device.index >= torch.cuda.device_count():
        raise _no_device(name, f"there are {torch.cuda.device_count()} CUDA devices, from cuda:0")
    return device


def _no_device(name: str, reason: str) -> TrainingError:
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return TrainingError(
        f"cannot train on {name!r}: {reason}",
        where="--device",
        allowed=["auto", "cpu", *found],
        next_step="`--device auto` takes the best there is",
    )
