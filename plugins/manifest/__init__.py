"""A table of images: CSV or JSON lines, one row an image, an empty cell no label.

::

    image,breed,tags,outline,boxes,depth,split
    images/1.jpg,beagle,small;brown,masks/1.png,xml/1.xml,depth/1.png,train
    images/2.jpg,,,,"[[10, 20, 90, 80, ""dog""]]",,val

Which columns are labels, and of what form, the run file says::

    labels:
      breed:   {form: category}                       # classes: all that occur, sorted
      tags:    {form: categories, sep: ";"}
      outline: {form: mask, classes: [background, dog]}
      head:    {form: boxes, column: boxes, classes: [dog]}
      depth:   {form: map, scale: 0.001, unit: m}

Paths in cells start from the source's root. In JSON lines a missing key, ``null`` and an
empty text are no label; lists and numbers may stand as they are.
"""

from ._settings import ColumnSettings, ManifestSettings
from ._source import Manifest, mtlsearch_datasets

__all__ = ["ColumnSettings", "Manifest", "ManifestSettings", "mtlsearch_datasets"]
