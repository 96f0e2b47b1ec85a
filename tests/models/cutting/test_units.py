"""Units: merging, order of calls, modules in several units."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.models.cutting._trace import Call
from mtlsearch.models.cutting._units import UnitModules, merge_unit_modules
from tests.models.families import cut, each_family

flops_lists = st.lists(st.integers(0, 50), min_size=1, max_size=9)


def make_unit(index: int, flops: int) -> UnitModules:
    call = Call(f"block{index}", 2 * index, 2 * index + 1, flops, (), is_modified=False)
    return UnitModules((call,), (f"block{index}.weight",))


@given(flops=flops_lists, data=st.data())
def test_merge_minimizes_largest_flops(flops, data):
    count = data.draw(st.integers(1, len(flops)))
    units = [make_unit(index, value) for index, value in enumerate(flops)]
    merged = merge_unit_modules(units, count)
    assert len(merged) == count
    modules = [path for unit in merged for path in unit.modules]
    assert modules == [f"block{index}" for index in range(len(flops))]
    assert [name for unit in merged for name in unit.parameters] == [
        name for unit in units for name in unit.parameters
    ]
    if any(flops):
        assert max(unit.flops for unit in merged) == min(
            max(sum(flops[low:high]) for low, high in pairwise((0, *cuts, len(flops))))
            for cuts in combinations(range(1, len(flops)), count - 1)
        )


@each_family(small=False)
def test_calls_of_units_are_in_order(name):
    starts = [call.start for unit in cut(name, "block").unit_modules for call in unit.calls]
    assert starts == sorted(starts)


@each_family(tiny=False)
def test_cut_points_do_not_enclose_each_other(name):
    calls = [call for unit in cut(name, "block").unit_modules for call in unit.calls]
    assert not any(call.encloses(other) for call in calls for other in calls)


def test_module_in_several_units_has_parameters_in_one():
    units = cut("coat_tiny", "block").unit_modules
    running = [index for index, unit in enumerate(units) if "cpe2" in unit.modules]
    assert len(running) > 1
    owners = [index for index, unit in enumerate(units) if "cpe2.proj.weight" in unit.parameters]
    assert len(owners) == 1
    assert owners[0] <= running[0]
