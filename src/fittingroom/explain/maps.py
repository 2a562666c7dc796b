"""What one model in memory shows on images of the caller: arrays for `report/plots.py`. Works for our models and for others'."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.tensors import plain_array
from fittingroom.explain.catalogue import METHODS, caption, check_method
from fittingroom.explain.eval_mode import unwrapped
from fittingroom.explain.examine import answers
from fittingroom.explain.findings import ImageMaps
from fittingroom.explain.methods import attention_on_grid, default_method, saliency
from fittingroom.explain.question import class_number
from fittingroom.explain.tokens import has_tokens, token_layout

Numbers = float | Sequence[float]


def attention_maps(
    model: nn.Module,
    images: Any,
    *,
    layer: int = -1,
    head: int | None = None,
    class_names: Sequence[str] | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
) -> ImageMaps:
    """How much attention each patch receives in one block, from the tokens from which the answer is computed.

    `layer` counts the blocks from 0, or from the end if negative. `head` counts from 0; None is the mean of all heads. A map is
    in units of an even share: 1 is what each token would get if attention were spread evenly. For `images`, `mean` and `std`
    see `prepare`. Raises FittingRoomError for a CNN, and for a layer or head that does not exist.
    """
    if not has_tokens(model):
        name = type(unwrapped(model)).__name__
        raise FittingRoomError(f"{name} has no attention between patches: use saliency, which works for every network")
    inputs, shown = prepare(images, mean=mean, std=std)
    probs = _answers(model, inputs)
    maps = attention_on_grid(model, inputs, layer=layer, head=head)
    where = f"block {layer + 1}" if layer >= 0 else "the last block" if layer == -1 else f"block {-layer} from the end"
    return ImageMaps(
        images=shown,
        maps=token_layout(model, inputs).num_tokens * maps.numpy(),
        labels=_labels(probs, probs.argmax(axis=1), class_names),
        title=f"Attention in {where}, {'mean of all heads' if head is None else f'head {head + 1}'}",
        caption="It shows where information is gathered, not what decides the answer. Under each map: the predicted class.",
        unit="attention, times an even share",
    )


def saliency_maps(
    model: nn.Module,
    images: Any,
    targets: int | str | Sequence[int | str] | Tensor | None = None,
    method: str | None = None,
    *,
    class_names: Sequence[str] | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
) -> ImageMaps:
    """How much each pixel counts for a class, by one of `explain.catalogue.METHODS`.

    `targets` is one class for all images or one for each, by number or name; None is the class that the model predicts. `method`
    None is the default one: relevance for a network of tokens, Grad-CAM for others. Each map is divided by its own mean. For
    `images`, `mean` and `std` see `prepare`.
    """
    inputs, shown = prepare(images, mean=mean, std=std)
    chosen = check_method(method) if method else default_method(model)
    probs = _answers(model, inputs)
    classes = _targets(targets, probs, class_names)
    maps = saliency(model, inputs, torch.from_numpy(classes), chosen).astype(np.float64)
    means = maps.mean(axis=(1, 2), keepdims=True)
    which = "the predicted class" if targets is None else "the class that is explained"
    return ImageMaps(
        images=shown,
        maps=np.divide(maps, means, out=np.zeros_like(maps), where=means > 0),
        labels=_labels(probs, classes, class_names),
        title=METHODS[chosen].title,
        caption=f"{caption(chosen)} Under each map: {which}.",
        unit="importance, times that of an average pixel",
    )


def prepare(images: Any, *, mean: Numbers | None = None, std: Numbers | None = None) -> tuple[Tensor, np.ndarray]:
    """The images as a model takes them, float (N, C, H, W), and as people see them, bytes (N, H, W) or (N, H, W, 3).

    `images` is a tensor or an array of shape (N, C, H, W), (N, H, W, C) or (N, H, W), with 1 or 3 channels. Bytes become
    `(image / 255 - mean) / std` for the model. Floats are given to the model unchanged: normalise them first. `mean` and `std`
    are then used only to show them; without, images outside 0 to 1 are stretched to their own range.
    """
    array = _channels_first(np.asarray(plain_array(images)))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise FittingRoomError("images hold NaN or infinity: give uint8, or finite floats")
    centre, spread = (
        None
        if each is None
        else np.broadcast_to(np.asarray(each, dtype=np.float64).reshape(-1, 1, 1), (array.shape[1], 1, 1))
        for each in (mean, std)
    )
    centre, spread = 0.0 if centre is None else centre, 1.0 if spread is None else spread
    if array.dtype == np.uint8:
        inputs, shown = (array / 255.0 - centre) / spread, array
    elif np.issubdtype(array.dtype, np.floating):
        inputs, shown = array, _as_bytes(array * spread + centre)
    else:
        raise FittingRoomError(f"images of type {array.dtype} are unknown: give uint8 or float")
    shown = shown[:, 0] if shown.shape[1] == 1 else shown.transpose(0, 2, 3, 1)
    return torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32)), np.ascontiguousarray(shown)


def _channels_first(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3 and len(array):
        return array[:, None]
    if array.ndim == 4 and len(array):
        if array.shape[1] in (1, 3):
            return array
        if array.shape[3] in (1, 3):
            return array.transpose(0, 3, 1, 2)
    raise FittingRoomError(
        f"images of shape {array.shape} are unknown: give (N, C, H, W), (N, H, W, C) or (N, H, W), with 1 or 3 channels"
    )


def _as_bytes(images: np.ndarray) -> np.ndarray:
    """Floats from 0 to 1 as bytes; images outside of that are first stretched, each by its own range."""
    axes = (1, 2, 3)
    low, high = images.min(axis=axes, keepdims=True), images.max(axis=axes, keepdims=True)
    outside = (low < -1e-3) | (high > 1 + 1e-3)
    unit = np.where(outside, (images - low) / np.where(high > low, high - low, 1.0), images)
    return np.round(255 * unit.clip(0.0, 1.0)).astype(np.uint8)


def _answers(model: nn.Module, inputs: Tensor) -> np.ndarray:
    """As `answers`. What a network of the user's raises for images that it cannot read becomes one line."""
    try:
        return answers(model, inputs)
    except FittingRoomError:
        raise
    except Exception as error:
        raise FittingRoomError(
            f"{type(unwrapped(model)).__name__} does not read images of shape {tuple(inputs.shape)}: {error}"
        ) from error


def _targets(
    targets: int | str | Sequence[int | str] | Tensor | None, probs: np.ndarray, class_names: Sequence[str] | None
) -> np.ndarray:
    num_images, num_classes = probs.shape
    if targets is None:
        return probs.argmax(axis=1)
    asked = np.asarray(plain_array(targets))
    if asked.dtype.kind == "U":
        names = [f"class {each}" for each in range(num_classes)] if class_names is None else class_names
        asked = np.array([class_number(str(each), names) for each in asked.ravel()]).reshape(asked.shape)
    if asked.dtype.kind not in "iu":
        raise FittingRoomError(f"target {targets!r}: give the number or name of one class, or of one for each image")
    if asked.ndim > 1 or (asked.ndim == 1 and len(asked) != num_images):
        raise FittingRoomError(
            f"targets of shape {asked.shape} do not fit {num_images} images: give one class, or one for each"
        )
    classes = np.broadcast_to(asked, (num_images,)).astype(np.int64)
    if classes.min() < 0 or classes.max() >= num_classes:
        raise FittingRoomError(f"the model has no class {classes.max()}: choose targets from 0 to {num_classes - 1}")
    return classes.copy()


def _labels(probs: np.ndarray, classes: np.ndarray, class_names: Sequence[str] | None) -> list[str]:
    """'Ankle boot 91 %' for the class of each image."""
    if class_names is not None and len(class_names) != probs.shape[1]:
        raise FittingRoomError(f"{len(class_names)} class names do not fit the model's {probs.shape[1]} classes")
    names = [f"class {each}" if class_names is None else class_names[each] for each in classes]
    shares = probs[np.arange(len(probs)), classes]
    return [f"{name} {100 * share:.0f}\N{NO-BREAK SPACE}%" for name, share in zip(names, shares, strict=True)]
