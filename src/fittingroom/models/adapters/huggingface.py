"""Image classifiers of Hugging Face's transformers: `hf:microsoft/resnet-18`, `hf:FOLDER`, or a kind: `hf:vit`, `hf:resnet`.

A repository or a folder says how the network is built and what it was trained on. A kind is built with the library's defaults and
has no weights of its own.
"""

import importlib.util
import json
import logging
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.adapters.common import (
    BUILD_ERRORS,
    ForeignConfig,
    checked_build,
    family_of,
    fetch,
    first_line,
    similar_names,
)
from fittingroom.models.pretrained import InputSpec, Pretrained, Weights, read_weights
from fittingroom.models.registry import MODELS, Variant

INSTALL = "pip install transformers, or with --no-deps to keep the torch that is there"
FILES = ("model.safetensors", "pytorch_model.bin")
SETTINGS, PREPROCESSING = "config.json", "preprocessor_config.json"
USUAL_SIDE = 224


class LogitsOnly(nn.Module):
    """Wraps a model of transformers, which returns a record, to return only logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.config: Any = model.config

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.model(pixel_values=images).logits


@MODELS.register_prefix("hf")
def hf_variant(name: str) -> Variant:
    """The variant of `hf:NAME`. Raises FittingRoomError if transformers is not installed, and for an unknown name."""
    if importlib.util.find_spec("transformers") is None:
        raise FittingRoomError(f"hf:{name} needs transformers, which is not installed: {INSTALL}")
    return _variant(name)


@cache
def _variant(name: str) -> Variant:
    build = partial(_build, name)
    config = ForeignConfig(img_size=_side(name))
    try:
        with torch.device("meta"):
            family = family_of(build(config))
    except BUILD_ERRORS as error:
        raise FittingRoomError(
            f"hf:{name} is not an image classifier that can be built here ({first_line(error)})"
        ) from error
    return Variant(
        name=f"hf:{name}", family=family, title=name.rpartition("/")[2], source="Hugging Face",
        make_config=partial(ForeignConfig, img_size=_side(name)), build=partial(checked_build, f"hf:{name}", build),
        pretrained=partial(_pretrained, name),
    )  # fmt: skip


def _is_kind(name: str) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KINDS

    return name in KINDS


@cache
def _settings(name: str) -> dict[str, Any]:
    """The config of a repository, a folder or a kind, as plain values."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KINDS

    if name in KINDS and not Path(name).is_dir():
        return {"kind": name, **AutoConfig.for_model(name).to_dict()}
    if "/" not in name and not Path(name).is_dir():
        hint = similar_names(name, KINDS, "give OWNER/NAME, a folder, or a kind such as vit or resnet")
        raise FittingRoomError(f"hf:{name}: no such kind of image classifier: {hint}")
    found = _file(name, SETTINGS)
    if found is None:
        raise FittingRoomError(f"hf:{name} has no {SETTINGS}: give a folder that save_pretrained has written")
    values = _read(found)
    if values.get("model_type") not in KINDS:
        raise FittingRoomError(
            f"hf:{name} is a {values.get('model_type')}, which does not classify images: choose another network"
        )
    return values


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FittingRoomError(f"{path} cannot be read ({error}): download it again") from error
    return found if isinstance(found, dict) else {}


def _file(name: str, file: str) -> Path | None:
    """A file of a folder or of a repository: from the local cache, or else downloaded. None if there is no such file."""
    if Path(name).is_dir():
        place = Path(name) / file
        return place if place.is_file() else None
    return fetch(f"hf:{name}", name, [file])


def _side(name: str) -> int:
    size = _settings(name).get("image_size", USUAL_SIDE)
    return int(size if isinstance(size, int) else size[0])


def _build(name: str, config: ForeignConfig) -> LogitsOnly:
    from transformers import AutoConfig, AutoModelForImageClassification

    values = {key: value for key, value in _settings(name).items() if key not in ("kind", "id2label", "label2id")}
    height, width = config.image_size
    if "image_size" in values:
        values["image_size"] = height if height == width else [height, width]
    kind = values.pop("model_type")
    made = AutoConfig.for_model(kind, **{**values, "num_channels": config.in_chans})
    made.num_labels = config.num_classes
    return LogitsOnly(AutoModelForImageClassification.from_config(made))


def _pretrained(name: str) -> Pretrained:
    return Pretrained(
        input=_input(name),
        load=partial(_load, name),
        rename=partial(_renamed, name),
        any_size="image_size" not in _settings(name),
    )


def _input(name: str) -> InputSpec:
    found = None if _is_kind(name) else _file(name, PREPROCESSING)
    values = {} if found is None else _read(found)
    side = _side(name)
    size = values.get("crop_size") or values.get("size") or side
    if isinstance(size, dict):
        edge = size.get("shortest_edge", side)
        size = (size.get("height", edge), size.get("width", edge))
    height, width = (size, size) if isinstance(size, int) else size
    if "image_size" in _settings(name):
        height = width = side
    mean, std = (tuple(values.get(key) or (0.5,) * 3) for key in ("image_mean", "image_std"))
    return InputSpec(channels=len(mean), height=height, width=width, mean=mean, std=std)


def _load(name: str) -> Weights:
    if _is_kind(name) and not Path(name).is_dir():
        raise FittingRoomError(
            f"hf:{name} is a kind of network and has no weights: name a repository, or give weights=FILE"
        )
    found = next(filter(None, (_file(name, file) for file in FILES)), None)
    if found is None:
        raise FittingRoomError(f"hf:{name} holds neither {' nor '.join(FILES)}: give a file with weights=FILE")
    return read_weights(found)


def _renamed(name: str, weights: Weights) -> Weights:
    """Weights as they are in files under the names that the library gives them in memory, which change with its versions.

    Raises FittingRoomError that names what does not fit.
    """
    from transformers.utils import logging as library_logging

    num_labels = len(_settings(name).get("id2label") or ()) or 2
    with torch.device("meta"):
        empty: Any = _build(name, ForeignConfig(img_size=_side(name), num_classes=num_labels)).model
    verbosity, bars = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity(logging.CRITICAL)
    library_logging.disable_progress_bar()
    try:
        model, told = type(empty).from_pretrained(
            None, config=empty.config, state_dict=dict(weights), output_loading_info=True, ignore_mismatched_sizes=True
        )
    except BUILD_ERRORS as error:
        raise FittingRoomError(
            f"the weights do not fit hf:{name} ({first_line(error)}): give weights of this network"
        ) from error
    finally:
        library_logging.set_verbosity(verbosity)
        if bars:
            library_logging.enable_progress_bar()
    found = {f"model.{key}": each for key, each in model.state_dict().items()}
    lost = {f"model.{key}" for key in told["missing_keys"]} | {f"model.{each[0]}" for each in told["mismatched_keys"]}
    unknown = {f"model.{key}": torch.zeros(0) for key in told["unexpected_keys"]}
    return {**{key: each for key, each in found.items() if key not in lost}, **unknown}  # `put_weights` names them
