"""Everything this package can find in one network, in one call."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.catalogue import METHODS, caption
from fittingroom.explain.eval_mode import chunks, unwrapped
from fittingroom.explain.faithfulness import random_areas, randomisation, randomisation_layers, score
from fittingroom.explain.filters import conv_filters, first_convolution, patch_components
from fittingroom.explain.findings import Attention, Faithfulness, Filters, Findings, Positions
from fittingroom.explain.heads import head_statistics, patch_distances
from fittingroom.explain.methods import default_method, map_grid, methods_for, resized, saliency
from fittingroom.explain.perturbation import Perturbation, probabilities
from fittingroom.explain.positions import (
    chance_of_neighbour,
    mirror_share,
    neighbour_share,
    position_embedding,
    position_similarity,
)
from fittingroom.explain.rollout import attention_rollout
from fittingroom.explain.tokens import check_tokens, has_tokens, pool_weights, token_layout

MOST_FILTERS = 64


def examine(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    *,
    name: str,
    method: str | None = None,
    target: int | None = None,
    beats_random: bool | None = None,
    faithfulness: Faithfulness | None = None,
    shown: tuple[int, int] | None = None,
) -> Findings:
    """What `model` answers to `images` (normalised, as the model takes them), where it looks, and what its first layers hold.

    The default method is used if `method` is None or cannot explain this network. The maps are for the class `target`; None: for
    the one that the network predicts. `shown` is the size (height, width) in which people see the images. `beats_random` goes
    into the caption; `faithfulness` overrides it. Memory is bounded for any number of images.
    """
    chosen = method if method in methods_for(model) else default_method(model)
    probs = answers(model, images)
    if faithfulness is not None:
        beats_random = faithfulness.scores[chosen]["beats_random"]
    classes = probs.argmax(axis=1) if target is None else np.full(len(probs), target)
    return Findings(
        name=name,
        probs=probs,
        method=chosen,
        title=METHODS[chosen].title,
        caption=caption(chosen, beats_random),
        saliency=resized(
            saliency(model, images, torch.from_numpy(classes), chosen), shown or (images.shape[-2], images.shape[-1])
        ),
        target=target,
        attention=_attention(model, images) if has_tokens(model) else None,
        positions=positions_of(model),
        filters=filters_of(model),
        faithfulness=faithfulness,
    )


def measure_faithfulness(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    say: Callable[[str], None] = lambda words: None,
    *,
    steps: int = 14,
    num_random: int = 3,
) -> Faithfulness:
    """Deletion, insertion and randomised weights for every method of the network. `say` is told what is being measured."""
    targets, predict_probs = torch.from_numpy(answers(model, images).argmax(axis=1)), probabilities(model)
    how = Perturbation(steps=steps, grid=map_grid(model, images))
    say("random maps")
    baseline = random_areas(predict_probs, images, targets, how, num_random=num_random)
    scores, correlations = {}, {}
    for method in methods_for(model):
        say(METHODS[method].title.lower())
        maps = saliency(model, images, targets, method)
        scores[method] = score(predict_probs, images, maps, targets, how, num_random=num_random, baseline=baseline)
        if method != "random":
            correlations[method] = randomisation(model, method, images, targets)
    return Faithfulness(scores=scores, layers=randomisation_layers(model), correlations=correlations)


def beats_random(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], method: str | None = None
) -> bool:
    """A quick test, seconds for 100 images: is the method (None: the default one) better than random maps?

    It takes few steps and one random map per image, so it detects less than `measure_faithfulness`, but claims no more.
    """
    chosen = method or default_method(model)
    targets = torch.from_numpy(answers(model, images).argmax(axis=1))
    maps, how = saliency(model, images, targets, chosen), Perturbation(steps=7, grid=map_grid(model, images))
    return score(probabilities(model), images, maps, targets, how, num_random=1)["beats_random"]


def answers(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> Float[np.ndarray, "batch classes"]:
    """Softmax of the logits, in bounded memory."""
    predict_probs = probabilities(model)
    return np.concatenate([np.asarray(predict_probs(images[part])) for part in chunks(images)])


def positions_of(model: nn.Module) -> Positions | None:
    """What the position embedding of the network knows; None if it has none."""
    try:
        return examine_positions(model)
    except FittingRoomError:
        return None


def examine_positions(model: nn.Module) -> Positions:
    """As `positions_of`. Raises FittingRoomError, with the reason, for a network without position embedding."""
    embedding, layout = position_embedding(model), token_layout(model)
    grid = layout.grid_height, layout.grid_width
    similarity = position_similarity(embedding, grid)
    return Positions(
        # Configs of other libraries do not name the kind. Their tables can be trained, so they are learned.
        kind=getattr(getattr(unwrapped(model), "config", None), "positions", "learned"),
        similarity=similarity,
        neighbours=neighbour_share(similarity),
        mirrored=mirror_share(similarity),
        neighbours_folded=neighbour_share(similarity, fold=True),
        chance=chance_of_neighbour(grid),
        chance_folded=chance_of_neighbour(grid, fold=True),
    )


def filters_of(model: nn.Module) -> Filters | None:
    """The first layer of the network, as from `examine_filters`; None if there is nothing to draw."""
    try:
        return examine_filters(model)
    except FittingRoomError:
        return None


def examine_filters(model: nn.Module) -> Filters:
    """The first layer of the network: components of a patch projection, or the filters of the first convolution.

    Raises FittingRoomError for a network without convolution, or whose first one reads neither grey nor RGB images.
    """
    conv = first_convolution(model)
    if conv.weight.shape[1] not in (1, 3):
        raise FittingRoomError(
            f"the first filters of {type(unwrapped(model)).__name__} read {conv.weight.shape[1]} channels: only filters over "
            "1 channel (grey) or 3 (RGB) can be drawn"
        )
    if conv.stride == conv.kernel_size:
        bank, explained = patch_components(model)
        return Filters(bank=bank, explained=explained)
    return Filters(bank=conv_filters(model)[:MOST_FILTERS], explained=None)


def _attention(model: nn.Module, images: Tensor) -> Attention:
    layout, first = token_layout(model, images), images[:1]
    layers, pool = attention_layers(model, first), pool_weights(model, first)
    check_tokens(layout, layers[0].shape[-1])
    grid, prefix = (layout.grid_height, layout.grid_width), layout.num_prefix_tokens
    rows = torch.stack([(pool[:, None, None] @ layer)[0, :, 0, prefix:] for layer in layers])
    rolled = torch.stack([(pool[:, None] @ step)[0, 0, prefix:] for step in attention_rollout(layers)])
    entropy, distance = head_statistics(model, images)
    return Attention(
        heads=rows.unflatten(-1, grid).numpy(),
        rollout=rolled.unflatten(-1, grid).numpy(),
        entropy=entropy,
        distance=distance,
        even=(math.log(layout.num_tokens), float(patch_distances(layout).mean())),
    )
