"""Networks that take images of another size than they were built for: maps lie on the grid of the real tokens."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.examine import examine, measure_faithfulness
from fittingroom.explain.heads import head_statistics
from fittingroom.explain.maps import attention_maps, saliency_maps
from fittingroom.explain.methods import attention_on_grid, map_grid, saliency
from fittingroom.explain.tokens import pool_weights, token_layout
from tests.unit.explain.networks import TimmViT, hugging_face, timm_like, tiny

METHODS = ("attention", "rollout", "relevance", "gradcam")
SIZES = [(8, 8), (4, 16), (16, 4), (12, 20), (2, 32)]
"""Built for 8 x 8. 4 x 16, 16 x 4 and 2 x 32 have as many patches, on another grid."""


def draw(size: tuple[int, int]) -> Tensor:
    return torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(1))


def rebuilt(model: TimmViT, size: tuple[int, int]) -> TimmViT:
    """The same network built for this size, as timm's `set_input_size` does it: all its attributes are true."""
    twin = timm_like(size=size, reg_tokens=model.num_prefix_tokens - 1)
    table = model.positions((size[0] // 2, size[1] // 2)).detach()
    twin.load_state_dict({**model.state_dict(), "pos_embed": table})
    return twin


@pytest.mark.parametrize("reg_tokens", [0, 4])
@pytest.mark.parametrize("size", SIZES)
def test_interpolated_positions_and_registers_give_the_maps_of_the_real_grid(
    size: tuple[int, int], reg_tokens: int
) -> None:
    model, images, targets = timm_like(reg_tokens=reg_tokens), draw(size), torch.tensor([1, 2])
    twin = rebuilt(model, size)
    torch.testing.assert_close(model(images), twin(images))
    grid = (size[0] // 2, size[1] // 2)
    assert map_grid(model, images) == grid and attention_on_grid(model, images).shape[1:] == grid
    for method in (*METHODS, "random"):
        found, expected = saliency(model, images, targets, method), saliency(twin, images, targets, method)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=method)
    for found, expected in zip(head_statistics(model, images), head_statistics(twin, images), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert examine(model, images, name="x").attention.heads.shape[2:] == grid  # type: ignore[union-attr]
    shown = attention_maps(model, images)
    np.testing.assert_allclose(shown.maps, attention_maps(twin, images).maps, rtol=1e-5)


def test_the_map_lies_where_the_network_looks() -> None:
    """A network whose class token attends to one bright patch only: 4 x 16 pixels, the patch in row 1 and column 6 of 2 x 8."""
    model = timm_like(reg_tokens=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.patch_embed.proj.weight[0] = 1.0  # brightness is in feature 0
        model.cls_token[..., 1] = 1.0  # the class token is feature 1
        for block in model.blocks:
            block.norm1 = nn.Identity()  # type: ignore[union-attr]
            block.attn.qkv.weight[0, 1] = 30.0  # type: ignore[union-attr, index] # its query asks
            block.attn.qkv.weight[16, 0] = 1.0  # type: ignore[union-attr, index] # for bright keys
    images = torch.zeros(1, 1, 4, 16)
    images[0, 0, 2:, 12:14] = 1.0
    found = attention_on_grid(model, images, layer=0, head=0)[0]
    assert found.shape == (2, 8) and np.unravel_index(int(found.argmax()), (2, 8)) == (1, 6)
    pixels = saliency(model, images, torch.tensor([0]), "attention")[0]
    row, column = np.unravel_index(int(pixels.argmax()), (4, 16))
    assert row >= 2 and column in (12, 13)


def test_sizes_that_are_padded_to_whole_patches_count_the_padded_ones() -> None:
    model, images = timm_like(pad=True), draw((7, 11))
    assert map_grid(model, images) == (4, 6)
    assert saliency(model, images, torch.tensor([0, 1]), "relevance").shape == (2, 7, 11)


class Interpolating(nn.Module):
    """Hugging Face's ViT, told to interpolate its positions."""

    def __init__(self) -> None:
        super().__init__()
        self.inner: Any = hugging_face()
        self.config = self.inner.config

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images, interpolate_pos_encoding=True).logits


@pytest.mark.parametrize("size", SIZES)
def test_hugging_face_with_interpolated_positions(size: tuple[int, int]) -> None:
    model, images = Interpolating().eval(), draw(size)
    layout = token_layout(model, images)
    assert (layout.grid_height, layout.grid_width) == (size[0] // 2, size[1] // 2)
    for method in METHODS:
        assert saliency(model, images, torch.tensor([0, 1]), method).shape == (2, *size)


@pytest.mark.parametrize("method", METHODS)
def test_tokens_that_do_not_fit_the_layout_are_one_clear_error(method: str) -> None:
    model, images = timm_like(reg_tokens=1), draw((8, 8))
    model.num_prefix_tokens = 0  # as for a network with tokens that its attributes do not mention
    model.positions = lambda grid: model.pos_embed  # type: ignore[method-assign]
    with pytest.raises(
        FittingRoomError, match="has 18 tokens for an image of 8 x 8, but 4 x 4 patches and 0 other tokens"
    ):
        saliency(model, images, torch.tensor([0, 1]), method)


def test_a_mean_that_includes_the_prefix_weighs_all_tokens() -> None:
    model: Any = timm_like(reg_tokens=3)
    model.global_pool, model.pool_include_prefix = "avg", True
    torch.testing.assert_close(pool_weights(model, draw((8, 8))), torch.full((2, 20), 1 / 20))


def test_a_mean_of_the_grid_leaves_class_and_register_tokens_out() -> None:
    model: Any = timm_like(reg_tokens=3)
    model.global_pool = "avg"
    expected = torch.cat([torch.zeros(2, 4), torch.full((2, 16), 1 / 16)], dim=1)
    torch.testing.assert_close(pool_weights(model, draw((8, 8))), expected)


@pytest.mark.thorough
def test_faithfulness_and_pictures_of_another_size() -> None:
    model, images = timm_like(reg_tokens=4), draw((4, 16))
    assert set(measure_faithfulness(model, images, steps=2, num_random=1).scores) == {*METHODS, "random"}
    assert saliency_maps(model, images).maps.shape == (2, 4, 16)


@pytest.mark.parametrize("make", [timm_like, lambda: tiny("vit"), Interpolating])
def test_sizes_that_would_lose_pixels_at_the_edges_are_refused(make: Any) -> None:
    model, images = make().eval(), draw((9, 8))
    for method in METHODS:
        with pytest.raises(FittingRoomError, match="images of 9 x 8 are not a whole number of patches of 2 x 2"):
            saliency(model, images, torch.tensor([0, 1]), method)
