"""The type of a balancer's settings, for bases that several balancers have."""

from __future__ import annotations

from typing_extensions import TypeVar

from mtlsearch.plugin import Settings

SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings, covariant=True)
