"""Errors in terms of Python: arguments in place of the options of commands."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mtlsearch.errors import MtlsearchError

P = ParamSpec("P")
T = TypeVar("T")

_OPTION = re.compile(r"`(?P<code>[^`]*)`|(?<![\w/.-])--(?P<option>[a-z][a-z-]*)(?![\w/])")
_QUOTED_OPTION = re.compile(r"--(?P<option>[a-z][a-z-]*)(?:[ =](?P<value>[^ ]+))?")


def in_python_terms(function: Callable[P, T]) -> Callable[P, T]:
    """Wrap a function: its errors name arguments, not options such as ``--out``.

    Args:
        function: function of the Python API.

    Returns:
        A function of the same signature.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except MtlsearchError as error:
            error.what = replace_options(error.what)
            error.where = None if error.where is None else replace_options(error.where)
            error.next_step = None if error.next_step is None else replace_options(error.next_step)
            raise

    return run


def replace_options(text: str) -> str:
    """Return a message with arguments in place of options; whole commands stay.

    >>> replace_options("set --out to another folder, or run `mtlsearch search A --out B`")
    'set `out` to another folder, or run `mtlsearch search A --out B`'

    Args:
        text: the message.

    Returns:
        The message in terms of Python.
    """
    return _OPTION.sub(_replace, text)


def _replace(match: re.Match[str]) -> str:
    if match["option"]:
        return f"`{_argument(match['option'])}`"
    quoted = _QUOTED_OPTION.fullmatch(match["code"])
    if quoted is None:
        return match[0]
    name = _argument(quoted["option"])
    return f"`{name}`" if quoted["value"] is None else f"`{name}={quoted['value']!r}`"


def _argument(option: str) -> str:
    return option.replace("-", "_")
