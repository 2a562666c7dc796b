"""Models for images of any size: what fits, and what the message says if it does not."""

import json
import shlex
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.models import MODELS, fit_to_images, resolve_config
from fittingroom.models.layers.positions import sinusoidal_1d, sinusoidal_2d


def fit(name: str, size: tuple[int, int], **values: Any) -> Any:
    return fit_to_images(name, values, img_size=size, in_chans=3, num_classes=7)


@pytest.mark.parametrize("name", list(MODELS))
def test_size_channels_and_classes_come_from_the_data_and_all_else_stays(name: str) -> None:
    config = fit(name, (32, 32), img_size=5, drop_rate=0.25)
    expected = {**to_dict(resolve_config(name)), "img_size": 32, "in_chans": 3, "num_classes": 7, "drop_rate": 0.25}
    assert to_dict(config) == expected


@pytest.mark.parametrize(
    ("name", "size", "values", "said"),
    [
        ("vit", (64, 42), {}, "model vit: patch_size 4 does not divide img_size 64x42: choose one of [1, 2]; "
                              "nearest that works: --set patch_size=2"),
        ("vit", (48, 48), {"patch_size": 7}, "--set patch_size=8"),
        ("vit", (31, 37), {}, "--set patch_size=1"),
        ("vit_cls", (30, 30), {}, "model vit_cls: patch_size 4 does not divide img_size 30"),
        ("vit", (28, 28), {"patch_size": 0}, "--set patch_size=1"),
        ("cnn", (3, 40), {}, "model cnn: img_size 3x40 is too small for 3 stages: each side needs at least 4 pixels; "
                             "nearest that works: --set 'widths=[32,64]' --set 'blocks=[0,1]'"),
        ("resnet20", (1, 1), {}, "--set 'widths=[16]' --set 'blocks=[3]'"),
    ],
)  # fmt: skip
def test_a_size_that_does_not_fit_names_the_nearest_setting(
    name: str, size: tuple[int, int], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(FittingRoomError) as caught:
        fit(name, size, **values)
    message = str(caught.value)
    assert said in message and "\n" not in message
    words = shlex.split(message.partition("nearest that works: ")[2])
    named = dict(word.split("=", 1) for word in words if word != "--set")
    settings = {key: json.loads(text) for key, text in named.items()}
    assert fit(name, size, **{**values, **settings}).image_size == size


@pytest.mark.parametrize(
    ("values", "said"),
    [({"depth": 0}, "depth 0 is too small"), ({"patch_sise": 2}, "did you mean 'patch_size'?")],
)
def test_other_bad_values_keep_their_message(values: dict[str, Any], said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        fit("vit", (28, 28), **values)
    assert said in str(caught.value) and "nearest that works" not in str(caught.value)


@pytest.mark.thorough
@given(height=st.integers(1, 40), width=st.integers(1, 40), strides=st.lists(st.integers(1, 3), min_size=2, max_size=2))
def test_a_hybrid_reads_images_of_any_size(height: int, width: int, strides: list[int]) -> None:
    shape = {"stem_widths": [4, 4], "stem_strides": strides, "embed_dim": 8, "num_heads": 2, "depth": 1}
    for downsample in ("stride", "pool"):
        model = MODELS.get("hybrid").build(fit("hybrid", (height, width), **shape, stem_downsample=downsample)).eval()
        assert model(torch.zeros(1, 3, height, width)).shape == (1, 7)


@pytest.mark.parametrize("name", ["cnn", "resnet20"])
@pytest.mark.parametrize("size", [(4, 4), (5, 31), (33, 4)])
def test_a_cnn_reads_images_of_any_size_from_its_smallest(name: str, size: tuple[int, int]) -> None:
    assert MODELS.get(name).build(fit(name, size)).eval()(torch.zeros(1, 3, *size)).shape == (1, 7)


@pytest.mark.parametrize("name", ["vit", "vit_conv_stem"])
@pytest.mark.parametrize("kind", ["sincos2d", "sincos1d", "learned"])
def test_positions_follow_the_grid(name: str, kind: str) -> None:
    model: Any = MODELS.get(name).build(fit(name, (32, 20), positions=kind))
    assert model.grid == (8, 5)
    assert model.pos_embed.shape == (1, 40, 128)
    if kind == "sincos2d":
        assert torch.equal(model.pos_embed[0], sinusoidal_2d(8, 5, 128))
    if kind == "sincos1d":
        assert torch.equal(model.pos_embed[0], sinusoidal_1d(40, 128))


def test_patches_of_a_rectangle_are_its_own_pixels() -> None:
    """Token 7 of a 4 x 5 grid is row 1, column 2: changing its pixels changes no other token before attention."""
    model: Any = MODELS.get("vit").build(fit("vit", (16, 20)))
    image = torch.randn(1, 3, 16, 20)
    changed = image.clone()
    changed[:, :, 4:8, 8:12] += 1
    moved = (model.patch_embed(image) - model.patch_embed(changed)).abs().amax(-1)[0] > 1e-6
    assert moved.nonzero().flatten().tolist() == [7]
