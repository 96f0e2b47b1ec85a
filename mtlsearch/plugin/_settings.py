"""Options of a plugin in a run file."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypeVar

from mtlsearch.errors import refuse_booleans


class Settings(BaseModel):
    """Base model of a plugin's options, frozen and without unknown keys; true is not a number.

    Give each field a default if a sensible one exists, and a ``Field(description=...)``:
    ``mtlsearch list tasks NAME`` and the documentation print both::

        class DepthSettings(Settings):
            channels: int = Field(64, description="channels of the decoder")
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the model; its numbers refuse booleans."""
        schema = handler(source)
        definition = cast(dict[str, Any], handler.resolve_ref_schema(schema))
        definition.update(refuse_booleans(definition, cls))
        return schema


SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings, covariant=True)
"""Type of a plugin's settings: ``class Depth(Task[DepthSettings])``."""
