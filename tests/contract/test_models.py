"""Contracts of every registered model. The registry names the models; a new one needs only a line in SIZES."""

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.models import MODELS, build_model, fit_to_images, resolve_config
from fittingroom.models.cost import num_macs, num_params
from fittingroom.models.layers.attention import capture_attention
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.optim import build_optimizer

SIZES = {  # name: parameters, multiply-adds for 28 x 28 x 1
    "cnn": (759_018, 72_480_512),
    "resnet20": (269_434, 30_821_248),
    "efficientnet_lite0": (3_383_242, 7_320_272),
    "hybrid": (712_811, 71_313_920),
    "vit_conv_stem": (744_306, 39_646_592),
    "vit": (796_810, 41_095_424),
    "vit_cls": (803_338, 41_983_232),
}
EVERY = pytest.mark.parametrize("name", list(MODELS))


def images(num: int = 4, channels: int = 1, side: int = 28) -> torch.Tensor:
    return torch.randn(num, channels, side, side, generator=torch.Generator().manual_seed(3))


@EVERY
def test_sizes_are_pinned(name: str) -> None:
    model = build_model(name)
    found = (num_params(model), num_macs(model, (1, 28, 28)))
    assert found == SIZES.get(name), f"the size of this model is new: write {name!r}: {found} into SIZES"


def test_sizes_are_pinned_of_registered_models_only() -> None:
    assert set(SIZES) == set(MODELS)


def test_the_recommended_three_are_of_like_size() -> None:
    sizes = [SIZES[name][0] for name in ("vit", "cnn", "hybrid")]
    assert max(sizes) <= 1.2 * min(sizes)
    assert [MODELS.get(name).family for name in ("vit", "cnn", "hybrid")] == ["vit", "cnn", "hybrid"]


@EVERY
def test_logits_and_features_have_their_shapes(name: str) -> None:
    model = build_model(name).eval()
    assert model(images()).shape == (4, 10)
    features = model.forward_features(images())  # type: ignore[operator]
    width = model.head.in_features  # type: ignore[union-attr]
    maps_or_tokens = (4, width, *features.shape[2:]) if features.ndim == 4 else (4, features.shape[1], width)
    assert features.shape == maps_or_tokens
    assert features.isfinite().all()


@EVERY
def test_other_sizes_channels_and_classes(name: str) -> None:
    model = build_model(name, {"img_size": 32, "in_chans": 3, "num_classes": 7})
    assert model(images(2, channels=3, side=32)).shape == (2, 7)


@EVERY
def test_rectangular_images_with_default_settings(name: str) -> None:
    config = fit_to_images(name, {}, img_size=(64, 40), in_chans=3, num_classes=7)
    assert from_dict(type(config), to_dict(config)) == config
    assert config.image_size == (64, 40)
    model: Any = MODELS.get(name).build(config).eval()
    draw = torch.randn(2, 3, 64, 40)
    assert model(draw).shape == (2, 7)
    if MODELS.get(name).family != "cnn":
        assert (model.grid, model.image_size) == ((16, 10), (64, 40))
        assert model.forward_features(draw).shape[1] == 160 + (name == "vit_cls")


@EVERY
def test_a_square_of_two_equal_sides_is_the_same_network(name: str) -> None:
    networks = []
    for size in (28, [28, 28]):
        with seeded(0, "init"):
            networks.append(build_model(name, {"img_size": size}).eval())
    with torch.no_grad():
        assert torch.equal(networks[0](images()), networks[1](images()))


@EVERY
def test_a_default_config_keeps_its_size_as_one_number(name: str) -> None:
    assert to_dict(resolve_config(name))["img_size"] == 28


@EVERY
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = build_model(name)
    for module in model.modules():  # a block that starts as an identity passes no gradient to its layers
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    F.cross_entropy(model(images()), torch.tensor([0, 1, 2, 3])).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert [n for n in without if n != "pool.attention.bias"] == []  # a softmax ignores a constant


@EVERY
def test_in_evaluation_an_image_does_not_feel_its_batch(name: str) -> None:
    model = build_model(name).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(images())[1:2], model(images()[1:2]), rtol=0, atol=1e-5)


@EVERY
def test_weights_and_config_make_the_same_model_again(name: str) -> None:
    config = resolve_config(name, {"num_classes": 5})
    first, second = (MODELS.get(name).build(from_dict(type(config), to_dict(config))) for _ in range(2))
    second.load_state_dict(first.state_dict(), strict=True)
    assert from_dict(type(config), to_dict(config)) == config
    with torch.no_grad():
        assert torch.equal(first.eval()(images()), second.eval()(images()))


@EVERY
def test_a_seed_decides_the_weights(name: str) -> None:
    drawn = []
    for seed in (0, 0, 1):
        with seeded(seed, "init"):
            drawn.append(torch.cat([p.detach().flatten() for p in build_model(name).parameters()]))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@EVERY
def test_captured_attention_equals_fast_attention(name: str) -> None:
    model = build_model(name).eval()
    if MODELS.get(name).family == "cnn":
        with pytest.raises(FittingRoomError, match="has no attention"), capture_attention(model):
            pass
        return
    with torch.no_grad():
        fast = model(images())
        with capture_attention(model) as weights:
            torch.testing.assert_close(model(images()), fast, rtol=0, atol=1e-5)
    for layers in weights.values():
        rows = layers[0].sum(-1)
        torch.testing.assert_close(rows, torch.ones_like(rows), rtol=0, atol=1e-5)


@EVERY
@pytest.mark.parametrize(
    "values",
    [
        {"in_chans": 0},
        {"num_classes": 0},
        {"img_size": 0},
        {"drop_rate": 1.0},
        {"drop_rate": float("nan")},
        {"nonsense": 1},
    ],
)
def test_values_that_cannot_be_are_one_clear_line(name: str, values: dict[str, float]) -> None:
    with pytest.raises(FittingRoomError) as caught:
        resolve_config(name, values)
    assert "\n" not in str(caught.value)
    assert next(iter(values)) in str(caught.value)


@EVERY
def test_configs_are_frozen(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve_config(name).num_classes = 3


@pytest.mark.slow
@EVERY
def test_it_overfits_32_images(name: str) -> None:
    with seeded(0, "init"):
        model = build_model(name)
    labels = torch.arange(32) % 10
    optimizer = build_optimizer(model, OptimConfig(weight_decay=0.0))
    loss = torch.tensor(float("inf"))
    for _ in range(150):
        loss = F.cross_entropy(model(images(32)), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.05
    assert (model(images(32)).argmax(1) == labels).all()
