"""The ``train`` part of a run file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from mtlsearch.config._section import Section


class TrainConfig(Section):
    """How one candidate is trained; the budget every trial gets."""

    epochs: PositiveInt = Field(10, description="passes over the training split")
    batch_size: PositiveInt = Field(32, description="images a step")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="sgd has momentum 0.9")
    learning_rate: PositiveFloat = Field(1e-3, description="peak, after the warm-up")
    weight_decay: NonNegativeFloat = Field(0.05, description="none is applied to norms and biases")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="fraction of all steps with a rising rate; cosine follows"
    )
    clip_norm: PositiveFloat | None = Field(
        1.0, description="largest norm of the gradient; null: not clipped"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="autocast on a GPU; auto: bf16 where it has it, else fp32"
    )
    channels_last: bool | Literal["auto"] = Field(
        "auto",
        description="memory order of images and convolutions; auto: true on CUDA, on CPU where "
        "a batch has 65,536 pixels or more",
    )
    compile: bool = Field(
        False, description="train through torch.compile; takes minutes before it saves any"
    )
    deterministic: bool = Field(
        True,
        description="on a GPU kernels that give the same numbers twice, wherever torch has them",
    )
    accumulation_steps: PositiveInt = Field(
        1, description="parts a batch is computed in, to save memory; their gradients add up"
    )

    @model_validator(mode="after")
    def _parts_have_images(self) -> TrainConfig:
        if self.accumulation_steps > self.batch_size:
            raise PydanticCustomError(
                "accumulation_steps",
                "a batch of {images} images cannot be computed in {parts} parts",
                {
                    "key": ["train", "accumulation_steps"],
                    "images": self.batch_size,
                    "parts": self.accumulation_steps,
                },
            )
        return self
