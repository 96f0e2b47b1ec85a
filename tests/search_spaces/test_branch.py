from __future__ import annotations

import pytest
from mtlsearch_search_spaces.branch import BranchSpace

from mtlsearch.plan import Branch, SharingPlan, extend_independent, extend_plan
from mtlsearch.plugin import Candidate
from mtlsearch.testing._space_contract import make_units
from mtlsearch.testing._suggest import FixedSuggest, RandomSuggest, enumerate_suggestions

NUM_UNITS = 3
UNITS = make_units(NUM_UNITS)
TREE = SharingPlan.from_splits(["boxes", "outline", "scene"], depths=[1, 3], units=NUM_UNITS)
REJOINING = SharingPlan.from_groups([[["a", "b"]], [["a"], ["b"]], [["a", "b"]]]).with_statistics(
    "path"
)
KEPT = pytest.mark.parametrize("kept", [TREE, REJOINING], ids=str)
NEW = pytest.mark.parametrize("tasks", [("depth",), ("breed", "depth")])


def space_of(kept: SharingPlan) -> BranchSpace:
    space = BranchSpace(BranchSpace.Settings())
    space.kept_plan = kept
    return space


@KEPT
@NEW
def test_branch_candidates_are_all_proposals_once(
    kept: SharingPlan, tasks: tuple[str, ...]
) -> None:
    space = space_of(kept)
    digests = [candidate.digest for candidate in space.candidates(UNITS, tasks)]
    proposals = {space.propose(suggest, UNITS, tasks).digest for suggest in enumerate_suggestions()}
    assert len(digests) == len(set(digests)) == space.count(UNITS, tasks)
    assert set(digests) == proposals


@KEPT
@NEW
def test_branch_encoded_params_give_the_candidate(
    kept: SharingPlan, tasks: tuple[str, ...]
) -> None:
    space = space_of(kept)
    for seed in range(40):
        candidate = space.propose(RandomSuggest(seed), UNITS, tasks)
        params = space.encode(candidate, UNITS, tasks)
        assert params is not None, candidate
        suggest = FixedSuggest(params)
        assert space.propose(suggest, UNITS, tasks) == candidate
        assert set(suggest.params) == set(params)


def test_branch_copies_start_from_the_path_they_leave() -> None:
    params = {"follow_depth": "scene", "leave_depth": 1}
    candidate = space_of(TREE).propose(FixedSuggest(params), UNITS, ("depth",))
    # outline and scene share all units, so their copies start from the same weights
    assert candidate.origins == {"depth": "outline"}
    assert candidate.plan == extend_plan(TREE, [Branch("depth", "outline", 1)])
    params = {"follow_depth": "scene", "leave_depth": NUM_UNITS}
    head_alone = space_of(TREE).propose(FixedSuggest(params), UNITS, ("depth",))
    assert head_alone.origins is None


def test_branch_independent_baseline_is_not_in_the_space() -> None:
    plan = extend_independent(TREE, ["depth"])
    assert space_of(TREE).encode(Candidate(plan), UNITS, ("depth",)) is None
    assert space_of(TREE).encode(Candidate(TREE), UNITS, ("depth",)) is None


def test_branch_large_space_is_not_enumerated() -> None:
    assert space_of(TREE).count(make_units(12), ("a", "b", "c", "d")) is None
