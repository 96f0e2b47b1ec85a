"""The samplers package."""

from mtlsearch.search.samplers._factory import Sampler, make_sampler
from mtlsearch.search.samplers._observations import ObservationHistory

__all__ = [
    "ObservationHistory",
    "Sampler",
    "make_sampler",
]
