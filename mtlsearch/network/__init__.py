"""The network of a sharing plan, and what it costs.

>>> import torch
>>> from torch import nn
>>> from mtlsearch.backbone import cut_backbone
>>> from mtlsearch.network import MultiTaskNetwork
>>> from mtlsearch.plan import SharingPlan
>>> class Mean(nn.Module):
...     def forward(self, levels):
...         return {"mean": levels[-1].mean((2, 3))}
>>> cut = cut_backbone("test_resnet", (64, 64))
>>> plan = SharingPlan.from_splits(["boxes", "breed"], depths=[3], units=len(cut.units))
>>> network = MultiTaskNetwork(cut, plan, {"boxes": Mean(), "breed": Mean()})
>>> outputs = network(torch.zeros(2, 3, 64, 64))
>>> outputs["breed"]["mean"].shape
torch.Size([2, 96])
"""

from mtlsearch.network._flops import count_flops, count_parameters, head_cost
from mtlsearch.network._gate import GatedHead
from mtlsearch.network._latency import measure_latency
from mtlsearch.network._network import MultiTaskNetwork

__all__ = [
    "GatedHead",
    "MultiTaskNetwork",
    "count_flops",
    "count_parameters",
    "head_cost",
    "measure_latency",
]
