"""Architectures. They need only torch and know no data. Importing this package registers every variant."""

from fittingroom.models import cnn, efficientnet, hybrid, recurrent, transformer, vit  # noqa: F401  (each registers its variants)
from fittingroom.models.adapters import huggingface, timm  # noqa: F401  (each registers its prefix)
from fittingroom.models.registry import (
    MODELS,
    SEQUENCE_MODELS,
    Variant,
    build_model,
    fit_to_images,
    resolve_config,
)

__all__ = ["MODELS", "SEQUENCE_MODELS", "Variant", "build_model", "fit_to_images", "resolve_config"]
