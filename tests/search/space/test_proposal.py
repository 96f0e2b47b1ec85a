"""Proposals of baselines."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from mtlsearch_search_spaces.hard import HardSpace

from mtlsearch.plugin import Settings
from mtlsearch.search.space import propose_baseline
from tests.search.synthetic import Formula, space_for, units, with_space

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("baseline", ["independent", "hard"])
def test_baseline_has_the_params_that_give_it(baseline: Any) -> None:
    space = space_for(Formula(), loss_weights="search")
    proposal = propose_baseline(space, baseline)
    assert proposal.baseline == baseline
    assert str(proposal.candidate.plan) == baseline
    assert set(proposal.params) == set(proposal.distributions)
    again = space.propose(optuna.trial.FixedTrial(dict(proposal.params)))
    assert again.plan == proposal.candidate.plan


def test_baseline_outside_of_the_space_has_no_params() -> None:
    proposal = propose_baseline(with_space(HardSpace(Settings())), "independent")
    assert str(proposal.candidate.plan) == "independent"
    assert not proposal.params
    assert len(proposal.candidate.plan.rows) == len(units(4))
