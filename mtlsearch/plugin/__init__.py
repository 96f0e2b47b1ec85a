"""Public API for plugins: task kinds, data sources, search spaces, balancers and loggers.

A plugin is a module with hook functions. It is registered by an entry point in the group
``mtlsearch``, or found in a folder given by ``--plugins``::

    from mtlsearch.plugin import Candidate, SearchSpace, SharingPlan, hookimpl

    class Halfway(SearchSpace):
        name = "halfway"
        summary = "All tasks share the first half of the units"

        def propose(self, suggest, units, tasks):
            depth = len(units) // 2
            plan = SharingPlan.from_splits(tasks, [depth] * (len(tasks) - 1), len(units))
            return Candidate(plan)

    @hookimpl
    def mtlsearch_search_spaces():
        return [Halfway]

What to subclass:

==========================  ==========================================================
:class:`Task`               a head, a loss and metrics for one form of label
:class:`DatasetSource`      images and labels of one format
:class:`SearchSpace`        sharing plans that a search can propose
:class:`Balancer`           loss weights or gradients of tasks that share
:class:`Logger`             a log of losses and metrics by epoch
==========================  ==========================================================

Importing this package does not import torch. :mod:`mtlsearch.plugin.layers` has torch modules
for heads, and :mod:`mtlsearch.testing` has a test suite for each of the five classes.
"""

from mtlsearch.errors import DataError, TrainingError, did_you_mean
from mtlsearch.files import atomic_write, require_below_root
from mtlsearch.images import Bands, read_image
from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample
from mtlsearch.plan import (
    Branch,
    FeatureLevel,
    FeatureSpec,
    SharingPlan,
    UnitSpec,
    count_tree_plans,
    extend_plan,
    tree_plans,
)
from mtlsearch.plugin import _hooks as hooks
from mtlsearch.plugin._balancer import Balancer
from mtlsearch.plugin._batch import Batch, BoxTargets, Targets, TargetValues, to_device
from mtlsearch.plugin._box_xml import BoxXml, SizeRule, read_xml
from mtlsearch.plugin._candidate import STATIC, Candidate
from mtlsearch.plugin._class_scores import class_scores
from mtlsearch.plugin._distillation import Distillation
from mtlsearch.plugin._files import read_plane
from mtlsearch.plugin._hooks import PROJECT, hookimpl
from mtlsearch.plugin._image_paths import IMAGE_SUFFIXES, list_images
from mtlsearch.plugin._image_size import require_image_size
from mtlsearch.plugin._logger import LoggedEpoch, LoggedTrial, Logger, LogStatus
from mtlsearch.plugin._mask_values import MaskValues
from mtlsearch.plugin._metric import Metric
from mtlsearch.plugin._scorer import Scorer
from mtlsearch.plugin._settings import Settings
from mtlsearch.plugin._source import DatasetSource
from mtlsearch.plugin._space import SearchSpace, Suggest
from mtlsearch.plugin._task import Meter, Outputs, PerClassMeter, SubsetMeter, Task
from mtlsearch.plugin._text import (
    ClassNames,
    backslash_warnings,
    parse_flag,
    parse_json,
    parse_yaml,
    read_text,
    resolve_path,
)
from mtlsearch.plugin._unique import require_unique
from mtlsearch.prediction import MapPrediction, OutputSpec, Prediction

__all__ = [
    "IMAGE_SUFFIXES",
    "PROJECT",
    "STATIC",
    "Balancer",
    "Bands",
    "Batch",
    "BoxTargets",
    "BoxXml",
    "Boxes",
    "Branch",
    "Candidate",
    "ClassNames",
    "DataError",
    "DatasetSource",
    "Distillation",
    "FeatureLevel",
    "FeatureSpec",
    "Form",
    "LabelSpec",
    "LogStatus",
    "LoggedEpoch",
    "LoggedTrial",
    "Logger",
    "MapPrediction",
    "MaskValues",
    "Meter",
    "Metric",
    "OutputSpec",
    "Outputs",
    "PerClassMeter",
    "Prediction",
    "RawLabel",
    "Sample",
    "Scorer",
    "SearchSpace",
    "Settings",
    "SharingPlan",
    "SizeRule",
    "SubsetMeter",
    "Suggest",
    "TargetValues",
    "Targets",
    "Task",
    "TrainingError",
    "UnitSpec",
    "atomic_write",
    "backslash_warnings",
    "class_scores",
    "count_tree_plans",
    "did_you_mean",
    "extend_plan",
    "hookimpl",
    "hooks",
    "list_images",
    "parse_flag",
    "parse_json",
    "parse_yaml",
    "read_image",
    "read_plane",
    "read_text",
    "read_xml",
    "require_below_root",
    "require_image_size",
    "require_unique",
    "resolve_path",
    "to_device",
    "tree_plans",
]
