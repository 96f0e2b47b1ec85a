"""Type variable for the settings of a balancer, for shared base classes."""

from __future__ import annotations

from typing_extensions import TypeVar

from mtlsearch.plugin import Settings

SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings, covariant=True)
