"""What every task kind must do, done by this one."""

from mtlsearch_depth import Depth

from mtlsearch.plugin import Form, LabelSpec
from mtlsearch.testing import TaskContract


class TestDepth(TaskContract):
    """Metres a pixel."""

    task = Depth
    label = LabelSpec(Form.MAP, unit="m")
