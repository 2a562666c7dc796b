"""Networks of timm (github.com/huggingface/pytorch-image-models): `timm:resnet18`, `timm:vit_small_patch16_224.augreg_in21k`."""

import importlib
import importlib.util
import re
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.adapters.common import (
    ForeignConfig,
    cannot_fetch,
    checked_build,
    family_of,
    fetch,
    similar_names,
)
from fittingroom.models.adapters.torchvision import make_importable
from fittingroom.models.pretrained import InputSpec, Pretrained, Weights, read_weights
from fittingroom.models.registry import MODELS, Variant

INSTALL = "pip install timm, or pip install --no-deps timm torchvision to keep the torch that is there"
FILES = ("model.safetensors", "pytorch_model.bin")


@MODELS.register_prefix("timm")
def timm_variant(name: str) -> Variant:
    """The variant of `timm:NAME`. Raises FittingRoomError if timm is not installed, and for a name that it does not know."""
    return _variant(name)


@cache
def _variant(name: str) -> Variant:
    timm = timm_library(name)
    if not timm.is_model(name):
        hint = similar_names(name.split(".")[0], timm.list_models(), "timm.list_models() lists all names")
        raise FittingRoomError(f"timm has no model '{name}': {hint}")
    build = partial(_build, name)
    with torch.device("meta"):
        family = family_of(build(ForeignConfig(img_size=_side(name))))
    return Variant(
        name=f"timm:{name}", family=family, title=name, source="timm", make_config=partial(ForeignConfig, img_size=_side(name)),
        build=partial(checked_build, f"timm:{name}", build), pretrained=partial(_pretrained, name),
    )  # fmt: skip


def timm_library(name: str) -> Any:
    """timm, imported. Raises FittingRoomError with the command that installs it."""
    for module in ("timm", "torchvision"):
        if importlib.util.find_spec(module) is None:
            raise FittingRoomError(f"timm:{name} needs {module}, which is not installed: {INSTALL}")
    make_importable()
    try:
        return importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:  # a torchvision for another torch
        raise FittingRoomError(f"timm:{name}: timm cannot be imported ({error}): {INSTALL}") from error


def _settings(name: str) -> Any:
    """timm's record of the pretrained weights: input size, mean, where they are."""
    timm: Any = importlib.import_module("timm")
    return timm.get_pretrained_cfg(name, allow_unregistered=True) or timm.models.PretrainedCfg()


def _side(name: str) -> int:
    return int(_settings(name).input_size[-1])


def _build(name: str, config: ForeignConfig) -> nn.Module:
    timm: Any = importlib.import_module("timm")
    size = {"img_size": config.image_size} if _settings(name).fixed_input_size else {}
    return timm.create_model(
        name,
        pretrained=False,
        num_classes=config.num_classes,
        in_chans=config.in_chans,
        drop_rate=config.drop_rate,
        **size,
    )


def _pretrained(name: str) -> Pretrained:
    settings = _settings(name)
    channels, height, width = settings.input_size
    return Pretrained(
        input=InputSpec(
            channels=channels, height=height, width=width, mean=tuple(settings.mean), std=tuple(settings.std)
        ),
        load=partial(_load, name),
        rename=partial(_renamed, name),
        any_size=not settings.fixed_input_size,
    )


def _load(name: str) -> Weights:
    """From the Hugging Face cache, from torch's, or else downloaded."""
    settings = _settings(name)
    url, repo = settings.url or "", settings.hf_hub_id or ""
    repo = f"{repo}{name}" if repo.endswith("/") else repo
    if not url and not repo:
        raise FittingRoomError(
            f"timm has no weights for {name}: choose another network, or give a file with weights=FILE"
        )
    of_torch = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    found = of_torch if url and of_torch.is_file() else fetch(f"timm:{name}", repo, FILES) if repo else None
    if found is None:
        raise cannot_fetch(f"timm:{name}", f"https://huggingface.co/{repo}" if repo else url, FILES[0])
    return read_weights(found)


BLOCKS = {
    "InvertedResidual": {
        "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
        "_bn2": "bn3", "_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand",
    },
    "DepthwiseSeparableConv": {
        "_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2", "_se_reduce": "se.conv_reduce",
        "_se_expand": "se.conv_expand",
    },
}  # fmt: skip
OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
"""Names of EfficientNet-PyTorch -> timm's, in blocks and outside."""


def _renamed(name: str, weights: Weights) -> Weights:
    """Weights with the names of EfficientNet-PyTorch under timm's names; others stay."""
    if "_conv_stem.weight" not in weights:
        return weights
    with torch.device("meta"):
        model: Any = _build(name, ForeignConfig(img_size=_side(name)))
    blocks = [
        (f"blocks.{number}.{place}", BLOCKS.get(type(block).__name__, {}))
        for number, stage in enumerate(getattr(model, "blocks", []))
        for place, block in enumerate(stage)
    ]
    changed = {}
    for key, tensor in weights.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
        if match and int(match[1]) < len(blocks):
            place, names = blocks[int(match[1])]
            changed[f"{place}.{names.get(match[2], match[2])}.{match[3]}"] = tensor
        else:
            layer, _, rest = key.partition(".")
            changed[f"{OUTSIDE.get(layer, layer)}.{rest}"] = tensor
    return changed
