"""What the networks of a run may cost, and whether one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mtlsearch.config import Limit, LimitsConfig
from mtlsearch.errors import ConfigError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import TIME, Baseline, Latency, TrialRecord

if TYPE_CHECKING:
    from mtlsearch.search.space._candidate_space import CandidateSpace

Network = tuple[SharingPlan, str | None, bool]
"""What decides how much a candidate costs: its plan, its backbone, and whether it has gates."""

SLACK = 1.0 + 1e-9
"""So that ``1.0 hard`` has room for the hard plan, whatever a product rounds to."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Judges candidates: by arithmetic, and by the clock where the run limits latency.

    Attributes:
        cost: parameters and FLOPs of a candidate.
        tasks: how many there are.
        baselines: the two that limits may be relative to.
        params: scalars in the weights at most; None where they are not limited.
        flops: floating-point operations for one image at most; None likewise.
        latency_ms: the limit on the time of one image; None likewise.
        measure_latency: takes the time of a candidate's untrained network.
        always_measure: whether every candidate's time is taken, limited or not.
        where: the place of a key of ``budget`` in the run file, for messages.
    """

    cost: Callable[[Candidate], Cost]
    tasks: int
    baselines: Mapping[Baseline, Candidate]
    params: float | None = None
    flops: float | None = None
    latency_ms: Limit | None = None
    measure_latency: Callable[[Candidate], Latency] | None = None
    where: Callable[[str], str] = "budget.{}".format
    always_measure: bool = False
    _costs: dict[Network, Cost] = field(default_factory=dict)
    _latencies: dict[Network, Latency] = field(default_factory=dict)

    def allows(self, candidate: Candidate) -> bool:
        """Whether it may be proposed: nothing that is known of it is over the budget."""
        if self.over_cost(self.cost_of(candidate)):
            return False
        known = self._latencies.get(_network(candidate))
        return known is None or not self._over_time(known)

    def check(self, candidate: Candidate) -> tuple[Latency | None, str]:
        """Its latency where that is limited or an objective, and what of it is over the budget.

        What is over by arithmetic is not built: the time is not taken then.
        """
        over = self.over_cost(self.cost_of(candidate))
        is_baseline = any(candidate.plan == at.plan for at in self.baselines.values())
        wanted = self.always_measure or self.latency_ms is not None
        if not wanted or self.measure_latency is None or (over and not is_baseline):
            return None, over
        latency = self._latency_of(candidate)
        return latency, ", ".join(text for text in (over, self._over_time(latency)) if text)

    def cost_of(self, candidate: Candidate) -> Cost:
        """Parameters and FLOPs, by arithmetic done once a plan."""
        network = _network(candidate)
        if network not in self._costs:
            self._costs[network] = self.cost(candidate)
        return self._costs[network]

    def over_cost(self, cost: Cost) -> str:
        """Which of a network's sizes are over the budget, for people; empty if none."""
        sizes = (("params", cost.parameters, self.params), ("FLOPs", cost.flops, self.flops))
        return ", ".join(
            f"{name} {amount(size)} > {amount(most)}"
            for name, size, most in sizes
            if most is not None and size > most * SLACK
        )

    def load_latencies(self, records: Iterable[TrialRecord]) -> None:
        """Take over the times of earlier sittings, so that none is taken twice."""
        for record in records:
            if record.latency is not None:
                self._latencies[_network(record.candidate)] = record.latency

    def describe(self) -> str:
        """The limits as numbers, as far as they are known before anything is timed."""
        said = [
            f"{name} at most {amount(most)}"
            for name, most in (("params", self.params), ("FLOPs", self.flops))
            if most is not None
        ]
        if self.latency_ms is not None:
            of = {"single": "x single-task", "": "ms"}.get(self.latency_ms.of, self.latency_ms.of)
            said.append(f"latency at most {self.latency_ms.amount:g} {of}")
        return "; ".join(said)

    def _latency_of(self, candidate: Candidate) -> Latency:
        network = _network(candidate)
        if network not in self._latencies and self.measure_latency is not None:
            self._latencies[network] = self.measure_latency(candidate)
        return self._latencies[network]

    @property
    def most_ms(self) -> float | None:
        """What one image may take; of a limit relative to a baseline, once that is timed."""
        if self.latency_ms is None:
            return None
        times = {"independent": 0.0, "hard": 0.0}
        if self.latency_ms.of:
            times = {baseline: self._latency_of(at).ms for baseline, at in self.baselines.items()}
        return self.latency_ms.within(
            independent=times["independent"], hard=times["hard"], tasks=self.tasks
        )

    def _over_time(self, latency: Latency) -> str:
        most = self.most_ms
        if most is None or latency.ms <= most * SLACK:
            return ""
        return f"latency {latency.ms:.3g} ms > {most:.3g} ms"


def add_limits(
    space: CandidateSpace,
    config: LimitsConfig,
    cost: Callable[[Candidate], Cost],
    *,
    measure_latency: Callable[[Candidate], Latency] | None = None,
    where: Callable[[str], str] = "budget.{}".format,
) -> CandidateSpace:
    """The space without what is over the budget; the same space where nothing is limited.

    Where latency is one of the space's objectives, the time of whatever is proposed is taken.

    Args:
        space: what may be proposed.
        config: the limits.
        cost: parameters and FLOPs of a candidate.
        measure_latency: takes the time of a candidate; needed where latency is limited.
        where: the place of a key of ``budget`` in the run file, for messages.

    Raises:
        ConfigError: latency is limited or an objective, and nothing takes the time.
    """
    limits, always_measure = config.by_key, TIME in space.config.objectives
    if not limits and not always_measure:
        return space
    if (TIME in limits or always_measure) and measure_latency is None:
        raise ConfigError(
            "the latency of what is not trained here cannot be measured",
            where=where(TIME) if TIME in limits else "search.objectives",
            next_step="take params and flops, or search from a run file",
        )
    baselines: dict[Baseline, Candidate] = {
        "independent": space.baseline_candidate("independent"),
        "hard": space.baseline_candidate("hard"),
    }
    independent, hard = cost(baselines["independent"]), cost(baselines["hard"])
    sizes = {
        "params": (independent.parameters, hard.parameters),
        "flops": (independent.flops, hard.flops),
    }
    most = {
        key: limits[key].within(independent=of[0], hard=of[1], tasks=len(space.tasks))
        for key, of in sizes.items()
        if key in limits
    }
    budget = ResourceLimits(
        cost,
        len(space.tasks),
        baselines,
        most.get("params"),
        most.get("flops"),
        limits.get(TIME),
        measure_latency,
        where,
        always_measure,
    )
    return replace(space, limits=budget)


def amount(count: float) -> str:
    """A count as people read it: ``17.1 M``."""
    for factor, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= factor:
            return f"{count / factor:.4g}{prefix}"
    return f"{count:.4g}"


def _network(candidate: Candidate) -> Network:
    return candidate.plan, candidate.backbone, candidate.attention
