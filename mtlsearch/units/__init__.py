"""Values that describe a cut backbone: its units and its feature levels; no torch.

>>> from mtlsearch.units import FeatureLevel, FeatureSpec
>>> spec = FeatureSpec(levels=(FeatureLevel(64, 4), FeatureLevel(128, 8)), image_size=(96, 128))
>>> spec.sizes
((24, 32), (12, 16))
"""

from mtlsearch.units._features import FeatureLevel, FeatureSpec
from mtlsearch.units._unit import UnitSpec

__all__ = ["FeatureLevel", "FeatureSpec", "UnitSpec"]
