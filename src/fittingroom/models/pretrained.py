"""Weights that were trained on other images: what comes with them, how a file of them is read, and how they get into a model.

The head of a pretrained network knows other classes, so a new one takes its place unless the number of classes is the same.
"""

import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file

Weights = dict[str, Tensor]
INSIDE = ("state_dict_ema", "state_dict", "model_state_dict", "model", "weights")
"""Keys under which training programs put the weights in a larger file."""
WRAPPED = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and torch.compile put before names."""
HEADS = ("head", "classifier", "fc", "head.fc", "model.classifier", "model.classifier.1", "model.head")
"""Where networks have their last layer."""
MOST_NAMED = 3
"""Names that an error message lists."""


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The images that a pretrained network was trained on."""

    channels: int
    height: int
    """Pixels."""
    width: int
    mean: tuple[float, ...]
    """Per channel, with pixels scaled to 0..1."""
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """What a variant knows about its pretrained weights."""

    input: InputSpec
    load: Callable[[], Weights]
    """The weights that `weights=auto` means. Raises FittingRoomError that says where they should be."""
    rename: Callable[[Weights], Weights] = lambda weights: weights
    """Weights with names of other libraries, under the names of this model."""
    any_size: bool = True
    """Whether the network reads images of other sizes than it was trained on."""


def read_weights(path: Path) -> Weights:
    """The tensors in a safetensors file, or in a torch file, which is read without running code.

    Raises FittingRoomError that names the file and the fault.
    """
    check_file(str(path), "give a .safetensors or a .pth file of weights")
    if not path.is_file():
        raise FittingRoomError(f"weights={path}: there is no such file: give a .safetensors or a .pth file, or auto")
    try:
        with path.open("rb") as file:
            is_torch = file.read(2) in (b"PK", b"\x80\x02")  # a zip archive, or a pickle of earlier versions
        found = torch.load(path, map_location="cpu", weights_only=True) if is_torch else load_file(path)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise FittingRoomError(f"weights={path} cannot be read ({_first_line(error)}): give a complete file") from error
    except pickle.UnpicklingError as error:
        raise FittingRoomError(
            f"weights={path} holds more than tensors and could run code, so it is not read: save model.state_dict(), or "
            "convert it to safetensors"
        ) from error
    return _tensors(found, path)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:160]


def _tensors(found: Any, path: Path) -> Weights:
    """The name -> tensor mapping in a file, without the wrapping of training programs."""
    while isinstance(found, Mapping) and not any(isinstance(each, Tensor) for each in found.values()):
        inside = next((found[key] for key in INSIDE if isinstance(found.get(key), Mapping)), None)
        if inside is None:
            break
        found = inside
    tensors = (
        {str(name): each for name, each in found.items() if isinstance(each, Tensor)}
        if isinstance(found, Mapping)
        else {}
    )
    if not tensors:
        raise FittingRoomError(f"weights={path} holds no named tensors: give the state_dict of a model")
    for prefix in WRAPPED:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): each for name, each in tensors.items()}
    return tensors


def put_weights(model: nn.Module, weights: Weights, where: str) -> None:
    """Load `weights` into `model`, except the head's if they are for another number of classes.

    A model on the meta device, which has sizes only, stays as it is. Raises FittingRoomError that names what does not fit.
    """
    own = model.state_dict()
    head = head_name(model)
    of_head = {name for name in own if name.startswith(f"{head}.")}
    other_classes = any(name not in weights or weights[name].shape != own[name].shape for name in of_head)
    left_out = of_head if other_classes else set()
    wanted = {name for name in own if name not in left_out and not name.endswith("num_batches_tracked")}
    missing, extra = sorted(wanted - set(weights)), sorted(set(weights) - set(own))
    shapes = [
        f"{name} {list(weights[name].shape)} instead of {list(own[name].shape)}"
        for name in sorted(wanted & set(weights))
        if weights[name].shape != own[name].shape
    ]
    faults = [_some("missing", missing), _some("unknown", extra), _some("other shapes", shapes)]
    if any(faults):
        told = "; ".join(filter(None, faults))
        raise FittingRoomError(
            f"{where} does not fit {type(model).__name__}: {told}: give weights of this architecture"
        )
    if any(each.is_meta for each in own.values()):
        return
    kept = {name: each for name, each in weights.items() if name not in left_out}
    model.load_state_dict({**own, **kept})


def _some(what: str, names: Sequence[str]) -> str:
    more = ", ..." if len(names) > MOST_NAMED else ""
    return f"{len(names)} {what} ({', '.join(names[:MOST_NAMED])}{more})" if names else ""


def head_name(model: nn.Module) -> str:
    """The name of the linear layer that turns features into logits. Raises FittingRoomError if there is none."""
    declared = getattr(model, "pretrained_cfg", None)  # of timm
    classifier = declared.get("classifier") if isinstance(declared, dict) else getattr(declared, "classifier", None)
    for name in (*([classifier] if isinstance(classifier, str) else []), *HEADS):
        try:
            found = model.get_submodule(name)
        except AttributeError:
            continue
        if isinstance(found, nn.Linear):
            return name
    raise FittingRoomError(
        f"{type(model).__name__} has no linear layer as its head, so its features cannot be used: choose another network, or "
        "train it from scratch"
    )


def head_of(model: nn.Module) -> nn.Linear:
    """The layer of `head_name`."""
    found = model.get_submodule(head_name(model))
    assert isinstance(found, nn.Linear)
    return found


def features_of(model: nn.Module, images: Tensor) -> Tensor:
    """What the head gets for these images, [batch, features]."""
    kept: list[Tensor] = []
    handle = head_of(model).register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    try:
        model(images)
    finally:
        handle.remove()
    return kept[-1]
