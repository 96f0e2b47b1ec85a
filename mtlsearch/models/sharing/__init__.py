"""The sharing package."""

from mtlsearch.models.sharing._shared_backbones import SharedBackbones, module_keys
from mtlsearch.models.sharing._verify import check_sharing

__all__ = [
    "SharedBackbones",
    "check_sharing",
    "module_keys",
]
