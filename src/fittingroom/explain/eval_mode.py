"""How this package calls a network: in evaluation mode, never compiled, a bounded number of images at a time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.layers.attention import ONE_AT_A_TIME

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
CHUNK = 128
"""Most images of up to 64x64 pixels in one forward pass, fewer of larger ones, so that memory is bounded."""


def unwrapped(model: nn.Module) -> Any:
    """The network inside wrappers that only call it, or `model` itself. Typed Any, because callers ask for its attributes.

    Wrappers are those of `torch.compile` and `WRAPPERS`. A user's own module with a `module` may change the images.
    """
    inner: Any = getattr(model, "_orig_mod", None)
    if inner is None and isinstance(model, WRAPPERS):
        inner = model.module
    return model if inner is None else unwrapped(inner)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Inside this block, compiled networks run as written, so that hooks and captures see every step."""
    # torch._dynamo takes seconds to import. If nobody has imported it, nothing is compiled.
    with torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext():
        yield


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Inside this block, `model` is in evaluation mode and not compiled. Afterwards every module is back in its own mode."""
    with ONE_AT_A_TIME:
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            with uncompiled():
                yield
        finally:
            for module, was_training in modes:
                module.training = was_training


@contextmanager
def differentiating() -> Iterator[None]:
    """Inside this block, gradients can be taken, even if the caller has turned them off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def check_differentiable(model: nn.Module) -> None:
    """Raise FittingRoomError for a network that has no gradients."""
    if any(parameter.is_inference() for parameter in model.parameters()):
        raise FittingRoomError(
            f"the weights of {type(unwrapped(model)).__name__} were made inside torch.inference_mode() and have no gradients: "
            "make or load it outside"
        )


def as_input(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch channels height width"]:
    """A copy of `images` on the device and in the precision of `model`'s parameters."""
    first = next(model.parameters(), None)
    if first is None:
        return images.detach().clone()
    return images.detach().to(device=first.device, dtype=first.dtype, copy=True)


def logits_of(output: Any) -> Float[Tensor, "batch classes"]:
    """The logits that a network returned: the tensor itself, or its attribute `logits` (Hugging Face)."""
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if not isinstance(logits, Tensor):
        raise FittingRoomError(
            f"the model returned {type(output).__name__}, which holds no logits: choose one that classifies images"
        )
    return logits


def target_score(logits: Float[Tensor, "batch classes"], targets: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
    """The logit of each image's target class, summed over the images. Its gradient treats every image separately."""
    return logits.float().gather(1, targets.to(logits.device, torch.int64)[:, None]).sum()


def check_targets(images: Tensor, targets: Tensor) -> None:
    """Raise FittingRoomError unless there is exactly one class for each image."""
    if images.ndim != 4 or targets.shape != images.shape[:1]:
        raise FittingRoomError(
            f"images {tuple(images.shape)} and targets {tuple(targets.shape)} do not match: "
            "give images as (batch, channels, height, width) and one class for each"
        )


def chunks(images: Tensor) -> Iterator[slice]:
    """Slices of at most CHUNK images, in order."""
    num_images, pixels = len(images), images.shape[-2] * images.shape[-1]
    size = max(1, min(CHUNK, CHUNK * 64 * 64 // pixels))
    return (slice(start, start + size) for start in range(0, num_images, size))
