"""Contract suites: what a plugin must do, as tests that its author subclasses.

They need pytest and run with any plugin, built in or not::

    from mtlsearch.testing import DatasetContract

    class TestMine(DatasetContract):
        def make_source(self, folder):
            return Mine(Mine.Settings(), root=folder, seed=0)
"""

import pytest

# Before the suites are imported, so that their asserts say what differs.
pytest.register_assert_rewrite(
    "mtlsearch.testing._balancer_contract",
    "mtlsearch.testing._dataset_contract",
    "mtlsearch.testing._space_contract",
    "mtlsearch.testing._task_contract",
)

from mtlsearch.testing._balancer_contract import BalancerContract  # noqa: E402
from mtlsearch.testing._choices import FixedChoices, RandomChoices  # noqa: E402
from mtlsearch.testing._dataset_contract import DatasetContract  # noqa: E402
from mtlsearch.testing._features import FEATURES, random_levels  # noqa: E402
from mtlsearch.testing._random_targets import random_targets  # noqa: E402
from mtlsearch.testing._space_contract import SpaceContract  # noqa: E402
from mtlsearch.testing._task_contract import TaskContract  # noqa: E402

__all__ = [
    "FEATURES",
    "BalancerContract",
    "DatasetContract",
    "FixedChoices",
    "RandomChoices",
    "SpaceContract",
    "TaskContract",
    "random_levels",
    "random_targets",
]
