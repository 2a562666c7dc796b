"""The explorer's arrays in the page: one compressed block for each image and model, and the text around it.

A block is deflated and written in base64, so that a page with sixteen images stays small and the browser unpacks only
what is shown. It holds, little-endian and without gaps: scale float32 [layers, heads, tokens], pool float32 [tokens],
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
from fittingroom.report.gallery import Card, Gallery, Named, cards

MAX_BYTES = 1_400_000
"""Most bytes of all blocks of a page. Images beyond that are left out, and the page says so."""
MAX_SIDE = 64
"""Most points of a saliency map per side; it comes from a coarser grid anyway."""
COLOUR_MAP = "viridis"
GROUPS = {"mistake": "All wrong", "disagreement": "Disagreements", "right": "All right"}
OTHER_POSITIONS = (
    "Each tile belongs to one patch. It shows how similar (cosine) the position vector of that patch is to that of every"
    " patch."
)
POSITIONS = {
    "learned": f"{OTHER_POSITIONS} These vectors are learned: bright places around the tile’s own patch mean that the model"
    " has found out which patches are neighbours. A second bright place on the opposite side comes from training with"
    " mirrored images.",
    "sincos2d": f"{OTHER_POSITIONS} A formula of row and column gives these vectors: the bright places are by design, not"
    " learned.",
    "sincos1d": f"{OTHER_POSITIONS} A formula of the reading order gives these vectors: rows are by design, columns are"
    " not.",
}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images of one kind: a title, and (position in the data, card) for each."""

    title: str
    members: list[tuple[int, Card]]


def explorer_section(explorer: Explorer, models: Sequence[Named], class_names: Sequence[str]) -> dict[str, Any]:
    """What the template needs: `groups`, `looks` (title and place of each model), `num_left_out`, and `data` for the script."""
    chosen, blocks = _choose(explorer)
    names = [models[look.place].name for look in explorer.looks]
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
        "looks": [{"place": look.place, "title": models[look.place].title} for look in explorer.looks],
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


def _model(look: Look, model: Named, packed: list[str], size: tuple[int, ...]) -> dict[str, Any]:
    rows, columns = _thinned(np.zeros(size, dtype=np.float32)).shape
    found = {
        "place": look.place,
        "title": model.title,
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
            "convolved": model.family == "hybrid",
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
