"""Pretrained networks: which weights a run starts from, which images they want, and what of them may change."""

import functools
import hashlib
import types
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from fittingroom.core.config import from_dict
from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.rundir import read_json
from fittingroom.core.upgrade import upgrade_config
from fittingroom.data.images.load import is_pictures
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.spec import DataSpec
from fittingroom.evaluation.shipped import WEIGHTS, find_run, shipped
from fittingroom.evaluation.weights import FILE
from fittingroom.models.image_size import height_width
from fittingroom.models.pretrained import InputSpec, Weights, head_name, put_weights, read_weights
from fittingroom.tasks.classification.config import ClassificationConfig

SMALL_BATCH = 64
"""Below this many images a batch says too little about means and deviations: batch norms keep those they were trained with."""
NUM_RATES = 8
"""Learning rates between the first layer and the last: that many parameter groups."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """The weights that a run starts from."""

    weights: Weights
    digest: str
    """Twelve hex digits of the SHA-256 of their names and values."""
    input: InputSpec
    any_size: bool
    settings: dict[str, Any]
    """The model settings of the network they belong to."""
    where: str
    """What to call them in an error."""


def start_of(config: ClassificationConfig) -> Start:
    """The weights of `config`, which must not be trained from scratch. Raises FittingRoomError if there are none."""
    state = _state(Path(config.weights))
    return _start(config.model, config.weights, state)


def _state(path: Path) -> tuple[float, int] | None:
    """Time and size of a file, so that a changed file is read again."""
    try:
        found = path.stat()
        return found.st_mtime, found.st_size
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=2)
def _start(model: str, weights: str, _state: Any) -> Start:
    variant = ClassificationConfig.registry.get(model)
    run = _run_of(model, weights, variant.pretrained is not None)
    if run is not None:
        return _from_run(model, run)
    assert variant.pretrained is not None
    known = variant.pretrained()
    loaded = known.load() if weights == "auto" else read_weights(Path(weights))
    named = known.rename(loaded)
    return Start(
        weights=named, digest=weights_digest(named), input=known.input, any_size=known.any_size, settings={},
        where=f"{model}: weights={weights}",
    )  # fmt: skip


def _run_of(model: str, weights: str, has_own: bool) -> Path | None:
    """The folder of the finished run that has the weights; None if they are a file or the variant's own."""
    if weights == "auto":
        if has_own:
            return None
        if model not in shipped("classification"):
            known = ", ".join(shipped("classification"))
            raise FittingRoomError(
                f"there is no included network {model}: choose {known}, or give weights=RUN, the folder of a finished run"
            )
        return WEIGHTS / model
    place = Path(weights)
    if weights in shipped("classification") or place.is_dir():
        return find_run(weights, "classification")
    if not has_own:
        if not place.exists():
            hint = did_you_mean(weights, shipped("classification"))
            raise FittingRoomError(
                f"weights={weights}: there is no finished run: give the folder of a run of {model}; {hint}"
            )
        raise FittingRoomError(
            f"weights={weights}: for {model} give the folder of a finished run: it says which images the weights are for"
        )
    return None


def _from_run(model: str, folder: Path) -> Start:
    config = upgrade_config(read_json(folder / "config.json"))
    if config.get("model") != model:
        raise FittingRoomError(
            f"weights={folder}: that run trained {config.get('model')}, not {model}: give a run of {model}"
        )
    saved = read_json(folder / "data.json")
    spec = from_dict(DataSpec, saved.get("spec", {}), f"{folder}/data.json")
    path = folder / FILE
    if not path.is_file():
        raise FittingRoomError(f"weights={folder}: {FILE} is missing: give a finished run")
    weights = {name: each.float() if each.is_floating_point() else each for name, each in load_file(path).items()}
    channels, height, width = spec.input_shape
    settings = {
        key: value
        for key, value in config.get("model_config", {}).items()
        if key not in ("img_size", "in_chans", "num_classes")
    }
    return Start(
        weights=weights, digest=weights_digest(weights), settings=settings, any_size=False, where=f"weights={folder}",
        input=InputSpec(channels=channels, height=height, width=width, mean=spec.mean, std=spec.std),
    )  # fmt: skip


def weights_digest(weights: Weights) -> str:
    """Twelve hex digits of names, types and values. The kind of file does not matter."""
    content = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        content.update(f"{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        content.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()[:12]


def wanted_size(config: ClassificationConfig) -> tuple[int, int] | None:
    """The size (height, width) of the images that the network gets; None: the data set's.

    Chosen with input_size or, for a pretrained network, by `--image-size` or else the size that it was trained on.
    """
    given = None if config.input_size is None else height_width(config.input_size)
    if config.mode == "scratch":
        return given
    start = start_of(config)
    trained = (start.input.height, start.input.width)
    if not start.any_size:
        if given not in (None, trained):
            raise FittingRoomError(
                f"input_size {config.input_size}: {config.model} with these weights reads only images of "
                f"{trained[0]}x{trained[1]}: omit it"
            )
        return trained
    return given or config.pictures.image_size or trained


def picture_options(config: ClassificationConfig) -> PictureOptions:
    """How pictures in files become images. Those for a network with a size of its own are decoded at that size if they are as
    large, so that no detail is lost; smaller ones at their own size: the network's input is enlarged from them.
    """
    options, size = config.pictures, wanted_size(config)
    if size is None or options.image_size is not None or not is_pictures(config.data):
        return options
    from fittingroom.data.images.pictures import typical_side

    most = typical_side(Path(config.data), options)
    scale = min(1.0, most / min(size))
    return replace(options, image_size=(max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))


def input_spec(spec: DataSpec, config: ClassificationConfig) -> DataSpec:
    """The description of the data with the input of this run's network."""
    size = wanted_size(config)
    channels, mean, std = spec.channels, spec.mean, spec.std
    if config.mode != "scratch":
        known = start_of(config).input
        channels, mean, std = known.channels, known.mean, known.std
    preprocessing = replace(
        spec.preprocessing,
        input_size=None if size in (None, (spec.height, spec.width)) else size,
        input_channels=None if channels == spec.channels else channels,
    )
    return replace(spec, mean=mean, std=std, preprocessing=preprocessing)


def put_start(model: nn.Module, config: ClassificationConfig) -> None:
    """Load the pretrained weights into a new model. Its head keeps its random values, unless the classes are as many."""
    start = start_of(config)
    put_weights(model, start.weights, start.where)


def size_hints(spec: DataSpec, config: ClassificationConfig) -> tuple[str, ...]:
    """What to know if the network gets images that are larger than those of the data set."""
    _, height, width = spec.input_shape
    if height * width <= spec.height * spec.width:
        return ()
    why = "" if config.mode == "scratch" else " for the pretrained network"
    return (f"{config.model}: images of {spec.height}x{spec.width} are enlarged to {height}x{width}{why}",)


def keeps_statistics(config: ClassificationConfig) -> bool:
    """Whether batch norms are frozen: as the user says, or if batches are small."""
    chosen = config.finetune.frozen_norms
    return config.batch_size < SMALL_BATCH if chosen is None else chosen


def keep_statistics(model: nn.Module) -> None:
    """Batch norms keep the means and deviations that they were trained with, also while the model trains."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = types.MethodType(_stays, module)  # type: ignore[method-assign]
            module.train()


def _stays(self: nn.Module, mode: bool = True) -> nn.Module:
    return nn.Module.train(self, False)


def rate_shares(model: nn.Module, body_rate: float, input_rate: float) -> dict[str, float]:
    """The learning rate of each parameter as a share of the head's, from `input_rate` at the first layer to `body_rate` at the
    last before the head. Layers count in the order in which the model holds them; the steps between them are equal ratios.
    """
    head = f"{head_name(model)}."
    names = [name for name, _ in model.named_parameters()]
    body = [name for name in names if not name.startswith(head)]
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in body))
    place = {layer: number / max(1, len(layers) - 1) for number, layer in enumerate(layers)}
    shares = {}
    for name in body:
        step = round(place[name.rpartition(".")[0]] * (NUM_RATES - 1)) / (NUM_RATES - 1)
        shares[name] = input_rate * (body_rate / input_rate) ** step
    return shares
