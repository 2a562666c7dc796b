"""Every variant with its cost."""

from typing import Any

from fittingroom.models.cost import num_macs, num_params, sequence_macs
from fittingroom.models.registry import MODELS, SEQUENCE_MODELS, Variant

WORD = 8
"""Letters, and phonemes, in the word for which a sequence model's multiply-adds are counted: about the English mean."""


def list_models() -> list[dict[str, Any]]:
    """name, family, title, reads, num_params, num_macs and source of each variant.

    Multiply-adds are for one image of the variant's default size, or for one word of eight letters and eight phonemes.
    """
    return [_row(registry.get(name)) for registry in (MODELS, SEQUENCE_MODELS) for name in registry]


def _row(variant: Variant) -> dict[str, Any]:
    config = variant.make_config()
    model, is_sequence = variant.build(config), variant.name in SEQUENCE_MODELS.names()
    macs = sequence_macs(model, WORD, WORD) if is_sequence else num_macs(model, (config.in_chans, *config.image_size))
    return {
        "name": variant.name,
        "family": variant.family,
        "title": variant.title,
        "reads": "pairs" if is_sequence else "images",
        "num_params": num_params(model),
        "num_macs": macs,
        "source": variant.source,
    }
