"""Weights that stay."""

from __future__ import annotations

from mtlsearch.plugin import STATIC, Balancer


class Static(Balancer):
    """Each loss has a weight that stays: the run file's, or searched on the simplex.

    Equal weights are hard to beat (Kurin et al. 2022, "In Defense of the Unitary
    Scalarization for Deep Multi-Task Learning"); both baselines use them.
    """

    name = STATIC
    summary = "each loss has a weight that stays; costs nothing"
