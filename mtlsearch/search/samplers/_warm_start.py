"""The first proposal by task affinity, all others by another sampler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mtlsearch.affinity import Affinity, best_tree, plan_scores, similarity_threshold
from mtlsearch.plugin import Candidate
from mtlsearch.search.samplers._observations import Observation, measured_digests
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of

if TYPE_CHECKING:
    from mtlsearch.search.samplers._factory import Sampler


class WarmStartSampler:
    """Proposes what the tasks' affinity promises most of, once, and then asks another sampler.

    One proposal, and no more weight than that: affinity is an estimate, and a sampler that
    has been misled has lost one trial. It stands in the place of a blind draw.

    Args:
        space: what may be proposed.
        affinity: how the tasks get on in the units of the first backbone.
        sampler: proposes all others.
    """

    def __init__(self, space: CandidateSpace, affinity: Affinity, sampler: Sampler) -> None:
        self._space = space
        self._affinity = affinity
        self._sampler = sampler

    def propose(self, tried: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        first = self._candidate
        begun = any(trial.proposal.baseline is None for trial in tried)
        if begun or first is None or first.digest in measured_digests(tried):
            return self._sampler.propose(tried, seed=seed)
        return proposal_of(self._space, first)

    @cached_property
    def _candidate(self) -> Candidate | None:
        """The most promising one but for the baselines; None where none can be told."""
        level = similarity_threshold(self._affinity)
        listed = self._space.listed()
        if listed is None:
            plan = best_tree(self._affinity, level)
            return None if plan is None else self._space.with_plan(plan)
        baselines = {
            self._space.baseline_candidate(baseline).plan for baseline in ("independent", "hard")
        }
        rest = [
            candidate
            for candidate in listed
            if candidate.backbone == self._space.backbones[0] and candidate.plan not in baselines
        ]
        if not rest:
            return None
        worth = plan_scores(self._affinity, [candidate.plan for candidate in rest], level)
        return rest[int(worth.round(9).argmax())]
