"""Contract suites: tests that every plugin must pass, as classes to subclass.

They need pytest::

    from mtlsearch.testing import DatasetContract

    class TestMine(DatasetContract):
        def make_source(self, folder):
            return Mine(Mine.Settings(), root=folder, seed=0)
"""

import pytest

# Pytest rewrites asserts only in modules that are not imported yet.
pytest.register_assert_rewrite(
    "mtlsearch.testing._balancer_contract",
    "mtlsearch.testing._dataset_contract",
    "mtlsearch.testing._logger_contract",
    "mtlsearch.testing._space_contract",
    "mtlsearch.testing._task_contract",
)

from mtlsearch.testing._balancer_contract import BalancerContract  # noqa: E402
from mtlsearch.testing._dataset_contract import DatasetContract  # noqa: E402
from mtlsearch.testing._features import FEATURES, random_levels  # noqa: E402
from mtlsearch.testing._logger_contract import LoggerContract  # noqa: E402
from mtlsearch.testing._random_targets import random_targets  # noqa: E402
from mtlsearch.testing._space_contract import SpaceContract  # noqa: E402
from mtlsearch.testing._suggest import FixedSuggest, RandomSuggest  # noqa: E402
from mtlsearch.testing._task_contract import TaskContract  # noqa: E402

__all__ = [
    "FEATURES",
    "BalancerContract",
    "DatasetContract",
    "FixedSuggest",
    "LoggerContract",
    "RandomSuggest",
    "SpaceContract",
    "TaskContract",
    "random_levels",
    "random_targets",
]
