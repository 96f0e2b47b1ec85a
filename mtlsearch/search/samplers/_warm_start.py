"""Warm start: the first proposal comes from task affinity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from mtlsearch.affinity import Affinity, best_tree, plan_scores, similarity_threshold
from mtlsearch.plugin import Candidate
from mtlsearch.search.samplers._base import Sampler
from mtlsearch.search.samplers._observations import Observation, measured_digests
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of


class WarmStartSampler:
    """Sampler that proposes the plan with the best affinity score once, then asks another one.

    The plan replaces one random proposal. Affinity is an estimate, so a wrong estimate costs
    one trial only.

    Args:
        space: the candidate space.
        affinity: task affinity in the units of the first backbone.
        sampler: sampler of all later proposals.
    """

    def __init__(self, space: CandidateSpace, affinity: Affinity, sampler: Sampler) -> None:
        self._space = space
        self._affinity = affinity
        self.sampler = sampler

    def propose(self, observations: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        candidate = self._candidate
        has_proposals = any(observation.proposal.baseline is None for observation in observations)
        measured = measured_digests(observations)
        if candidate is None or has_proposals or candidate.digest in measured:
            return self.sampler.propose(observations, seed=seed)
        return proposal_of(self._space, candidate)

    @cached_property
    def _candidate(self) -> Candidate | None:
        """Candidate with the best score except for the baselines; None if none can be scored."""
        threshold = similarity_threshold(self._affinity)
        enumerated = self._space.enumerate()
        if enumerated is None:
            plan = best_tree(self._affinity, threshold)
            return None if plan is None else self._space.candidate_of(plan)
        baselines = {
            self._space.baseline_candidate(baseline).plan for baseline in ("independent", "hard")
        }
        candidates = [
            candidate
            for candidate in enumerated
            if candidate.backbone == self._space.backbones[0] and candidate.plan not in baselines
        ]
        if not candidates:
            return None
        plans = [candidate.plan for candidate in candidates]
        scores = plan_scores(self._affinity, plans, threshold)
        return candidates[int(scores.round(9).argmax())]
