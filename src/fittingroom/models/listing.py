"""Every variant with what it costs."""

from typing import Any

from fittingroom.models.cost import num_macs, num_params
from fittingroom.models.registry import MODELS, build_model


def list_models() -> list[dict[str, Any]]:
    """name, family, title, num_params, num_macs (at the variant's own input size) and source of each variant."""
    rows = []
    for name in MODELS:
        variant = MODELS.get(name)
        model, config = build_model(name), variant.make_config()
        image_shape = (config.in_chans, config.img_size, config.img_size)
        rows.append(
            {
                "name": name,
                "family": variant.family,
                "title": variant.title,
                "num_params": num_params(model),
                "num_macs": num_macs(model, image_shape),
                "source": variant.source,
            }
        )
    return rows
