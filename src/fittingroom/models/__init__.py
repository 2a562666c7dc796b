"""Architectures. Only torch; they know no data. Importing this package registers every variant."""

from fittingroom.models import cnn, hybrid, recurrent, transformer, vit  # noqa: F401  (each import files its variants)
from fittingroom.models.registry import MODELS, SEQUENCE_MODELS, Variant, build_model, resolve_config

__all__ = ["MODELS", "SEQUENCE_MODELS", "Variant", "build_model", "resolve_config"]
