"""Passes: every run computes the images of its tasks once, and later passes find them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.models.sharing._passes import (
    RowSelector,
    plan_passes,
    union,
    union_of_connected,
)
from mtlsearch.models.sharing._shared_backbones import _number_runs
from mtlsearch.plan import SKIPPED, SharingPlan

TASKS = ("a", "b", "c", "d")
UNITS = 4


@st.composite
def plans(draw: st.DrawFn) -> SharingPlan:
    rows = st.tuples(*(st.integers(0, len(TASKS) - 1) for _ in TASKS))
    groups = draw(st.lists(rows, min_size=UNITS, max_size=UNITS))
    plan = SharingPlan.from_groups(
        [[task for task, group in zip(TASKS, row, strict=True) if group == n] for n in set(row)]
        for row in groups
    )
    skips = st.dictionaries(
        st.integers(0, UNITS - 1), st.lists(st.sampled_from(TASKS), unique=True)
    )
    return plan.with_skips(draw(skips))


rows_by_task = st.fixed_dictionaries(
    {
        task: st.sets(st.integers(0, 5), min_size=1).map(lambda rows: tuple(sorted(rows)))
        for task in TASKS
    }
)


@given(plan=plans(), rows=rows_by_task)
def test_passes_compute_each_run_once_for_its_tasks(plan, rows):
    paths = _number_runs(plan)
    result = plan_passes(paths, rows)
    remaining: dict[int, int] = {}
    ended: dict[tuple[int, ...], tuple[int, ...]] = {}
    for planned in result.passes:
        for run in (run for run in planned.path if run != SKIPPED):
            needed = result.rows_by_run[run]
            if run in remaining:
                assert set(planned.rows) <= set(needed)
                remaining[run] -= 1
            elif planned.rows == needed:
                remaining[run] = result.num_uses[run] - 1
            else:  # the pass ends here
                assert set(needed) < set(planned.rows)
                break
        else:
            ended[planned.path] = planned.rows
    assert all(count == 0 for count in remaining.values())
    for run, images in result.rows_by_run.items():
        assert images == union(rows[task] for task in TASKS if run in paths[task])
    for task in TASKS:
        assert set(rows[task]) <= set(ended[paths[task]])


@given(plan=plans(), rows=rows_by_task)
def test_connected_tasks_get_the_same_images(plan, rows):
    paths = _number_runs(plan)
    merged = union_of_connected(paths, rows)
    planned = plan_passes(paths, merged)
    assert len(planned.passes) == len(set(paths.values()))
    for task in TASKS:
        assert set(rows[task]) <= set(merged[task])
        runs = set(paths[task]) - {SKIPPED}
        assert all(planned.rows_by_run[run] == merged[task] for run in runs)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_selection_keeps_values_and_memory_order(memory_format):
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn(4, 3, 2, 5, generator=generator).contiguous(memory_format=memory_format)
    selector = RowSelector(whole.device)
    part = selector(whole, (1, 4, 6, 9), (4, 9))
    assert torch.equal(part, whole[[1, 3]])
    assert part.is_contiguous(memory_format=memory_format)
    assert selector(whole, (1, 4, 6, 9), (1, 4, 6, 9)) is whole
