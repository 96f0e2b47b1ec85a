"""``mtlsearch list backbones``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtlsearch.cli._console import Console


def list_backbones(pattern: str, console: Console) -> None:
    """Print the names of the timm backbones that a run file can use, one per line.

    Args:
        pattern: part of a name, a shell pattern, or empty for all.
        console: prints the names.

    Raises:
        ConfigError: no name matches.
    """
    from mtlsearch.errors import ConfigError, did_you_mean
    from mtlsearch.models import list_backbones as match_names

    is_pattern = not pattern or any(character in pattern for character in "*?[")
    names = match_names(pattern if is_pattern else f"*{pattern}*")
    if not names:
        raise ConfigError(
            f"no backbone name matches {pattern!r}"
            f"{did_you_mean(pattern.strip('*'), match_names())}",
            next_step="`mtlsearch list backbones` lists all names; '*' matches any text",
        )
    for name in names:
        console.print(name)
    console.debug(f"{len(names)} backbones")
