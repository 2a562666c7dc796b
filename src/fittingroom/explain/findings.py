"""The results of an inspection as plain arrays: drawing them needs neither torch nor the networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt8


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Only for networks with tokens. Maps are of the first image, on its grid of patches."""

    heads: Float[np.ndarray, "layers heads gh gw"]
    """Share of a head's attention that each patch receives, averaged over the tokens from which the answer is computed."""
    rollout: Float[np.ndarray, "layers gh gw"]
    """Rollout after each block, averaged in the same way."""
    entropy: Float[np.ndarray, "layers heads"]
    """Nats, mean over all images."""
    distance: Float[np.ndarray, "layers heads"]
    """Pixels, mean over all images."""
    even: tuple[float, float]
    """Entropy and distance of evenly spread attention."""


@dataclass(frozen=True, kw_only=True)
class Positions:
    """What the position embedding knows."""

    kind: str
    """learned, sincos2d or sincos1d."""
    similarity: Float[np.ndarray, "gh gw gh gw"]
    neighbours: float
    """Share of patches whose most similar other patch is one of the 8 around it."""
    mirrored: float
    """Share of patches off the middle column whose most similar other patch is their mirror image."""
    neighbours_folded: float
    """As `neighbours`, counting a patch and its mirror image as one place."""
    chance: float
    """What `neighbours` would be if embeddings knew nothing of place."""
    chance_folded: float
    """The same for `neighbours_folded`."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The first layer: components of a patch projection with their share of variance, or a convolution's filters."""

    bank: Float[np.ndarray, "filters channels height width"]
    explained: Float[np.ndarray, " filters"] | None


@dataclass(frozen=True, kw_only=True)
class Faithfulness:
    """Whether the maps of each method mean something: deletion and insertion, and maps after randomising the weights."""

    scores: dict[str, dict[str, Any]]
    """The result of `faithfulness.score` for each method."""
    layers: list[str]
    """The layers in the order in which they are randomised: the output first."""
    correlations: dict[str, list[float]]
    """For each method, one number per layer."""


def faithfulness_of(network: Mapping[str, Any]) -> dict[str, Any]:
    """The faithfulness of one entry of `networks` in an explain.json; empty where it was not measured.

    Keys: "scores", "randomised_layers", "rank_correlations". Older files have the key "proof"; this function reads both.
    """
    old = network.get("proof")
    if old is not None:
        return {"scores": old["faithfulness"], **{key: each for key, each in old.items() if key != "faithfulness"}}
    return dict(network.get("faithfulness", {}))


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One network on N images."""

    name: str
    probs: Float[np.ndarray, "images classes"]
    method: str
    title: str
    """The method's title, for people."""
    caption: str
    saliency: Float[np.ndarray, "images height width"]
    """For the class `target`."""
    attention: Attention | None
    positions: Positions | None
    filters: Filters | None
    faithfulness: Faithfulness | None
    target: int | None = None
    """The class that `saliency` explains in all images; None: in each image the predicted one."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Several networks on the same images."""

    images: UInt8[np.ndarray, "images height width ..."]
    labels: Int64[np.ndarray, " images"] | None
    """None if unknown, as for image files of the user."""
    names: list[str]
    """The name of each image, such as 'test image 12'."""
    class_names: tuple[str, ...]
    what: str
    """Which images these are, in words."""
    notes: list[str]
    """What else a reader should know."""
    networks: list[Findings]
    question: dict[str, Any] = field(default_factory=dict)
    """What was asked, as JSON: pictures of two different questions must not get into one folder."""
    files: list[str] = field(default_factory=list)
    """The file of each image. Empty if the data are not pictures in files."""


@dataclass(frozen=True, kw_only=True)
class ImageMaps:
    """One map for each of N images, ready to be drawn over them."""

    images: UInt8[np.ndarray, "images height width ..."]
    maps: Float[np.ndarray, "images map_height map_width"]
    """Amounts from 0 up, on the pixels or on a coarser grid over the whole image."""
    labels: list[str]
    """What is written under each map."""
    title: str
    caption: str
    """One or two sentences on what the maps show, and what they do not."""
    unit: str
    """The label of the colour scale."""


END = "<end>"
"""The end mark after the last letter and the last symbol of an Alignment."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The letters of a word, the symbols that a sequence model wrote, and its attention from symbols to letters."""

    word: str
    letters: tuple[str, ...]
    """As the model read them, with END last."""
    phonemes: tuple[str, ...]
    """As the model wrote them, with END last unless it was cut off."""
    weights: Float[np.ndarray, "layers heads phonemes letters"]
    """Rows sum to 1."""

    @property
    def mean(self) -> Float[np.ndarray, "phonemes letters"]:
        """The mean over the heads of the last layer."""
        return self.weights[-1].mean(axis=0)

    @property
    def which(self) -> str:
        """What `mean` is, in words."""
        layers, heads = self.weights.shape[:2]
        if heads == 1:
            return "its attention" if layers == 1 else f"attention of layer {layers}, the last"
        return f"mean of the {heads} heads of layer {layers}, the last"
