"""Ways of balancing the tasks that share weights, all but ``static`` and ``gradnorm`` TorchJD's.

Those that weigh losses cost next to nothing; those that combine gradients cost a backward pass
a task and a gradient a task in memory::

    search:
      balancer: [static, uw, {kind: cagrad, c: 0.2}]

Left out of what TorchJD has: ``Mean``, ``Sum`` and ``Constant``, which are static weights;
``Krum`` and ``TrimmedMean``, which guard against forged gradients and take more rows than there
are tasks; ``PCD``, which needs one task to be the main one; ``MoDo`` and ``SDMGrad``, whose
guarantees need two independent batches a step.
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
