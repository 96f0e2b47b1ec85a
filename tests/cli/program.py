"""Runs the program as a person does: another process, another directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job ignores it
from mtlsearch.cli import main; main()
"""


def run(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    prelude: str = "",
) -> subprocess.CompletedProcess[str]:
    """One command, with what it said; never a terminal."""
    clean = {key: value for key, value in os.environ.items() if key != "MTLSEARCH_DATA_ROOT"}
    return subprocess.run(
        [sys.executable, "-c", prelude + START, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **(env or {})},
        timeout=300,
        check=False,
    )
