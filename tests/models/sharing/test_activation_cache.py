"""Activation cache: what is computed once, held, copied and removed."""

from __future__ import annotations

import torch
from torch import nn

from mtlsearch.models.sharing._activation_cache import ActivationCache, CachedForward


class Doubling(nn.Module):
    """Returns ``wrap`` of twice its input and counts its executions."""

    def __init__(self, wrap=lambda tensor: tensor):
        super().__init__()
        self.wrap = wrap
        self.runs = 0

    def forward(self, tensor):
        self.runs += 1
        return self.wrap(2 * tensor)


class Outer(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, tensor):
        return self.inner(tensor) + 1


def cached(module, cache, *, index=0, units=(0,), is_modified=False):
    forward = CachedForward(module, cache, index=index, units=units, is_modified=is_modified)
    object.__setattr__(module, "forward", forward)
    return module


ONE = torch.ones(3)


def test_module_runs_once_per_run_and_output_is_removed():
    cache = ActivationCache()
    module = cached(Doubling(), cache)
    cache.begin_forward({5: 3})
    outputs = []
    for remaining in (2, 1, 0):
        cache.begin_task((5,))
        outputs.append(module(ONE * remaining))
        assert cache.is_empty == (remaining == 0)
    assert module.runs == 1
    assert all(output is outputs[0] for output in outputs)


def test_output_for_one_task_is_not_held():
    cache = ActivationCache()
    module = cached(Doubling(), cache)
    cache.begin_forward({0: 1, 1: 1})
    for run_id in (0, 1):
        cache.begin_task((run_id,))
        module(ONE)
        assert cache.is_empty
    assert module.runs == 2


def test_module_outside_of_forward_is_not_cached():
    cache = ActivationCache()
    module = cached(Doubling(), cache)
    cache.begin_forward({0: 2})
    cache.begin_task((0,))
    module(ONE)
    cache.end_forward()
    assert cache.is_empty
    assert torch.equal(module(3 * ONE), 6 * ONE)
    assert module.runs == 2


def test_modified_output_is_copied_per_task():
    cache = ActivationCache()
    module = cached(Doubling(), cache, is_modified=True)
    cache.begin_forward({0: 3})
    for _ in range(3):
        cache.begin_task((0,))
        assert torch.equal(module(ONE).add_(1), 3 * ONE)
    assert module.runs == 1


def test_containers_are_copied_per_task():
    cache = ActivationCache()
    module = cached(Doubling(lambda tensor: [tensor, {"it": (tensor,)}]), cache)
    cache.begin_forward({0: 2})
    for _ in range(2):
        cache.begin_task((0,))
        output = module(ONE)
        assert len(output) == 2
        output.append("mine")
        output[1].clear()


def test_module_in_several_units_is_cached_per_unit():
    cache = ActivationCache()
    module = cached(Doubling(), cache, units=(0, 1))
    cache.begin_forward({0: 2, 1: 1, 2: 1})  # two tasks share the first unit, not the second
    results = []
    for run_ids in ((0, 1), (0, 2)):
        cache.begin_task(run_ids)
        results.append((module(ONE), module(ONE * run_ids[1])))
    assert results[0][0] is results[1][0]
    assert torch.equal(results[0][1], 2 * ONE)
    assert torch.equal(results[1][1], 4 * ONE)
    assert module.runs == 3


def test_module_inside_cut_point_is_not_cached():
    cache = ActivationCache()
    inner = cached(Doubling(), cache, index=0, units=(1,))
    outer = cached(Outer(inner), cache, index=1, units=(0,))
    cache.begin_forward({0: 1, 1: 2, 2: 1})
    cache.begin_task((0, 1))
    assert torch.equal(outer(ONE), 3 * ONE)
    assert torch.equal(inner(2 * ONE), 4 * ONE)
    cache.begin_task((2, 1))
    assert torch.equal(outer(5 * ONE), 11 * ONE)
    assert torch.equal(inner(7 * ONE), 4 * ONE)
