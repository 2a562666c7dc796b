"""Architectures. Only torch; they know no data. Importing this package registers every variant."""

from fittingroom.models import cnn, hybrid, vit  # noqa: F401  (each import files its variants)
from fittingroom.models.registry import MODELS, Variant, build_model, resolve_config

__all__ = ["MODELS", "Variant", "build_model", "resolve_config"]
