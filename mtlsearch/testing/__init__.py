"""Contract suites: what a plugin must do, as tests that its author subclasses.

They need pytest and run with any plugin, built in or not::

    from mtlsearch.testing import DatasetContract

    class TestMine(DatasetContract):
        def make_source(self, folder):
            return Mine(Mine.Settings(), root=folder, seed=0)
"""

import pytest

# Before the suites are imported, so that their asserts say what differs.
pytest.register_assert_rewrite("mtlsearch.testing._dataset_contract")

from mtlsearch.testing._dataset_contract import DatasetContract  # noqa: E402

__all__ = ["DatasetContract"]
