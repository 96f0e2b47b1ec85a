"""Calls of the program: in the process of the test, and in a new process.

Both return the same type and see the same environment. ``call`` is faster, because torch is
imported already; ``run`` is for what needs a process, such as signals and imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import pytest

from mtlsearch.cli import main

ENVIRONMENT = {"COLUMNS": "100"}
"""Variables that both kinds of calls add to those of the tests."""

START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
from mtlsearch.cli import main; main()
"""


def call(*arguments: str | Path) -> CompletedProcess[str]:
    """Run a command in this process; the streams are not terminals."""
    texts = [str(argument) for argument in arguments]
    stdout, stderr = StringIO(), StringIO()
    with (
        patch.dict(os.environ, ENVIRONMENT),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        pytest.raises(SystemExit) as ended,
    ):
        main(texts)
    return CompletedProcess(texts, int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())


def run(
    *arguments: str | Path, cwd: Path | None = None, prelude: str = ""
) -> CompletedProcess[str]:
    """Run a command in a new process; the streams are not terminals.

    Args:
        arguments: arguments of the program.
        cwd: working directory.
        prelude: Python code that runs before the program.

    Returns:
        The exit code and the output.
    """
    return run_python(["-c", prelude + START, *map(str, arguments)], cwd=cwd)


def run_python(arguments: list[str], *, cwd: Path | None = None) -> CompletedProcess[str]:
    """Run Python with arguments in a new process."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT},
        timeout=300,
        check=False,
    )
