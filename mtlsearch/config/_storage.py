"""Password of a storage URL: read from the run file or the environment, never written."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

STORAGE_PASSWORD = "MTLSEARCH_STORAGE_PASSWORD"
"""Environment variable with the password for a storage URL without one."""

HIDDEN = "***"
"""Replacement of a password in a URL."""

_PASSWORD_PARAMETERS = ("password", "passwd")
"""Query parameters that drivers read a password from."""


def hide_password(url: str) -> str:
    """Replace the password of a URL: ``postgresql://me:***@host/db``.

    Args:
        url: an Optuna storage URL.

    Returns:
        The URL with ``***``; the input itself if it has no password or is not a URL.
    """
    parsed = _parse(url)
    if parsed is None or not _has_password(parsed):
        return url
    shown = _replace_password(parsed, HIDDEN).render_as_string(hide_password=False)
    return shown.replace(quote(HIDDEN, safe=""), HIDDEN)


def without_password(url: str) -> str:
    """Return the URL without its password; it identifies the database."""
    parsed = _parse(url)
    if parsed is None:
        return url
    bare = parsed._replace(password=None).difference_update_query(_PASSWORD_PARAMETERS)
    return bare.render_as_string()


def fill_password(url: str, password: str) -> str:
    """Set the password of a URL that has a hidden one, or a user and no password.

    Args:
        url: an Optuna storage URL.
        password: the password; empty for an unchanged URL.

    Returns:
        The URL with the password.
    """
    if not password:
        return url
    parsed = _parse(url)
    if parsed is None or not (is_hidden(url) or (parsed.username and not _has_password(parsed))):
        return url
    return _replace_password(parsed, password).render_as_string(hide_password=False)


def password_of(url: str) -> str | None:
    """Return the password of a URL.

    Args:
        url: an Optuna storage URL.

    Returns:
        The password; None if the URL has none or hides it.
    """
    parsed = _parse(url)
    if parsed is None or is_hidden(url):
        return None
    in_query = (parsed.query.get(key) for key in _PASSWORD_PARAMETERS)
    values = (parsed.password, *in_query)
    return next((value for value in values if isinstance(value, str) and value), None)


def is_hidden(url: str) -> bool:
    """Return whether the password of a URL is hidden.

    Args:
        url: an Optuna storage URL.

    Returns:
        True if ``***`` replaces the password.
    """
    parsed = _parse(url)
    return parsed is not None and HIDDEN in (
        parsed.password,
        *(parsed.query.get(key) for key in _PASSWORD_PARAMETERS),
    )


def _parse(url: str) -> URL | None:
    if "@" not in url and "?" not in url:
        return None  # no password possible; skip the slow import of SQLAlchemy
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # not a URL, or the port is not a number
        return None


def _has_password(url: URL) -> bool:
    return url.password is not None or any(key in url.query for key in _PASSWORD_PARAMETERS)


def _replace_password(url: URL, password: str) -> URL:
    """Return the URL with a password, at the position of the current one."""
    in_query = {key: password for key in _PASSWORD_PARAMETERS if key in url.query}
    if in_query:
        url = url.update_query_dict(in_query)
    return url if in_query and url.password is None else url.set(password=password)
