"""The sharing package."""

from mtlsearch.models.sharing._shared_backbones import TiedBackbones, module_keys
from mtlsearch.models.sharing._verify import check_sharing

__all__ = [
    "TiedBackbones",
    "check_sharing",
    "module_keys",
]
