"""Candidate space: what a search can propose, and within which limits.

>>> from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
>>> from mtlsearch.config import LimitsConfig
>>> from mtlsearch.search.evaluators import FunctionEvaluator
>>> from mtlsearch.search.space import build_candidate_space
>>> evaluator = FunctionEvaluator(lambda candidate: {"depth": 1, "scene": 1}, ["depth", "scene"], 4)
>>> space = build_candidate_space(
...     TreeSpace(TreeSettings()), evaluator, limits=LimitsConfig(params="1.5x")
... )
>>> space.size
5
>>> [str(candidate.plan) for candidate in space.enumerate()]
['hard', 'depth | scene @3', 'depth | scene @2']
"""

from mtlsearch.search.space._candidate_space import (
    CandidateSpace,
    Proposal,
    proposal_of,
    propose_baseline,
)
from mtlsearch.search.space._factory import build_candidate_space
from mtlsearch.search.space._limits import ResourceLimits

__all__ = [
    "CandidateSpace",
    "Proposal",
    "ResourceLimits",
    "build_candidate_space",
    "proposal_of",
    "propose_baseline",
]
