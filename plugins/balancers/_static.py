"""Fixed loss weights."""

from __future__ import annotations

from mtlsearch.plugin import STATIC, Balancer


class Static(Balancer):
    """Fixed weight per loss: from the run file, or searched on the simplex.

    Equal weights are a strong baseline (Kurin et al. 2022, "In Defense of the Unitary
    Scalarization for Deep Multi-Task Learning"). The baselines ``independent`` and ``hard`` use
    fixed weights.
    """

    name = STATIC
    summary = "fixed weight per loss; no additional cost"
