"""Number formats: autocast, and the scaling that fp16 needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Precision:
    """In which format matrix products and convolutions run; weights are float32 always.

    Attributes:
        dtype: bfloat16 or float16; None is float32.
    """

    dtype: torch.dtype | None = None

    @property
    def scales_loss(self) -> bool:
        """Whether small gradients would vanish without scaling (float16 alone)."""
        return self.dtype == torch.float16

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context that the forward pass runs in."""
        return torch.autocast(device.type, dtype=self.dtype, enabled=self.dtype is not None)


def resolve_precision(name: PrecisionName, device: torch.device) -> Precision:
    """What a run file's ``precision`` means on a device.

    ``auto`` is bf16 where a CUDA device computes it, else fp32. On other devices than CUDA
    it is fp32 unless bf16 is asked for: float16 there is slower, not faster.
    """
    if name == "bf16":
        return Precision(torch.bfloat16)
    if device.type != "cuda" or name == "fp32":
        return Precision()
    if name == "fp16":
        return Precision(torch.float16)
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Precision(torch.bfloat16 if has_bf16 else None)
