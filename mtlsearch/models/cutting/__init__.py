"""The cutting package."""

from mtlsearch.models.cutting._levels import (
    check_levels,
    choose_out_indices,
    feature_spec,
    level_strides,
    run_levels,
)
from mtlsearch.models.cutting._prune import prune, unused_weights
from mtlsearch.models.cutting._skippable import SkipUnit, find_skippable
from mtlsearch.models.cutting._trace import dry_run, dtype_of, to_meta, trace
from mtlsearch.models.cutting._unit_specs import describe
from mtlsearch.models.cutting._units import Granularity, UnitModules, find_unit_modules

__all__ = [
    "Granularity",
    "SkipUnit",
    "UnitModules",
    "check_levels",
    "choose_out_indices",
    "describe",
    "dry_run",
    "dtype_of",
    "feature_spec",
    "find_skippable",
    "find_unit_modules",
    "level_strides",
    "prune",
    "run_levels",
    "to_meta",
    "trace",
    "unused_weights",
]
