"""Values of the run file that arguments replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtlsearch.errors import ConfigError

if TYPE_CHECKING:
    from mtlsearch.config import Override


def overrides_of(values: Mapping[str, Any] | None, **shortcuts: Any) -> list[Override]:
    """Return the overrides of the argument ``overrides`` and of arguments of shorter names.

    Args:
        values: value by key with dots, such as ``train.epochs``; None for none.
        shortcuts: values of arguments such as ``epochs``; None for absent ones. They win.

    Returns:
        The overrides, whose origin is the argument.

    Raises:
        ConfigError: a key is not a text.
    """
    from mtlsearch.config import Override, shortcut_overrides

    if invalid := [key for key in values or {} if not isinstance(key, str) or not key]:
        raise ConfigError(
            f"the keys of `overrides` must be texts, got {invalid[0]!r}",
            where="overrides",
            allowed=["keys with dots, such as 'train.epochs'"],
        )
    given = [
        Override(tuple(key.split(".")), value, f"overrides={{{key!r}: {value!r}}}")
        for key, value in (values or {}).items()
    ]
    return [*given, *shortcut_overrides(shortcuts, lambda name, value: f"{name}={value!r}")]
