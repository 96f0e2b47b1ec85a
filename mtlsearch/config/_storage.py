"""The password of a storage URL: given with the run file or the environment, written nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

STORAGE_PASSWORD = "MTLSEARCH_STORAGE_PASSWORD"
"""The environment variable that gives a storage URL without a password one."""

HIDDEN = "***"
"""What stands in a URL in the place of its password."""

_IN_QUERY = ("password", "passwd")
"""Where drivers look for a password behind the ``?``."""


def hide_password(url: str) -> str:
    """``postgresql://me:secret@host/db`` becomes ``postgresql://me:***@host/db``.

    What is no URL, or has no password, stays as it is.
    """
    parsed = _parsed(url)
    if parsed is None or not _has_password(parsed):
        return url
    shown = _with(parsed, HIDDEN).render_as_string(hide_password=False)
    return shown.replace(quote(HIDDEN, safe=""), HIDDEN)


def without_password(url: str) -> str:
    """The URL as if no password had been given: what tells one database from another."""
    parsed = _parsed(url)
    if parsed is None:
        return url
    bare = parsed._replace(password=None).difference_update_query(_IN_QUERY)
    return bare.render_as_string()


def fill_password(url: str, password: str) -> str:
    """The URL with this password where it has a hidden one, or a user and none."""
    parsed = _parsed(url)
    if parsed is None or not (is_hidden(url) or (parsed.username and not _has_password(parsed))):
        return url
    return _with(parsed, password).render_as_string(hide_password=False)


def is_hidden(url: str) -> bool:
    """Whether the URL's password has been taken out of it."""
    parsed = _parsed(url)
    return parsed is not None and HIDDEN in (
        parsed.password,
        *(parsed.query.get(key) for key in _IN_QUERY),
    )


def _parsed(url: str) -> URL | None:
    if "@" not in url and "?" not in url:
        return None  # it can have no password, and importing SQLAlchemy takes time
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # no URL, or a port that is no number
        return None


def _has_password(url: URL) -> bool:
    return url.password is not None or any(key in url.query for key in _IN_QUERY)


def _with(url: URL, password: str) -> URL:
    """The URL with this password, in the place where it has one."""
    in_query = {key: password for key in _IN_QUERY if key in url.query}
    if in_query:
        url = url.update_query_dict(in_query)
    return url if in_query and url.password is None else url.set(password=password)
