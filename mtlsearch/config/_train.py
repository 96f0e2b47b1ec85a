"""Section ``train`` of a run file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mtlsearch.config._section import OpenSection, Section


class LoggerEntry(OpenSection):
    """A logger. All other keys are settings of the logger."""

    kind: str = Field(description="name of the logger; see `mtlsearch list loggers`")


class TrainConfig(Section):
    """The training of one candidate, the same for every trial."""

    epochs: PositiveInt = Field(10, description="passes over the training split")
    batch_size: PositiveInt = Field(32, description="images per optimizer step")
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="adamw, or sgd with momentum 0.9"
    )
    learning_rate: PositiveFloat = Field(1e-3, description="peak learning rate, after the warm-up")
    backbone_lr_factor: PositiveFloat = Field(
        1.0,
        description="factor of the learning rate for the units of the backbone; heads have the "
        "full rate",
    )
    freeze: NonNegativeInt = Field(
        0,
        description="number of units, counted from the image, whose weights and statistics do "
        "not change",
    )
    ema: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="decay per step of an exponential moving average of the weights, such as "
        "0.99, which is validated and kept; null: the weights of the last step",
    )
    weight_decay: NonNegativeFloat = Field(
        0.05, description="weight decay; not applied to norms and biases"
    )
    warmup: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="fraction of all steps with a rising learning rate; cosine decay follows",
    )
    clip_norm: PositiveFloat | None = Field(
        1.0, description="maximum norm of the gradient; null: no clipping"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="autocast precision on a GPU; auto: bf16 if supported, else fp32"
    )
    channels_last: bool | Literal["auto"] = Field(
        "auto",
        description="channels-last memory format; auto: on CUDA, and on a CPU if a batch has at "
        "least 65,536 pixels",
    )
    compile: bool = Field(
        False, description="train with torch.compile; compilation takes minutes first"
    )
    deterministic: bool = Field(
        True, description="use deterministic GPU kernels where torch provides them"
    )
    accumulation_steps: PositiveInt = Field(
        1, description="micro batches per batch, to save memory; their gradients are summed"
    )
    cache_prefix: PositiveInt | None = Field(
        None,
        description="of an extension: number of augmented versions of each training image whose "
        "frozen activations are kept on disk; null: computed in every epoch",
    )
    cache_limit: PositiveFloat = Field(
        8.0, description="largest size of these activations in GB; beyond it they are computed"
    )

    log: tuple[str | LoggerEntry, ...] = Field(
        ("csv",),
        description="logs of losses, metrics and learning rates by epoch, such as [csv, "
        "tensorboard, mlflow]; curves of the page need csv",
    )

    @property
    def loggers(self) -> tuple[LoggerEntry, ...]:
        """The loggers, each with its settings."""
        return tuple(LoggerEntry(kind=item) if isinstance(item, str) else item for item in self.log)

    @field_validator("log", mode="before")
    @classmethod
    def _logger_as_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | dict) else value

    @field_validator("log")
    @classmethod
    def _check_loggers(cls, value: tuple[str | LoggerEntry, ...]) -> Any:
        names = [item if isinstance(item, str) else item.kind for item in value]
        if duplicate := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"`log` contains {duplicate!r} twice; remove one of them")
        return value

    @model_validator(mode="after")
    def _check_accumulation_steps(self) -> TrainConfig:
        if self.accumulation_steps > self.batch_size:
            raise PydanticCustomError(
                "accumulation_steps",
                "`train.accumulation_steps` must be at most `train.batch_size` ({images}), got "
                "{parts}",
                {
                    "key": ["train", "accumulation_steps"],
                    "images": self.batch_size,
                    "parts": self.accumulation_steps,
                },
            )
        return self
