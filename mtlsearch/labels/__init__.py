"""What can be known of an image: the forms a label may have, as values; torch is not imported.

>>> from mtlsearch.labels import Form, LabelSpec
>>> LabelSpec(Form.CATEGORY, classes=("cat", "dog")).describe()
'category of 2 classes: cat, dog'
"""

from mtlsearch.labels._form import Form
from mtlsearch.labels._sample import Boxes, RawLabel, Sample
from mtlsearch.labels._send import send
from mtlsearch.labels._spec import LabelSpec

__all__ = ["Boxes", "Form", "LabelSpec", "RawLabel", "Sample", "send"]
