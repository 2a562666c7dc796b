"""Maps of a model in memory for images in any of the usual layouts, with labels and captions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.examine import examine_filters, examine_positions
from fittingroom.explain.maps import attention_maps, prepare, saliency_maps
from fittingroom.explain.methods import saliency
from tests.unit.explain.networks import CNNS, draw_images, hugging_face, timm_like, tiny

NAMES = ("T-shirt", "Trouser", "Coat", "Bag")


@pytest.mark.parametrize("make", [lambda: tiny("vit_cls"), timm_like, hugging_face])
def test_attention_of_ours_and_of_others_is_the_class_tokens_row(make: Any) -> None:
    model, images = make(), draw_images()
    layers = attention_layers(model, images)
    found = attention_maps(model, images, class_names=NAMES)
    np.testing.assert_allclose(found.maps, 17 * layers[-1].mean(dim=1)[:, 0, 1:].reshape(3, 4, 4).numpy(), rtol=1e-5)
    one = attention_maps(model, images, layer=0, head=1)
    np.testing.assert_allclose(one.maps, 17 * layers[0][:, 1, 0, 1:].reshape(3, 4, 4).numpy(), rtol=1e-5)
    assert (found.title, one.title) == (
        "Attention in the last block, mean of all heads",
        "Attention in block 1, head 2",
    )
    assert all(label.split()[0] in NAMES and label.endswith("%") for label in found.labels)
    assert all(label.startswith("class ") for label in one.labels)
    assert found.images.shape == (3, 8, 8) and found.images.dtype == np.uint8 and "not what decides" in found.caption


def test_a_hybrid_has_attention_and_a_cnn_says_in_one_line_what_to_use() -> None:
    assert attention_maps(tiny("hybrid"), draw_images()).maps.shape[0] == 3
    for name in CNNS:
        with pytest.raises(FittingRoomError, match="has no attention between patches: use saliency") as error:
            attention_maps(tiny(name), draw_images())
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"layer": 2}, "no layer 2: choose 0 to 1"), ({"head": -3}, "no head -3"), ({"class_names": ["a"]}, "4 classes")],
)
def test_layers_heads_and_names_that_do_not_exist(options: Any, said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        attention_maps(tiny("vit"), draw_images(), **options)


@pytest.mark.parametrize("name", ["vit", "cnn"])
def test_saliency_is_that_of_the_method_over_its_mean(name: str) -> None:
    model, images = tiny(name), draw_images()
    targets = torch.tensor([2, 2, 2])
    expected = saliency(model, images, targets, "gradcam")
    found = saliency_maps(model, images, 2, "gradcam", class_names=NAMES)
    for made, raw in zip(found.maps, expected, strict=True):
        np.testing.assert_allclose(made, raw / raw.mean() if raw.any() else raw, rtol=1e-4)
    assert found.title == "Grad-CAM" and all(label.startswith("Coat") for label in found.labels)
    again = saliency_maps(model, images, targets, "gradcam")
    np.testing.assert_array_equal(again.maps, found.maps)
    assert saliency_maps(model, images).title == {"vit": "Relevance", "cnn": "Grad-CAM"}[name]


def test_targets_that_do_not_exist() -> None:
    for targets, said in (([0, 1], "do not fit 3 images"), (4, "no class 4"), (-1, "choose targets from 0 to 3")):
        with pytest.raises(FittingRoomError, match=said):
            saliency_maps(tiny("cnn"), draw_images(), targets)


def test_every_layout_gives_the_same_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 4), dtype=np.uint8)
    expected = images.transpose(0, 2, 3, 1)
    for given in (images, torch.from_numpy(images), expected, (images / 255).astype(np.float32)):
        inputs, shown = prepare(given)
        np.testing.assert_array_equal(shown, expected)
        np.testing.assert_allclose(inputs.numpy(), images / 255, atol=1e-6)
        assert inputs.dtype == torch.float32
    grey = images[:, 0]
    for given in (grey, grey[:, None], grey[..., None]):
        inputs, shown = prepare(given)
        np.testing.assert_array_equal(shown, grey)
        assert inputs.shape == (2, 1, 6, 4)


def test_bytes_are_normalised_for_the_model_and_floats_only_for_people() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 4), dtype=np.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    inputs, shown = prepare(images, mean=mean, std=std)
    back, again = prepare(inputs, mean=mean, std=std)
    assert torch.equal(inputs, back)
    np.testing.assert_array_equal(again, shown)
    np.testing.assert_allclose(inputs[0, 1].numpy(), (images[0, 1] / 255 - 0.5) / 0.25, rtol=1e-5)
    _, stretched = prepare(inputs)
    assert stretched.min(axis=(1, 2, 3)).tolist() == [0, 0] and stretched.max(axis=(1, 2, 3)).tolist() == [255, 255]


@pytest.mark.parametrize("shape", [(6, 4), (0, 3, 6, 4), (2, 5, 6, 4), (1, 2, 3, 6, 4)])
def test_arrays_that_are_no_batch_of_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(FittingRoomError, match="with 1 or 3 channels"):
        prepare(np.zeros(shape, dtype=np.uint8))
    with pytest.raises(FittingRoomError, match="int64"):
        prepare(np.zeros((1, 6, 4), dtype=np.int64))


def test_positions_and_filters_give_the_reason_if_there_are_none() -> None:
    assert examine_positions(tiny("vit")).similarity.shape == (4, 4, 4, 4)
    assert examine_filters(tiny("vit")).explained is not None and examine_filters(tiny("cnn")).explained is None

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(7, 4, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.conv(images)

    with pytest.raises(FittingRoomError, match="read 7 channels"):
        examine_filters(Deep())
    with pytest.raises(FittingRoomError, match="FastCNN has no known token layout"):
        examine_positions(tiny("cnn"))
    with pytest.raises(FittingRoomError, match="no convolution"):
        examine_filters(nn.Linear(2, 2))
