"""Labels of images: forms, specifications and samples, as values without torch.

>>> from mtlsearch.labels import Form, LabelSpec
>>> LabelSpec(Form.CATEGORY, classes=("cat", "dog")).describe()
'category of 2 classes: cat, dog'
"""

from mtlsearch.labels._form import Form
from mtlsearch.labels._sample import Boxes, RawLabel, Sample
from mtlsearch.labels._spec import LabelSpec

__all__ = ["Boxes", "Form", "LabelSpec", "RawLabel", "Sample"]
