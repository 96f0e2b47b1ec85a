"""The samplers package."""

from mtlsearch.search.samplers._factory import Sampler, make_sampler
from mtlsearch.search.samplers._observations import TriedTrials

__all__ = [
    "Sampler",
    "TriedTrials",
    "make_sampler",
]
