"""The explorer's arrays as the page carries them: one compressed block for each image and model, and the words around it.

A block is deflated and written in base64, so that a page with sixteen images stays small and the browser unpacks only
what is looked at. It holds, little-endian and without gaps: scale float32 [layers, heads, tokens], pool float32 [tokens],
attention uint8 [layers, heads, tokens, tokens], saliency uint8 [height, width]. `explorer_maps.js` reads it.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from fittingroom.explain.catalogue import METHODS
from fittingroom.report.explorer import KINDS, Attention, Explorer, Look
from fittingroom.report.gallery import Card, cards
from fittingroom.report.load import Gallery

MAX_BYTES = 1_400_000
"""What the blocks of a page may weigh together; images beyond that are left out, and the page says so."""
MAX_SIDE = 64
"""Saliency is thinned to at most this many points a side: it comes from a coarser grid anyhow."""
COLOUR_MAP = "viridis"
GROUPS = {"mistake": "Mistakes", "disagreement": "Disagreements", "right": "Right"}
POSITIONS = {
    "learned": "Each tile belongs to one patch and shows how alike (cosine) its learned position vector is to that of every"
    " patch: bright places around the tile’s own spot mean that training has found out which patches are neighbours, and a second"
    " bright place on the other side that images were flipped: left and right are alike then.",
    "sincos2d": "Each tile belongs to one patch and shows how alike (cosine) its position vector is to that of every patch:"
    " here a formula of row and column gives the vectors, so the glow around each spot was put in, not learned.",
    "sincos1d": "Each tile belongs to one patch and shows how alike (cosine) its position vector is to that of every patch:"
    " here a formula of the reading order gives the vectors, so rows were put in, columns were not.",
}
OTHER_POSITIONS = (
    "Each tile belongs to one patch and shows how alike (cosine) its position vector is to that of every patch."
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images of one kind: a title, and (position in the data, card) for each."""

    title: str
    members: list[tuple[int, Card]]


def explorer_section(
    explorer: Explorer, models: Sequence[dict[str, Any]], class_names: Sequence[str]
) -> dict[str, Any]:
    """What the template needs: `groups`, `looks` (title and place of each model), `num_left_out`, and `data` for the script."""
    chosen, blocks = _choose(explorer)
    names = [models[look.place]["name"] for look in explorer.looks]
    gallery = Gallery(
        images=explorer.images[chosen],
        labels=explorer.labels[chosen],
        probs={name: look.probs[chosen] for name, look in zip(names, explorer.looks, strict=True)},
    )
    found = cards(gallery, models, class_names)
    kinds = [explorer.kinds[image] for image in chosen]
    data = {
        "colours": "".join(f"{red:02x}{green:02x}{blue:02x}" for red, green, blue in colour_table()),
        "images": [
            {
                "index": int(explorer.index[image]),
                "truth": card.truth,
                "opinions": [
                    {"predicted": opinion.predicted, "percent": opinion.percent, "right": opinion.right}
                    for opinion in card.opinions
                ],
            }
            for image, card in zip(chosen, found, strict=True)
        ],
        "models": [
            _model(look, models[look.place], [parts[number] for parts in blocks], explorer.images.shape[1:3])
            for number, look in enumerate(explorer.looks)
        ],
    }
    return {
        "groups": [
            Group(title=title, members=[(n, card) for n, card in enumerate(found) if kinds[n] == kind])
            for kind, title in GROUPS.items()
            if kind in kinds
        ],
        "looks": [{"place": look.place, "title": models[look.place]["title"]} for look in explorer.looks],
        "has_attention": any(look.attention for look in explorer.looks),
        "has_positions": any(look.similarity is not None for look in explorer.looks),
        "num_left_out": len(explorer.images) - len(chosen),
        "data": data,
    }


def colour_table() -> NDArray[np.uint8]:
    """Viridis, even in lightness and the same for every kind of colour vision, as [256, 3]."""
    return colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]


def pack(look: Look, image: int) -> bytes:
    """The deflated block of one image."""
    parts: list[NDArray[Any]] = []
    if look.attention:
        parts += [look.attention.scale[image].astype("<f4"), look.attention.pool[image].astype("<f4")]
        parts += [look.attention.weights[image]]
    parts += [np.rint(255 * _thinned(look.saliency[image])).astype(np.uint8)]
    return zlib.compress(b"".join(part.tobytes() for part in parts), level=9)


def _thinned(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    step = -(-max(saliency.shape) // MAX_SIDE)
    return saliency[step // 2 :: step, step // 2 :: step] if step > 1 else saliency


def _choose(explorer: Explorer) -> tuple[list[int], list[list[str]]]:
    """Images in the order of their kinds, as many as MAX_BYTES allows and at least one, each with its blocks as text.

    Kinds take turns, so that none is left out first.
    """
    by_kind = [[image for image, kind in enumerate(explorer.kinds) if kind == wanted] for wanted in KINDS]
    turns = [image for turn in zip_longest(*by_kind) for image in turn if image is not None]
    packed: dict[int, list[str]] = {}
    room = MAX_BYTES
    for image in turns:
        texts = [base64.b64encode(pack(look, image)).decode() for look in explorer.looks]
        room -= sum(map(len, texts))
        if room < 0 and packed:
            break
        packed[image] = texts
    chosen = sorted(packed, key=lambda image: (KINDS.index(explorer.kinds[image]), image))
    return chosen, [packed[image] for image in chosen]


def _model(look: Look, model: dict[str, Any], packed: list[str], size: tuple[int, ...]) -> dict[str, Any]:
    rows, columns = _thinned(np.zeros(size, dtype=np.float32)).shape
    found = {
        "place": look.place,
        "title": model["title"],
        "method": METHODS[look.method].title if look.method in METHODS else look.method,
        "caption": look.caption,
        "saliency": [rows, columns],
        "attention": None,
        "similarity": None,
        "packed": packed,
    }
    if look.attention:
        attention = look.attention
        found["attention"] = {
            "shape": list(attention.weights.shape[1:4]),
            "grid": [attention.grid_height, attention.grid_width],
            "prefix": attention.num_prefix_tokens,
            "patch": attention.patch_size,
            "answer": _answer(attention),
            "convolved": model["family"] == "hybrid",
        }
    if look.similarity is not None:
        found["similarity"] = {
            "grid": list(look.similarity.shape[:2]),
            "packed": base64.b64encode(zlib.compress(look.similarity.tobytes(), level=9)).decode(),
            "sentence": POSITIONS.get(look.positions, OTHER_POSITIONS),
        }
    return found


def _answer(attention: Attention) -> str:
    """How the tokens become the answer: 'class' (one token), 'mean' (all alike) or 'weighted' (learned weights)."""
    pool = attention.pool
    if attention.num_prefix_tokens and (pool[:, 0] > 0.999).all():
        return "class"
    patches = pool[:, attention.num_prefix_tokens :]
    return "mean" if np.ptp(patches) < 1e-3 * float(patches.max(initial=1e-9)) else "weighted"
