from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.models.cutting._trace import Call
from mtlsearch.models.cutting._units import UnitModules, merge_unit_modules
from tests.models.families import SMALL, TINY, cut

works = st.lists(st.integers(0, 50), min_size=1, max_size=9)


def piece(index: int, flops: int) -> UnitModules:
    call = Call(f"block{index}", 2 * index, 2 * index + 1, flops, (), rewritten=False)
    return UnitModules((call,), (f"block{index}.weight",))


@given(work=works, data=st.data())
def test_merged_pieces_are_as_even_as_can_be(work, data):
    count = data.draw(st.integers(1, len(work)))
    pieces = [piece(index, flops) for index, flops in enumerate(work)]
    merged = merge_unit_modules(pieces, count)
    assert len(merged) == count
    assert [m for each in merged for m in each.modules] == [f"block{i}" for i in range(len(work))]
    assert [p for each in merged for p in each.parameters] == [
        name for each in pieces for name in each.parameters
    ]
    if any(work):
        assert max(each.flops for each in merged) == min(
            max(sum(work[low:high]) for low, high in pairwise((0, *cuts, len(work))))
            for cuts in combinations(range(1, len(work)), count - 1)
        )


@pytest.mark.parametrize("name", TINY)
def test_slots_of_a_unit_lie_behind_those_of_the_unit_before(name):
    pieces = cut(name, "block").pieces
    starts = [call.start for each in pieces for call in each.calls]
    assert starts == sorted(starts)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_no_slot_runs_inside_another(name):
    calls = [call for each in cut(name, "block").pieces for call in each.calls]
    assert not any(one.holds(other) for one in calls for other in calls)


def test_tied_modules_belong_to_the_units_they_run_in():
    pieces = cut("coat_tiny", "block").pieces
    homes = [unit for unit, each in enumerate(pieces) if "cpe2" in each.modules]
    assert len(homes) > 1
    owners = [unit for unit, each in enumerate(pieces) if "cpe2.proj.weight" in each.parameters]
    assert len(owners) == 1
    assert owners[0] <= homes[0]
