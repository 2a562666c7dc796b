"""Layout and pooling of tokens, statistics of heads, and similarity of positions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.heads import attention_distance, attention_entropy, head_statistics
from fittingroom.explain.positions import (
    chance_of_neighbour,
    mirror_share,
    neighbour_share,
    position_embedding,
    position_similarity,
)
from fittingroom.explain.tokens import TokenLayout, pool_weights, token_layout
from fittingroom.models import build_model
from fittingroom.tasks.load import load_run
from tests.unit.explain.networks import CNNS, TOKENS, draw_images, hugging_face, timm_like, tiny

LAYOUT = TokenLayout(
    grid_height=4, grid_width=4, num_prefix_tokens=0, pool="mean", image_height=8, image_width=8
)  # fmt: skip


@pytest.mark.thorough
def test_layouts() -> None:
    assert token_layout(tiny("vit")) == LAYOUT
    assert token_layout(tiny("vit_cls")) == replace(LAYOUT, num_prefix_tokens=1, pool="class")
    assert token_layout(tiny("hybrid")) == replace(LAYOUT, pool="sequence")
    assert token_layout(tiny("vit_conv_stem")) == LAYOUT
    assert token_layout(timm_like()) == token_layout(hugging_face()) == token_layout(tiny("vit_cls"))
    assert token_layout(torch.compile(tiny("vit"), backend="eager")) == LAYOUT  # type: ignore[arg-type]
    assert token_layout(tiny("vit_cls")).num_tokens == 17


@pytest.mark.parametrize("name", TOKENS)
def test_rectangular_images_have_rectangular_layouts(name: str) -> None:
    model: Any = tiny(name, img_size=[8, 12])
    pool = token_layout(tiny(name)).pool
    prefix = int(pool == "class")
    expected = replace(LAYOUT, grid_width=6, image_width=12, num_prefix_tokens=prefix, pool=pool)
    assert token_layout(model) == expected
    images = torch.randn(3, 1, 8, 12)
    assert model.forward_features(images).shape[1] == expected.num_tokens
    assert pool_weights(model, images).shape == (3, expected.num_tokens)
    assert position_embedding(model).shape == (24, 16)


@pytest.mark.parametrize("make", [*(lambda name=name: tiny(name) for name in CNNS), lambda: nn.Linear(1, 1)])
def test_a_network_without_tokens_says_so(make) -> None:  # type: ignore[no-untyped-def]
    for ask in (token_layout, position_embedding, lambda model: pool_weights(model, draw_images())):
        with pytest.raises(FittingRoomError, match="has no known token layout"):
            ask(make())


def test_a_pooling_that_is_not_known_is_refused() -> None:
    model: Any = timm_like()
    model.global_pool = "map"
    with pytest.raises(FittingRoomError, match="has no known token layout"):
        token_layout(model)


@pytest.mark.parametrize("name", TOKENS)
def test_the_pooled_tokens_give_the_logits(name: str) -> None:
    model: Any = tiny(name)
    images = draw_images()
    weights = pool_weights(model, images)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    with torch.no_grad():
        pooled = (weights[:, None] @ model.forward_features(images))[:, 0]
        torch.testing.assert_close(model.head(pooled), model(images), rtol=1e-4, atol=1e-4)
    if name == "hybrid":
        assert weights.std() > 1e-3


def test_the_mean_of_a_network_with_a_prefix_leaves_the_prefix_out() -> None:
    model: Any = timm_like()
    model.global_pool = "avg"
    weights = pool_weights(model, draw_images())
    assert weights[:, 0].max() == 0 and torch.all(weights[:, 1:] == 1 / 16)


def test_entropy_of_even_and_of_certain_attention() -> None:
    even, certain = torch.full((2, 1, 16, 16), 1 / 16), torch.eye(16).expand(2, 1, 16, 16)
    found = attention_entropy([torch.cat([even, certain], dim=1), torch.cat([certain, certain], dim=1)])
    np.testing.assert_allclose(found, [[np.log(16), 0], [0, 0]], atol=1e-6)


def test_distance_is_in_pixels_between_patch_centres() -> None:
    layout = TokenLayout(
        grid_height=2, grid_width=3, num_prefix_tokens=1, pool="class", image_height=8, image_width=30
    )  # fmt: skip
    itself = torch.eye(7)[None, None]
    to_first = torch.zeros(1, 1, 7, 7)
    to_first[..., 0], to_first[..., 1] = 0.9, 0.1  # mostly to the class token, which has no position
    found = attention_distance([torch.cat([itself, to_first], dim=1)], layout)
    np.testing.assert_allclose(found, [[0, (0 + 10 + 20 + 4 + 116**0.5 + 416**0.5) / 6]], rtol=1e-6)
    with pytest.raises(FittingRoomError, match="take both from the same model"):
        attention_distance([torch.ones(1, 1, 4, 4)], layout)


def test_statistics_of_chunks_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = tiny("vit_cls"), draw_images(5)
    layers = attention_layers(model, images)
    expected = attention_entropy(layers), attention_distance(layers, token_layout(model))
    monkeypatch.setattr("fittingroom.explain.eval_mode.CHUNK", 2)
    for found, whole in zip(head_statistics(model, images), expected, strict=True):
        assert found.shape == (2, 2)
        np.testing.assert_allclose(found, whole, rtol=1e-5)


@pytest.mark.parametrize("name", ["vit", "vit_cls"])
def test_fixed_2d_positions_have_their_neighbours_most_similar(name: str) -> None:
    embedding = position_embedding(build_model(name, {"positions": "sincos2d"}))
    assert embedding.shape == (49, 128)
    similarity = position_similarity(embedding, (7, 7))
    assert neighbour_share(similarity) == 1.0 and mirror_share(similarity) == 0.0
    np.testing.assert_allclose(similarity[3, 4, 3, 4], 1, rtol=1e-5)
    np.testing.assert_allclose(similarity, similarity.transpose(2, 3, 0, 1), rtol=1e-5)
    a, b = embedding[8], embedding[20]
    expected = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    np.testing.assert_allclose(similarity[1, 1, 2, 6], expected, rtol=1e-5)


def test_random_positions_have_neighbours_most_similar_by_chance_only() -> None:
    drawn = [position_similarity(np.random.default_rng(seed).normal(size=(49, 64)), (7, 7)) for seed in range(20)]
    assert chance_of_neighbour((7, 7)) == pytest.approx(312 / (49 * 48))
    for fold in (False, True):
        found = [neighbour_share(similarity, fold=fold) for similarity in drawn]
        assert np.mean(found) == pytest.approx(chance_of_neighbour((7, 7), fold=fold), abs=0.05)
    assert np.mean([mirror_share(similarity) for similarity in drawn]) == pytest.approx(1 / 48, abs=0.03)


def test_mirror_images_of_places_are_seen_through() -> None:
    """Positions that ignore left and right: each patch is most similar to its mirror image, then to its neighbours."""
    plain = position_embedding(build_model("vit", {})).reshape(7, 7, -1)
    noise = 0.01 * np.random.default_rng(0).normal(size=plain.shape)
    similarity = position_similarity((plain + plain[:, ::-1] + noise).reshape(49, -1), (7, 7))
    assert mirror_share(similarity) == 1.0 and neighbour_share(similarity) < 0.4
    assert neighbour_share(similarity, fold=True) == 1.0
    assert mirror_share(np.ones((3, 1, 3, 1))) == 0.0


def test_the_shipped_learned_positions_know_what_is_near() -> None:
    """vit_cls learned from flipped images, so left and right look alike to it, and neighbours are most similar."""
    model = load_run("vit_cls").model
    assert model.config.positions == "learned"  # type: ignore[union-attr]
    similarity = position_similarity(position_embedding(model), (7, 7))
    assert mirror_share(similarity) > 0.8  # by chance one in 48
    assert neighbour_share(similarity, fold=True) > 0.9 and chance_of_neighbour((7, 7), fold=True) < 0.25


def test_positions_of_other_libraries_and_of_none() -> None:
    theirs: Any = timm_like()
    np.testing.assert_array_equal(position_embedding(theirs), theirs.pos_embed[0, 1:].detach().numpy())
    assert position_embedding(hugging_face()).shape == (16, 16)
    with pytest.raises(FittingRoomError, match="adds no position embedding"):
        position_embedding(tiny("vit", positions="none"))
    with pytest.raises(FittingRoomError, match="grid of 3 x 4"):
        position_similarity(np.ones((16, 4)), (3, 4))
