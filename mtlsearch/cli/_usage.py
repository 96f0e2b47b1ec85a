"""Errors of the command line itself: options, arguments and their values."""

from __future__ import annotations

import re
from typing import Any

import typer

from mtlsearch.cli._table import COMMANDS
from mtlsearch.errors import ConfigError, did_you_mean, requirement

_CHOICE = re.compile(r"is not one of (.*)")
_EXTRA = re.compile(r"unexpected extra argument\(s\) \((.*)\)")


def usage_error(error: typer.TyperException) -> ConfigError:
    """Return the error of a wrong command line in the words of this program.

    Args:
        error: error of Typer's parser.

    Returns:
        The error, with the command, the allowed values and the call that shows the help.
    """
    ctx = getattr(error, "ctx", None)
    command = "mtlsearch" if ctx is None else ctx.command_path
    what, allowed = _describe(error, ctx)
    return ConfigError(
        what,
        where=command,
        allowed=allowed,
        next_step=f"`{command} --help` shows the arguments and options",
    )


def _describe(error: Any, ctx: Any) -> tuple[str, list[str]]:
    """Return the message and the allowed values."""
    param = getattr(error, "param", None)
    if hasattr(error, "param_type") and param is not None:
        return f"{_label(param)} is missing{_help(param)}", []
    if param is not None:
        return _describe_value(error, param)
    if hasattr(error, "possibilities"):
        options = [] if ctx is None else _option_names(ctx)
        name = error.option_name
        return f"unknown option {name!r}{did_you_mean(name, options)}", options
    if hasattr(error, "option_name"):
        takes_value = "does not take" not in error.message
        return f"`{error.option_name}` {'needs a' if takes_value else 'takes no'} value", []
    if extra := _EXTRA.search(error.message):
        return f"unexpected argument {extra[1]!r}", []
    if error.message == "Missing command.":
        return "the command is missing", [command.name for command in COMMANDS]
    return error.format_message().rstrip("."), []


def _describe_value(error: Any, param: Any) -> tuple[str, list[str]]:
    problems = getattr(error.__cause__, "errors", None)
    if problems is None:
        return f"{_label(param)} is invalid: {error.message.rstrip('.')}", []
    problem = problems(include_url=False)[0]
    value = problem["input"]
    if choice := _CHOICE.search(problem["msg"]):
        allowed = re.findall(r"'([^']*)'", choice[1])
        hint = did_you_mean(str(value), allowed)
        return f"{_label(param)} must be one of the allowed values, got {value!r}{hint}", allowed
    return f"{_label(param)} {requirement(problem)}, got {value!r}", []


def _label(param: Any) -> str:
    """Return the name of an option as the user types it, or of an argument as in the help."""
    if param.param_type_name == "argument":
        return f"the argument {(param.metavar or param.name).strip('.')}"
    return f"`{max(param.opts, key=len)}`"


def _help(param: Any) -> str:
    text = (param.help or "").rstrip(".")
    return f" ({text[:1].lower()}{text[1:]})" if text else ""


def _option_names(ctx: Any) -> list[str]:
    """Return the long options of a command."""
    names = (name for param in ctx.command.get_params(ctx) for name in param.opts)
    return sorted(dict.fromkeys(name for name in names if name.startswith("--")))
