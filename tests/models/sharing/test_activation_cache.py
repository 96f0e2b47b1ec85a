from __future__ import annotations

import torch
from torch import nn

from mtlsearch.models.sharing._activation_cache import ActivationCache, CachedForward


class Doubling(nn.Module):
    """Counts its runs; gives back what ``wrap`` makes of twice its input."""

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


def remember(module, memo, *, number=0, units=(0,), rewritten=False):
    recalled = CachedForward(module, memo, number=number, units=units, rewritten=rewritten)
    object.__setattr__(module, "forward", recalled)
    return module


ONE = torch.ones(3)


def test_a_module_runs_once_for_all_tasks_of_its_site_and_is_then_forgotten():
    memo = ActivationCache()
    module = remember(Doubling(), memo)
    memo.begin({5: 3})
    outputs = []
    for left in (2, 1, 0):
        memo.next_task((5,))
        outputs.append(module(ONE * left))
        assert memo.is_empty == (left == 0)
    assert module.runs == 1
    assert all(output is outputs[0] for output in outputs)


def test_sites_of_one_task_are_computed_and_not_kept():
    memo = ActivationCache()
    module = remember(Doubling(), memo)
    memo.begin({0: 1, 1: 1})
    for site in (0, 1):
        memo.next_task((site,))
        module(ONE)
        assert memo.is_empty
    assert module.runs == 2


def test_outside_of_a_forward_modules_simply_run():
    memo = ActivationCache()
    module = remember(Doubling(), memo)
    memo.begin({0: 2})
    memo.next_task((0,))
    module(ONE)
    memo.end()
    assert memo.is_empty
    assert torch.equal(module(3 * ONE), 6 * ONE)
    assert module.runs == 2


def test_an_output_that_is_written_to_is_handed_out_as_a_copy():
    memo = ActivationCache()
    module = remember(Doubling(), memo, rewritten=True)
    memo.begin({0: 3})
    for _ in range(3):
        memo.next_task((0,))
        assert torch.equal(module(ONE).add_(1), 3 * ONE)
    assert module.runs == 1


def test_every_consumer_has_its_own_list():
    memo = ActivationCache()
    module = remember(Doubling(lambda tensor: [tensor, {"it": (tensor,)}]), memo)
    memo.begin({0: 2})
    for _ in range(2):
        memo.next_task((0,))
        output = module(ONE)
        assert len(output) == 2
        output.append("mine")
        output[1].clear()


def test_runs_of_a_module_in_several_units_are_kept_apart():
    memo = ActivationCache()
    module = remember(Doubling(), memo, units=(0, 1))
    memo.begin({0: 2, 1: 1, 2: 1})  # two tasks share the first unit and part in the second
    results = []
    for sites in ((0, 1), (0, 2)):
        memo.next_task(sites)
        results.append((module(ONE), module(ONE * sites[1])))
    assert results[0][0] is results[1][0]
    assert torch.equal(results[0][1], 2 * ONE)
    assert torch.equal(results[1][1], 4 * ONE)
    assert module.runs == 3


def test_a_module_inside_another_slot_is_left_alone():
    memo = ActivationCache()
    inner = remember(Doubling(), memo, number=0, units=(1,))
    outer = remember(Outer(inner), memo, number=1, units=(0,))
    memo.begin({0: 1, 1: 2, 2: 1})
    memo.next_task((0, 1))
    assert torch.equal(outer(ONE), 3 * ONE)
    assert torch.equal(inner(2 * ONE), 4 * ONE)
    memo.next_task((2, 1))
    assert torch.equal(outer(5 * ONE), 11 * ONE)
    assert torch.equal(inner(7 * ONE), 4 * ONE)
