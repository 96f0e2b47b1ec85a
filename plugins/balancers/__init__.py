"""Balancers of tasks that share parameters; most of them use TorchJD.

``static`` and ``gradnorm`` do not use TorchJD. Balancers of losses cost almost nothing.
Balancers of gradients cost one backward pass and the memory of one gradient per task::

    search:
      balancer: [static, uw, {kind: cagrad, c: 0.2}]

These methods of TorchJD are not included:

- ``Mean``, ``Sum`` and ``Constant`` are static weights.
- ``Krum`` and ``TrimmedMean`` protect against forged gradients and need more rows than tasks.
- ``PCD`` needs one main task.
- ``MoDo`` and ``SDMGrad`` need two independent batches per step.
"""

from ._conflicts import ConFIG, DualProj, GradDrop, GradVac, PCGrad, UPGrad
from ._directions import CRMOGM, IMTLG, MGDA, AlignedMTL, CAGrad, RandomGradients
from ._dwa import DWA
from ._fairness import ExcessMTL, FairGrad, NashMTL
from ._famo import FAMO
from ._formulas import COSMOS, GLS, PBI, RLW, STCH
from ._gradnorm import GradNorm
from ._learned import IMTLL, UW
from ._plugin import mtlsearch_balancers
from ._static import Static

__all__ = [
    "COSMOS",
    "CRMOGM",
    "DWA",
    "FAMO",
    "GLS",
    "IMTLG",
    "IMTLL",
    "MGDA",
    "PBI",
    "RLW",
    "STCH",
    "UW",
    "AlignedMTL",
    "CAGrad",
    "ConFIG",
    "DualProj",
    "ExcessMTL",
    "FairGrad",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "NashMTL",
    "PCGrad",
    "RandomGradients",
    "Static",
    "UPGrad",
    "mtlsearch_balancers",
]
