"""Options of a plugin in a run file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar


class Settings(BaseModel):
    """Base of a plugin's options: typed, frozen, unknown keys refused.

    Give every field a default where there is a sane one and a ``Field(description=...)``:
    ``mtlsearch list tasks NAME`` and the documentation print them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings, covariant=True)
"""The type of a plugin's own settings: ``class Mine(Task[MySettings])``."""
