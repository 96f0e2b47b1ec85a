"""Base classes of run file sections."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from mtlsearch.errors import refuse_booleans


class _StrictModel(BaseModel):
    """A frozen model; true is not a number."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the model; its numbers refuse booleans."""
        schema = handler(source)
        definition = cast(dict[str, Any], handler.resolve_ref_schema(schema))
        definition.update(refuse_booleans(definition, cls))
        return schema


class Section(_StrictModel):
    """A section of a run file: typed, frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class OpenSection(_StrictModel):
    """A section with further keys, which the plugin validates."""

    model_config = ConfigDict(extra="allow")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the plugin, not validated."""
        return dict(self.model_extra or {})
