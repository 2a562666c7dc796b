"""`list_models` and `create_model`."""

from typing import Any

from torch import nn

from fittingroom.api.data import Data, load_data
from fittingroom.core.config import to_dict
from fittingroom.core.randomness import seeded
from fittingroom.models import build_model, fit_to_images, resolve_config
from fittingroom.tasks.load import all_models, task_of_model


def list_models(task: str | None = None) -> list[str]:
    """Names of all models, or of those of one task: `classification` or `seq2seq`."""
    return [name for name in all_models() if task in (None, task_of_model(name).name)]


def create_model(name: str, data: Data | str | None = None, *, seed: int = 0, **settings: Any) -> nn.Module:
    """A freshly initialized network, a plain `nn.Module`.

    `data` decides image size, channels and classes (absent: Fashion-MNIST's). Settings of the model go by name:
    `create_model("vit", data, patch_size=7)`. Raises FittingRoomError for unknown names, and where the size does not suit.
    """
    task = task_of_model(name)
    registry = task.config_class.registry
    values = settings
    if data is not None:
        spec = load_data(data).spec
        if hasattr(spec, "num_classes"):
            fitted = fit_to_images(
                name,
                settings,
                img_size=(spec.height, spec.width),
                in_chans=spec.channels,
                num_classes=spec.num_classes,
            )
            values = to_dict(fitted)
        else:
            source, target = spec.num_source_symbols, spec.num_target_symbols
            sizes = {
                "src_vocab_size": source + 4,
                "tgt_vocab_size": target + 4,
            }  # four ids are fixed, see vocabulary.py
            values = to_dict(resolve_config(name, {**settings, **sizes}, registry))
    with seeded(seed, "init"):
        return build_model(name, values, registry)
