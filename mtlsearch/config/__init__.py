"""Run files: YAML with a typed schema, validated and saved in the run directory.

::

    from mtlsearch.config import load_run, save_resolved

    loaded = load_run("run.yaml", ["train.epochs=3"])
    loaded.config.train.epochs      # 3
    loaded.where("train", "epochs")  # "--set train.epochs=3 (train.epochs)"
    save_resolved(loaded.config, Path("results/first/run.yaml"))

Problems of a run file raise one :class:`~mtlsearch.errors.ConfigError`. It lists every problem
with its line, the allowed values and the closest valid name.
"""

from mtlsearch.config._backbone import BackboneConfig
from mtlsearch.config._data import AugmentConfig, DataConfig, SourceEntry
from mtlsearch.config._diff import describe_difference, difference
from mtlsearch.config._early_stopping import EarlyStoppingConfig
from mtlsearch.config._errors import ConfigErrors
from mtlsearch.config._extends import ExtendsConfig, KeptImages
from mtlsearch.config._limits import Limit, LimitsConfig, parse_limit
from mtlsearch.config._load import DATA_ROOT, LoadedRun, load_run
from mtlsearch.config._locations import SourceLocations
from mtlsearch.config._override import Override, shortcut_overrides
from mtlsearch.config._reference import (
    KeyReference,
    key_references,
    run_file_reference,
    settings_reference,
)
from mtlsearch.config._run import RunConfig
from mtlsearch.config._save import is_resolved, save_resolved
from mtlsearch.config._search import (
    SAMPLER_NAMES,
    BalancerEntry,
    DistillationEntry,
    SamplerName,
    SearchConfig,
    SpaceEntry,
)
from mtlsearch.config._storage import (
    STORAGE_PASSWORD,
    fill_password,
    hide_password,
    is_hidden,
    password_of,
)
from mtlsearch.config._task_entry import TaskEntry
from mtlsearch.config._template import Part, run_template
from mtlsearch.config._train import TrainConfig

__all__ = [
    "DATA_ROOT",
    "SAMPLER_NAMES",
    "STORAGE_PASSWORD",
    "AugmentConfig",
    "BackboneConfig",
    "BalancerEntry",
    "ConfigErrors",
    "DataConfig",
    "DistillationEntry",
    "EarlyStoppingConfig",
    "ExtendsConfig",
    "KeptImages",
    "KeyReference",
    "Limit",
    "LimitsConfig",
    "LoadedRun",
    "Override",
    "Part",
    "RunConfig",
    "SamplerName",
    "SearchConfig",
    "SourceEntry",
    "SourceLocations",
    "SpaceEntry",
    "TaskEntry",
    "TrainConfig",
    "describe_difference",
    "difference",
    "fill_password",
    "hide_password",
    "is_hidden",
    "is_resolved",
    "key_references",
    "load_run",
    "parse_limit",
    "password_of",
    "run_file_reference",
    "run_template",
    "save_resolved",
    "settings_reference",
    "shortcut_overrides",
]
