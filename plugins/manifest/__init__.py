"""Source ``manifest``: a CSV or JSON Lines table with one row per image.

::

    image,breed,tags,outline,boxes,weight,depth,split
    images/1.jpg,beagle,small;brown,masks/1.png,xml/1.xml,11.4,depth/1.png,train
    images/2.jpg,,,,"[[10, 20, 90, 80, ""dog""]]",,,val

The run file lists the columns that are labels, and their form::

    labels:
      breed:   {form: category}                       # classes: those in the column, sorted
      tags:    {form: categories, sep: ";"}
      outline: {form: mask, classes: [background, dog]}
      head:    {form: boxes, column: boxes, classes: [dog]}
      weight:  {form: number, unit: kg}
      depth:   {form: map, scale: 0.001, unit: m}

Paths in cells are relative to the source's root. An empty cell is a missing label. In JSON
Lines, a missing key, ``null`` and an empty string are missing labels, and cells can be lists
and numbers.
"""

from ._settings import ColumnSettings, ManifestSettings
from ._source import Manifest, mtlsearch_datasets

__all__ = ["ColumnSettings", "Manifest", "ManifestSettings", "mtlsearch_datasets"]
