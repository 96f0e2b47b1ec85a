"""Source ``folders``: one folder per class, as in torchvision's ``ImageFolder``.

::

    train/CLASS/NAME.jpg       with a folder per split (also val and test)
    CLASS/NAME.jpg             without: every image is in train

The label is ``class``, or the name in ``label``: the name of the folder. Images in folders below
a class folder are of this class. Other files and hidden folders are not read.
"""

from ._settings import FoldersSettings
from ._source import Folders, mtlsearch_datasets

__all__ = ["Folders", "FoldersSettings", "mtlsearch_datasets"]
