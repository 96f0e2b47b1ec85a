"""The space package."""

from mtlsearch.search.space._candidate_space import CandidateSpace
from mtlsearch.search.space._feasibility import check_feasible
from mtlsearch.search.space._limits import ResourceLimits, add_limits
from mtlsearch.search.space._optional_components import check_distillation_backbones
from mtlsearch.search.space._proposal import Proposal, proposal_of, propose_baseline

__all__ = [
    "CandidateSpace",
    "Proposal",
    "ResourceLimits",
    "add_limits",
    "check_distillation_backbones",
    "check_feasible",
    "proposal_of",
    "propose_baseline",
]
