"""Registration of the balancers."""

from __future__ import annotations

from typing import Any

from mtlsearch.plugin import Balancer, hookimpl

from ._conflicts import ConFIG, DualProj, GradDrop, GradVac, PCGrad, UPGrad
from ._directions import CRMOGM, IMTLG, MGDA, AlignedMTL, CAGrad, RandomGradients
from ._dwa import DWA
from ._fairness import ExcessMTL, FairGrad, NashMTL
from ._famo import FAMO
from ._formulas import COSMOS, GLS, PBI, RLW, STCH
from ._gradnorm import GradNorm
from ._learned import IMTLL, UW
from ._static import Static


@hookimpl
def mtlsearch_balancers() -> list[type[Balancer[Any]]]:
    """Register fixed weights, balancers of losses and balancers of gradients."""
    losses: list[type[Balancer[Any]]] = [COSMOS, DWA, FAMO, GLS, IMTLL, PBI, RLW, STCH, UW]
    conflicts: list[type[Balancer[Any]]] = [ConFIG, DualProj, GradDrop, GradVac, PCGrad, UPGrad]
    directions: list[type[Balancer[Any]]] = [AlignedMTL, CAGrad, CRMOGM, IMTLG, MGDA]
    fairness: list[type[Balancer[Any]]] = [ExcessMTL, FairGrad, NashMTL]
    return [Static, *losses, *conflicts, *directions, RandomGradients, *fairness, GradNorm]
