"""Options of a plugin in a run file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar


class Settings(BaseModel):
    """Base model of a plugin's options, frozen and without unknown keys.

    Give each field a default if a sensible one exists, and a ``Field(description=...)``:
    ``mtlsearch list tasks NAME`` and the documentation print both::

        class DepthSettings(Settings):
            channels: int = Field(64, description="channels of the decoder")
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings, covariant=True)
"""Type of a plugin's settings: ``class Depth(Task[DepthSettings])``."""
