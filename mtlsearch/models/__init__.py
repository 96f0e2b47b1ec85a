"""Models: timm backbones cut into units, and multi-task networks that share the units.

A multi-task network is built in three steps, one sub-package each:

1. *Loading* (``loading/``) creates a timm model and loads its weights.
2. *Cutting* (``cutting/``) turns the model into an ordered list of *units*: stages, blocks, or
   merged blocks. Each unit has a known number of parameters and FLOPs.
3. *Sharing* (``sharing/``) takes a sharing plan, which groups the tasks at every unit. It
   builds one *task model* per task: an ordinary timm model. Tasks of one group have the
   same modules in that unit, and the unit runs once for all of them.

>>> from mtlsearch.models import cut_backbone
>>> from mtlsearch.plan import SharingPlan
>>> cut = cut_backbone("test_resnet", (64, 64))
>>> [unit.name for unit in cut.units]
['conv1..bn1', 'layer1', 'layer2', 'layer3', 'layer4']
>>> cut.features.levels[-1]
FeatureLevel(channels=96, stride=32)

Two tasks share the first three units of this backbone and have their own copies of the last two:

>>> plan = SharingPlan.from_splits(["boxes", "breed"], depths=[3], units=len(cut.units))
>>> backbones = cut.build_backbones(plan)
>>> sum(unit.parameters for unit in cut.units[:3]) + 2 * sum(
...     unit.parameters for unit in cut.units[3:]
... ) == sum(parameter.numel() for parameter in backbones.parameters())
True

:class:`MultiTaskNetwork` adds one head per task. Cutting works for any timm model with
``forward_intermediates``: no graph is rewritten, and no model family has code of its own.
"""

from mtlsearch.models._attention_gate import HeadWithAttention
from mtlsearch.models._cut_backbone import CutBackbone, cut_backbone
from mtlsearch.models._flops import count_flops, count_parameters, head_cost
from mtlsearch.models._latency import measure_latency
from mtlsearch.models._network import MultiTaskNetwork
from mtlsearch.models.cutting import Granularity
from mtlsearch.models.loading import list_backbones, require_backbone
from mtlsearch.models.pruning import Importance, Pruned, fit_channels, prune_network
from mtlsearch.models.sharing import (
    PrefixStore,
    Rows,
    SharedBackbones,
    StoredOutput,
    merge_states,
    module_keys,
)

__all__ = [
    "CutBackbone",
    "Granularity",
    "HeadWithAttention",
    "Importance",
    "MultiTaskNetwork",
    "PrefixStore",
    "Pruned",
    "Rows",
    "SharedBackbones",
    "StoredOutput",
    "count_flops",
    "count_parameters",
    "cut_backbone",
    "fit_channels",
    "head_cost",
    "list_backbones",
    "measure_latency",
    "merge_states",
    "module_keys",
    "prune_network",
    "require_backbone",
]
