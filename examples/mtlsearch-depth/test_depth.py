"""Contract tests of the task kind ``depth``."""

from mtlsearch_depth import Depth

from mtlsearch.plugin import Form, LabelSpec
from mtlsearch.testing import TaskContract


class TestDepth(TaskContract):
    """Depth with one map in meters."""

    task = Depth
    label = LabelSpec(Form.MAP, unit="m")
