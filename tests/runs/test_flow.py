"""How often a search passes its run file on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch._dynamo

import mtlsearch
from mtlsearch.config import LoadedRun, RunConfig, load_run
from mtlsearch.registry import ResolvedRun, build_registry
from mtlsearch.runs import run_search
from mtlsearch.search import NullProgress
from tests.cli.conftest import RUN_FILE

MAX_PASSES = 25
HOST = str(Path(mtlsearch.__file__).parent)


@contextmanager
def counting_passes() -> Iterator[Counter[str]]:
    """Count calls of host functions whose arguments contain the run file."""
    passes: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(HOST):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        arguments = [frame.f_locals.get(name) for name in names if name != "self"]
        if any(isinstance(value, LoadedRun | ResolvedRun | RunConfig) for value in arguments):
            passes[code.co_qualname] += 1

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        yield passes
    finally:
        sys.settrace(previous)


def test_run_search_passes_run_file_at_most_25_times(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE.replace("trials: 4", "trials: 1"))
    with counting_passes() as passes:
        resolved = build_registry().resolve(load_run(file))
        device = torch.device("cpu")
        run_search(resolved, tmp_path / "run", device=device, progress=NullProgress())
    assert passes["run_search"] == 1
    assert passes.total() <= MAX_PASSES, passes
