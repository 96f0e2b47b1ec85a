"""Models of many families; tests do not change them.

The tests of one family run one after another in one test worker, so that its model is cut once
although the few models that are kept in memory are not those of all families.
"""

from __future__ import annotations

import copy
from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from mtlsearch.models import CutBackbone, Granularity, cut_backbone

SIZE = (64, 96)

TINY = (
    "test_byobnet",
    "test_coatnet",
    "test_convnext",
    "test_efficientnet",
    "test_maxvit",
    "test_nfnet",
    "test_resnet",
    "test_vit",
    "test_vit_relpos",
    "resnet10t",
    "mobilenetv3_small_050",
    "vit_tiny_patch16_224",
)
SMALL = (
    "coat_tiny",  # uses modules in two places
    "coatnet_pico_rw_224",
    "convnext_atto",
    "densenet121",
    "edgenext_xx_small",
    "efficientnet_b0",
    "fastvit_t8",
    "ghostnet_050",
    "hrnet_w18_small",
    "legacy_xception",
    "levit_128s",
    "maxvit_rmlp_pico_rw_256",
    "mixer_s32_224",
    "pit_ti_224",  # no group matcher
    "poolformer_s12",
    "pvt_v2_b0",
    "regnetx_002",
    "repvgg_a0",
    "swin_tiny_patch4_window7_224",  # channels last
    "xcit_nano_12_p8_224",
)


def each_family(*, tiny: bool = True, small: bool = True) -> pytest.MarkDecorator:
    """Return a mark that runs a test with ``name`` of each tiny model, and of each small one."""
    names = {
        **(dict.fromkeys(TINY, ()) if tiny else {}),
        **(dict.fromkeys(SMALL, (pytest.mark.slow,)) if small else {}),
    }
    params = [
        pytest.param(name, marks=[pytest.mark.xdist_group(f"family-{name}"), *marks])
        for name, marks in names.items()
    ]
    return pytest.mark.parametrize("name", params, scope="session")


def granularities(name: str) -> tuple[Granularity, ...]:
    """Return those of a test that takes long: units of stages begin where some block does."""
    return ("stage", "block") if name in TINY else ("block",)


@lru_cache(maxsize=8)
def cut(name: str, granularity: Granularity = "stage") -> CutBackbone:
    return cut_backbone(name, SIZE, granularity=granularity)


def images(count: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


def whole(cut: CutBackbone) -> nn.Module:
    """Return a copy of the uncut model."""
    return copy.deepcopy(cut.template).eval()
