"""Any timm backbone, cut into ordered units that tasks share or not.

>>> from mtlsearch.backbone import cut_backbone
>>> from mtlsearch.plan import SharingPlan
>>> cut = cut_backbone("test_resnet", (64, 64))
>>> [unit.name for unit in cut.units]
['conv1..bn1', 'layer1', 'layer2', 'layer3', 'layer4']
>>> cut.features.levels[-1]
FeatureLevel(channels=96, stride=32)
>>> plan = SharingPlan.from_splits(["boxes", "breed"], depths=[3], units=len(cut.units))
>>> backbones = cut.tie(plan)

A backbone is one ordinary timm model a task; a shared unit's modules are the same objects
in all of them, and run once in a forward. No graph is rewritten and no family has code of
its own.
"""

from mtlsearch.models._attention_gate import HeadWithAttention
from mtlsearch.models._cut_backbone import CutBackbone, cut_backbone
from mtlsearch.models._flops import count_flops, count_parameters, head_cost
from mtlsearch.models._latency import measure_latency
from mtlsearch.models._network import MultiTaskNetwork
from mtlsearch.models.cutting import Granularity, dry_run, dtype_of, to_meta
from mtlsearch.models.loading import list_backbones, require_backbone
from mtlsearch.models.sharing import SharedBackbones, module_keys

__all__ = [
    "CutBackbone",
    "Granularity",
    "HeadWithAttention",
    "MultiTaskNetwork",
    "SharedBackbones",
    "count_flops",
    "count_parameters",
    "cut_backbone",
    "dry_run",
    "dtype_of",
    "head_cost",
    "list_backbones",
    "measure_latency",
    "module_keys",
    "require_backbone",
    "to_meta",
]
