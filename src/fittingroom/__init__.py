"""fittingroom: try architectures on your images, see which one fits."""

__version__ = "0.1.0"
