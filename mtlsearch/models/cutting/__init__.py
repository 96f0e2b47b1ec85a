"""Cutting: a timm backbone as an ordered list of units.

The backbone itself does not change: no graph is rewritten, and no model family needs code of
its own. Cutting only decides which modules and parameters belong to which unit. It has five
steps, one file each:

1. *Trace* (``_trace.py``): a dry run on the meta device records which modules run when, their
   FLOPs, and when each parameter is first used.
2. *Prune* (``_prune.py``): remove modules and parameters that the feature levels do not need,
   such as the classifier.
3. *Cut points* (``_cut_points.py``): choose the modules between which the backbone is cut, by
   timm's parameter groups or by the shape of the module tree.
4. *Units* (``_grouping.py``, ``_units.py``): group the cut points by stage or by block, and
   assign every parameter to exactly one unit.
5. *Describe* (``_skippable.py``, ``_unit_specs.py``): find the units that a task can skip, and
   describe each unit by name, output, parameters and FLOPs.

>>> import timm
>>> from mtlsearch.models.cutting import compute_levels, find_unit_modules, prune, trace_model
>>> model = timm.create_model("test_resnet", num_classes=0)
>>> trace = trace_model(model, (64, 64), compute_levels)
>>> prune(model, trace)
>>> units = find_unit_modules(model, trace, "stage")
>>> [unit.modules[0] for unit in units]
['conv1', 'layer1', 'layer2', 'layer3', 'layer4']
>>> units[1].parameters[0]
'layer1.0.conv1.weight'
"""

from mtlsearch.models.cutting._dry_run import dry_run, dtype_of, to_meta
from mtlsearch.models.cutting._levels import (
    check_levels,
    choose_out_indices,
    compute_levels,
    feature_spec,
    level_strides,
)
from mtlsearch.models.cutting._prune import prune, unused_weights
from mtlsearch.models.cutting._skippable import SkipUnit, find_skippable
from mtlsearch.models.cutting._trace import Call, Trace, trace_model
from mtlsearch.models.cutting._unit_specs import describe_units
from mtlsearch.models.cutting._units import Granularity, UnitModules, find_unit_modules

__all__ = [
    "Call",
    "Granularity",
    "SkipUnit",
    "Trace",
    "UnitModules",
    "check_levels",
    "choose_out_indices",
    "compute_levels",
    "describe_units",
    "dry_run",
    "dtype_of",
    "feature_spec",
    "find_skippable",
    "find_unit_modules",
    "level_strides",
    "prune",
    "to_meta",
    "trace_model",
    "unused_weights",
]
