"""Run files: typed, checked once, saved with the run."""

from mtlsearch.config._backbone import BackboneConfig
from mtlsearch.config._data import AugmentConfig, DataConfig, SourceEntry
from mtlsearch.config._run import RunConfig, TaskEntry
from mtlsearch.config._search import SearchConfig, SpaceEntry
from mtlsearch.config._train import TrainConfig

__all__ = [
    "AugmentConfig",
    "BackboneConfig",
    "DataConfig",
    "RunConfig",
    "SearchConfig",
    "SourceEntry",
    "SpaceEntry",
    "TaskEntry",
    "TrainConfig",
]
