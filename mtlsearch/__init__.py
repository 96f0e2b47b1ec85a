"""mtlsearch: AutoML that finds which layers of a vision backbone several tasks should share."""

__version__ = "0.1.0"

__all__ = ["__version__"]
