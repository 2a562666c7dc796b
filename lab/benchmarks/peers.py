"""The same Vision Transformer, built by other libraries. Each library is imported only when it is needed.

Runs in .venv-peers, so it imports only the shape from our code. If a library allows it, tokens are averaged and there is no class
token, as in our `vit`. Hugging Face and torchvision always have a class token.
"""

# pyright: reportMissingImports=false
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lab.benchmarks.contenders import CHANNELS, CLASSES, DEPTH, DIM, HEADS, PATCH, SIDE

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class LogitsOnly(nn.Module):
    """Wraps a Hugging Face model, which returns a record, to return only logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.model(pixel_values=images).logits


def make_torchvision_importable() -> None:
    """Declare two operators of torchvision, so that it can be imported with a CPU build of torch.

    Its wheel on PyPI is built for torch with CUDA, and its operators do not load with a CPU build. The import then fails at these
    two, which no ViT and no transform uses.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return  # the library that needs it says so itself
    try:
        for library in Path(found.origin).parent.glob("_C*.so"):
            torch.ops.load_library(library)
    except OSError:
        declared = torch.library.Library("torchvision", "DEF")
        for operator in OPERATORS:
            declared.define(operator)
        _KEPT.append(declared)


_KEPT: list[Any] = []  # a declaration ends with the object that made it


def timm(explicit_attention: bool) -> nn.Module:
    """timm's VisionTransformer. `set_fused_attn` is its own option."""
    make_torchvision_importable()
    from timm.layers.config import set_fused_attn
    from timm.models.vision_transformer import VisionTransformer

    if explicit_attention:
        set_fused_attn(False)
    return VisionTransformer(
        img_size=SIDE, patch_size=PATCH, in_chans=CHANNELS, num_classes=CLASSES, embed_dim=DIM, depth=DEPTH,
        num_heads=HEADS, class_token=False, global_pool="avg",
    )  # fmt: skip


def transformers(explicit_attention: bool) -> nn.Module:
    """Hugging Face's ViTForImageClassification. `attn_implementation` is its own option."""
    make_torchvision_importable()
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        image_size=SIDE, patch_size=PATCH, num_channels=CHANNELS, hidden_size=DIM, num_hidden_layers=DEPTH,
        num_attention_heads=HEADS, intermediate_size=4 * DIM,
    )  # fmt: skip
    config.num_labels = CLASSES
    config._attn_implementation = "eager" if explicit_attention else "sdpa"
    return LogitsOnly(ViTForImageClassification(config))


def torchvision(explicit_attention: bool) -> nn.Module:
    """torchvision's VisionTransformer. It supports only three colour channels, so its patch projection is replaced."""
    assert not explicit_attention
    make_torchvision_importable()
    from torchvision.models.vision_transformer import VisionTransformer

    model = VisionTransformer(
        image_size=SIDE, patch_size=PATCH, num_layers=DEPTH, num_heads=HEADS, hidden_dim=DIM, mlp_dim=4 * DIM,
        num_classes=CLASSES,
    )  # fmt: skip
    model.conv_proj = nn.Conv2d(CHANNELS, DIM, kernel_size=PATCH, stride=PATCH)
    return model


def vit_pytorch(explicit_attention: bool) -> nn.Module:
    """vit-pytorch's SimpleViT: explicit attention, fixed positions, mean pooling."""
    assert not explicit_attention
    make_torchvision_importable()
    from vit_pytorch.simple_vit import SimpleViT

    return SimpleViT(
        image_size=SIDE, patch_size=PATCH, num_classes=CLASSES, dim=DIM, depth=DEPTH, heads=HEADS, mlp_dim=4 * DIM,
        channels=CHANNELS, dim_head=DIM // HEADS,
    )  # fmt: skip


BUILDERS: dict[str, Callable[[bool], nn.Module]] = {
    "timm": timm,
    "transformers": transformers,
    "torchvision": torchvision,
    "vit-pytorch": vit_pytorch,
}
