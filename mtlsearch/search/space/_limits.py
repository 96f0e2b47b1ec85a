"""Limits of parameters, FLOPs and latency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mtlsearch.config import Limit
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import Baseline, Latency, TrialRecord

Network = tuple[SharingPlan, str | None, bool]
"""What the cost of a candidate depends on: plan, backbone and attention."""

SLACK = 1.0 + 1e-9
"""Relative tolerance of a limit, so that rounding does not exclude ``hard`` from ``1.0 hard``."""


def format_key(*keys: str | int) -> str:
    """Return the dotted path of a key of the run file, such as ``"limits.params"``."""
    return ".".join(map(str, keys))


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Limits of a candidate space.

    Parameters and FLOPs are computed. The latency is measured before a trial, if it is limited
    or an objective.

    Attributes:
        cost: computes parameters and FLOPs of a candidate.
        num_tasks: number of tasks.
        baselines: candidates that limits may be relative to, by name.
        params: maximum number of parameters; None for no limit.
        flops: maximum number of FLOPs per image; None for no limit.
        latency_ms: limit of the latency of one image; None for no limit.
        measure_latency: measures the latency of a candidate's network, without training it.
        where: returns the place of a key in the run file, for messages.
        always_measure: whether latencies are measured even if they are not limited.
    """

    cost: Callable[[Candidate], Cost]
    num_tasks: int
    baselines: Mapping[Baseline, Candidate]
    params: float | None = None
    flops: float | None = None
    latency_ms: Limit | None = None
    measure_latency: Callable[[Candidate], Latency] | None = None
    where: Callable[..., str] = format_key
    always_measure: bool = False
    _costs: dict[Network, Cost] = field(default_factory=dict)
    _latencies: dict[Network, Latency] = field(default_factory=dict)

    def allows(self, candidate: Candidate) -> bool:
        """Return whether all known costs of a candidate are within the limits.

        Args:
            candidate: the candidate.

        Returns:
            True if it can be proposed. A latency that is not measured yet is not considered.
        """
        if self.over_cost(self.cost_of(candidate)):
            return False
        latency = self._latencies.get(_network_of(candidate))
        return latency is None or not self._over_latency(latency)

    def check(self, candidate: Candidate) -> tuple[Latency | None, str]:
        """Compare a candidate with all limits; measure its latency if necessary.

        Args:
            candidate: the candidate.

        Returns:
            Its latency, None if it is not needed or the candidate is too large, and the
            exceeded limits as text, empty if there are none.
        """
        over_limits = self.over_cost(self.cost_of(candidate))
        is_baseline = any(candidate.plan == other.plan for other in self.baselines.values())
        is_needed = self.always_measure or self.latency_ms is not None
        if not is_needed or self.measure_latency is None or (over_limits and not is_baseline):
            return None, over_limits
        latency = self._latency_of(candidate)
        texts = (over_limits, self._over_latency(latency))
        return latency, ", ".join(text for text in texts if text)

    def cost_of(self, candidate: Candidate) -> Cost:
        """Return parameters and FLOPs, computed once per network.

        Args:
            candidate: the candidate.

        Returns:
            The cost, heads included.
        """
        network = _network_of(candidate)
        if network not in self._costs:
            self._costs[network] = self.cost(candidate)
        return self._costs[network]

    def over_cost(self, cost: Cost) -> str:
        """Return the limits that parameters and FLOPs exceed.

        Args:
            cost: cost of a network.

        Returns:
            Text such as ``"params 12 M > 10 M"``; empty if none is exceeded.
        """
        sizes = (("params", cost.parameters, self.params), ("FLOPs", cost.flops, self.flops))
        return ", ".join(
            f"{name} {format_count(size)} > {format_count(limit)}"
            for name, size, limit in sizes
            if limit is not None and size > limit * SLACK
        )

    def load_latencies(self, records: Iterable[TrialRecord]) -> None:
        """Reuse the latencies that earlier sessions measured.

        Args:
            records: all trials.
        """
        for record in records:
            if record.latency is not None:
                self._latencies[_network_of(record.candidate)] = record.latency

    def describe(self) -> str:
        """Return the limits as text.

        Returns:
            Numbers for parameters and FLOPs. A relative latency limit remains relative.
        """
        limits = [
            f"{name} at most {format_count(limit)}"
            for name, limit in (("params", self.params), ("FLOPs", self.flops))
            if limit is not None
        ]
        if self.latency_ms is not None:
            unit_by_reference = {"single": "x single-task", "": "ms"}
            unit = unit_by_reference.get(self.latency_ms.reference, self.latency_ms.reference)
            limits.append(f"latency at most {self.latency_ms.amount:g} {unit}")
        return "; ".join(limits)

    @property
    def max_latency_ms(self) -> float | None:
        """Maximum latency in ms; a relative limit measures the baselines. None for no limit."""
        if self.latency_ms is None:
            return None
        ms_by_baseline = {"independent": 0.0, "hard": 0.0}
        if self.latency_ms.reference:
            ms_by_baseline = {
                baseline: self._latency_of(candidate).ms
                for baseline, candidate in self.baselines.items()
            }
        return self.latency_ms.resolve(
            independent=ms_by_baseline["independent"],
            hard=ms_by_baseline["hard"],
            num_tasks=self.num_tasks,
        )

    def _latency_of(self, candidate: Candidate) -> Latency:
        network = _network_of(candidate)
        if network not in self._latencies and self.measure_latency is not None:
            self._latencies[network] = self.measure_latency(candidate)
        return self._latencies[network]

    def _over_latency(self, latency: Latency) -> str:
        limit = self.max_latency_ms
        if limit is None or latency.ms <= limit * SLACK:
            return ""
        return f"latency {latency.ms:.3g} ms > {limit:.3g} ms"


def format_count(count: float) -> str:
    """Return a count with a prefix, such as ``17.1 M``."""
    for factor, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= factor:
            return f"{count / factor:.4g}{prefix}"
    return f"{count:.4g}"


def _network_of(candidate: Candidate) -> Network:
    return candidate.plan, candidate.backbone, candidate.attention
