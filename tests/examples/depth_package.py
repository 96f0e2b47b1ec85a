"""Loads the module of the example package from its folder, installed or not."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "mtlsearch-depth"
SOURCE = FOLDER / "mtlsearch_depth.py"


def load() -> ModuleType:
    spec = util.spec_from_file_location("mtlsearch_depth_from_folder", SOURCE)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(SOURCE)
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
