"""The cutting package."""

from mtlsearch.models.cutting._levels import (
    check_levels,
    choose_taps,
    feature_spec,
    level_strides,
    run_levels,
)
from mtlsearch.models.cutting._prune import prune, unused_weights
from mtlsearch.models.cutting._skippable import PassBy, find_skippable
from mtlsearch.models.cutting._trace import dry_run, dtype_of, ghost, trace
from mtlsearch.models.cutting._unit_specs import describe
from mtlsearch.models.cutting._units import Granularity, Piece, find_pieces

__all__ = [
    "Granularity",
    "PassBy",
    "Piece",
    "check_levels",
    "choose_taps",
    "describe",
    "dry_run",
    "dtype_of",
    "feature_spec",
    "find_pieces",
    "find_skippable",
    "ghost",
    "level_strides",
    "prune",
    "run_levels",
    "trace",
    "unused_weights",
]
