"""Maps by name: which network has which, their shape and sign, and memory that does not grow with the images."""

import time
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.catalogue import METHODS, caption
from fittingroom.explain.eval_mode import CHUNK, unwrapped
from fittingroom.explain.gradcam import grad_cam
from fittingroom.explain.methods import default_method, methods_for, saliency
from fittingroom.explain.relevance import relevance
from fittingroom.explain.rollout import attention_rollout
from fittingroom.explain.tokens import pool_weights
from fittingroom.models import MODELS, build_model
from tests.unit.explain.networks import CNNS, SHAPES, TOKENS, draw_images, hugging_face, timm_like, tiny

TARGETS = torch.tensor([0, 2, 3])
ALL = ["attention", "rollout", "relevance", "gradcam", "random"]


def test_every_registered_model_has_its_methods() -> None:
    assert set(SHAPES) == set(MODELS.names()), "a new variant wants a tiny shape in networks.py"
    assert list(METHODS) == ALL
    for name in TOKENS:
        assert methods_for(tiny(name)) == ALL and default_method(tiny(name)) == "relevance"
    for name in CNNS:
        assert methods_for(tiny(name)) == ["gradcam", "random"] and default_method(tiny(name)) == "gradcam"
    for name in SHAPES:
        family = MODELS.get(name).family
        assert methods_for(tiny(name)) == [each.name for each in METHODS.values() if family in each.families]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("make", [*(lambda name=name: tiny(name) for name in SHAPES), timm_like, hugging_face])
def test_maps_cover_the_image_and_are_not_negative(make, method: str) -> None:  # type: ignore[no-untyped-def]
    model = make()
    if method not in methods_for(model):
        with pytest.raises(FittingRoomError, match=f"'{method}' needs attention .* choose one of gradcam, random"):
            saliency(model, draw_images(), TARGETS, method)
        return
    found = saliency(model, draw_images(), TARGETS, method)
    assert found.shape == (3, 8, 8) and found.dtype == np.float32 and found.min() >= 0
    uneven = found.max(axis=(1, 2)) > found.min(axis=(1, 2))
    for target in range(4):  # nothing may speak for one class in a network of chance; for some class something must
        other = saliency(model, draw_images(), torch.full((3,), target), method)
        uneven |= other.max(axis=(1, 2)) > other.min(axis=(1, 2))
    assert uneven.all()
    np.testing.assert_array_equal(found, saliency(model, draw_images(), TARGETS, method))


@pytest.mark.parametrize("name", ["vit", "vit_cls", "hybrid"])
def test_token_maps_are_the_pooled_rows(name: str) -> None:
    """On the image of 8x8 pixels a token stands for 2x2: the mean of the four pixels of a bilinear map is near its value."""
    model, images = tiny(name), draw_images()
    layers, pool = attention_layers(model, images), pool_weights(model, images)
    prefix = layers[0].shape[-1] - 16
    tables = {
        "attention": layers[-1].mean(1),
        "rollout": attention_rollout(layers)[-1],
        "relevance": relevance(model, images, TARGETS) - torch.eye(16 + prefix),
    }
    for method, table in tables.items():
        rows = torch.einsum("bn,bnm->bm", pool, table)[:, prefix:].view(3, 1, 4, 4)
        expected = nn.functional.interpolate(rows, size=(8, 8), mode="bilinear", align_corners=False)[:, 0]
        np.testing.assert_allclose(
            saliency(model, images, TARGETS, method), expected.clamp_min(0).numpy(), rtol=1e-4, atol=1e-6
        )
    coarse = torch.from_numpy(grad_cam(model, images, TARGETS))[:, None]
    expected = nn.functional.interpolate(coarse, size=(8, 8), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(saliency(model, images, TARGETS, "gradcam"), expected.numpy(), rtol=1e-5, atol=1e-7)


def test_a_map_points_to_where_the_answer_comes_from() -> None:
    """A network made by hand that reads its answer from the lower right patch alone: every method must find it."""
    model: Any = tiny("vit_cls", depth=1, num_heads=1, patch_size=4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.blocks[0].norm1.weight.fill_(1)
        model.norm.weight.fill_(1)
        model.patch_embed.proj.weight[0] = 1.0  # brightness goes into channel 0
        model.pos_embed[0, 4, 1] = 30.0  # the lower right patch is marked in channel 1
        model.blocks[0].attn.qkv.bias[2] = 5.0  # every query asks for channel 2 ...
        model.blocks[0].attn.qkv.weight[16 + 2, 1] = 5.0  # ... where keys carry the mark
        model.blocks[0].attn.qkv.weight[32, 1] = 1.0  # values carry the mark to channel 0
        model.blocks[0].attn.proj.weight[0, 0] = 1.0
        model.head.weight[1, 0] = 1.0
    images = draw_images(2).abs() * 0.1
    for method in ("attention", "rollout", "relevance", "gradcam"):
        found = saliency(model, images, torch.tensor([1, 1]), method)
        inside, all_of_it = found[:, 4:, 4:].sum(axis=(1, 2)), found.sum(axis=(1, 2))
        assert (inside > 0.5 * all_of_it).all(), method


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("name", ["vit", "hybrid", "cnn"])
def test_no_more_than_a_chunk_is_seen_at_once_and_chunks_change_nothing(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = tiny(name), draw_images(7)
    if method not in methods_for(model):
        return
    targets = torch.arange(7) % 4
    whole = saliency(model, images, targets, method, seed=5)
    seen: list[int] = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr("fittingroom.explain.eval_mode.CHUNK", 3)
    found = saliency(model, images, targets, method, seed=5)
    assert max(seen, default=0) <= 3
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5 * whole.max())


def test_the_chunk_is_bounded() -> None:
    assert CHUNK <= 128


def test_only_random_maps_depend_on_the_seed() -> None:
    model = tiny("vit")
    assert np.abs(np.subtract(*(saliency(model, draw_images(), TARGETS, "random", seed) for seed in (0, 1)))).max() > 0
    for method in ALL[:-1]:
        a, b = (saliency(model, draw_images(), TARGETS, method, seed) for seed in (0, 1))
        np.testing.assert_array_equal(a, b)


def test_class_aware_methods_depend_on_the_class_and_the_others_do_not() -> None:
    model = tiny("vit")
    for method in ("attention", "rollout", "relevance", "gradcam"):
        a, b = (saliency(model, draw_images(), torch.full((3,), target), method) for target in (0, 1))
        assert np.array_equal(a, b) == (method in ("attention", "rollout"))


def test_errors_name_the_mistake() -> None:
    with pytest.raises(FittingRoomError, match="did you mean 'rollout'"):
        saliency(tiny("vit"), draw_images(), TARGETS, "rolout")
    with pytest.raises(FittingRoomError, match="one class for each"):
        saliency(tiny("vit"), draw_images(), TARGETS[:2], "rollout")


def test_captions_are_a_sentence_and_admit_a_failure() -> None:
    for name in METHODS:
        assert caption(name).endswith(".") and caption(name, True) == caption(name)
        assert caption(name, False).endswith("not shown to do better here than a random map.")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit", "hybrid", "cnn"])
def test_explaining_one_image_takes_less_than_a_second(name: str) -> None:
    """The real sizes, best of three: what else the machine does can only make it slower."""
    model, image = build_model(name).eval(), torch.randn(1, 1, 28, 28)
    for method in methods_for(model):
        seconds = []
        for _ in range(3):
            began = time.process_time()
            saliency(model, image, torch.tensor([0]), method)
            seconds.append(time.process_time() - began)
        assert min(seconds) < 1


@pytest.mark.parametrize("make", [lambda: tiny("vit"), lambda: tiny("cnn"), timm_like, hugging_face])
@pytest.mark.parametrize("wrap", [nn.DataParallel, AveragedModel, lambda model: nn.DataParallel(AveragedModel(model))])
def test_a_network_in_a_wrapper_has_the_maps_of_the_network(make: Any, wrap: Any) -> None:
    model = make()
    wrapped = wrap(model)
    assert methods_for(wrapped) == methods_for(model)
    for method in methods_for(model):
        found, expected = (saliency(each, draw_images(), TARGETS, method) for each in (wrapped, model))
        np.testing.assert_array_equal(found, expected)


class Inverting(nn.Module):
    """A user's own wrapper: it changes the images."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: torch.Tensor) -> Any:
        return self.module(-images)


def test_a_wrapper_that_may_change_the_images_is_not_taken_off() -> None:
    model = tiny("cnn")
    assert unwrapped(wrapped := Inverting(model)) is wrapped
    assert unwrapped(nn.DataParallel(AveragedModel(wrapped))).module is not model  # AveragedModel copies
    assert unwrapped(nn.DataParallel(wrapped)) is wrapped


def test_a_network_without_gradients_is_named() -> None:
    with torch.inference_mode():
        model = tiny("vit")
    for method in ("relevance", "gradcam"):
        with pytest.raises(FittingRoomError, match="weights of VisionTransformer were made inside"):
            saliency(model, draw_images(), TARGETS, method)
    assert saliency(model, draw_images(), TARGETS, "rollout").shape == (3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and users have such files
        traced = torch.jit.trace(timm_like(), draw_images(), check_trace=False)
    with pytest.raises(FittingRoomError, match="TorchScript module cannot be explained"):
        saliency(traced, draw_images(), TARGETS, "gradcam")  # type: ignore[arg-type]
