"""The space package."""

from mtlsearch.search.space._candidate_space import CandidateSpace
from mtlsearch.search.space._feasibility import require_room
from mtlsearch.search.space._limits import Budget, with_budget
from mtlsearch.search.space._optional_components import refuse_unfit_knowledge
from mtlsearch.search.space._proposal import Proposal, proposal_of, propose_baseline

__all__ = [
    "Budget",
    "CandidateSpace",
    "Proposal",
    "proposal_of",
    "propose_baseline",
    "refuse_unfit_knowledge",
    "require_room",
    "with_budget",
]
