"""What a network knows of place: its position embedding, and which positions are similar."""

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import unwrapped
from fittingroom.explain.tokens import token_layout


def position_embedding(model: nn.Module) -> Float[np.ndarray, "patches dim"]:
    """The vector added to each patch token, row by row, without prefix tokens.

    Raises FittingRoomError for a network without tokens or without an added position embedding.
    """
    layout, network = token_layout(model), unwrapped(model)
    table = getattr(network, "pos_embed", None)
    if table is None:  # Hugging Face keeps it in its module of embeddings
        named = [*network.named_parameters(), *network.named_buffers()]
        table = next((each for name, each in named if name.endswith("position_embeddings")), None)
    num_patches = layout.grid_height * layout.grid_width
    if not isinstance(table, Tensor) or table.shape[-2] not in (num_patches, layout.num_tokens):
        raise FittingRoomError(
            f"{type(network).__name__} adds no position embedding to its tokens: choose positions 'learned' or 'sincos2d'"
        )
    return table.detach().float().cpu().numpy().reshape(-1, table.shape[-1])[-num_patches:]


def position_similarity(
    embedding: Float[np.ndarray, "patches dim"], grid: tuple[int, int]
) -> Float[np.ndarray, "gh gw gh gw"]:
    """Cosine between the position embeddings of all pairs of patches (ViT, arXiv 2010.11929, figure 7 centre).

    `[i, j]` is the tile of the patch in row i and column j: its cosine to every patch of the grid.
    """
    height, width = grid
    if len(embedding) != height * width:
        raise FittingRoomError(
            f"{len(embedding)} positions do not fill a grid of {height} x {width}: give the grid of the same model"
        )
    lengths = np.linalg.norm(embedding, axis=1, keepdims=True)
    unit = embedding / np.maximum(lengths, np.finfo(np.float32).tiny)
    return (unit @ unit.T).clip(-1.0, 1.0).reshape(height, width, height, width).astype(np.float32)


def neighbour_share(similarity: Float[np.ndarray, "gh gw gh gw"], *, fold: bool = False) -> float:
    """Share of patches whose most similar other patch is one of the (up to) 8 around it; see `chance_of_neighbour`.

    With `fold`, a patch and its left-right mirror image count as one place: a network trained on randomly flipped images has no
    reason to tell them apart.
    """
    height, width = similarity.shape[:2]
    near = _neighbours(height, width, fold)
    return float(near[np.arange(len(near)), _most_similar(similarity, fold)].mean())


def mirror_share(similarity: Float[np.ndarray, "gh gw gh gw"]) -> float:
    """Share of patches off the middle column whose most similar other patch is their left-right mirror image."""
    height, width = similarity.shape[:2]
    mirror = _mirror(height, width)
    off_middle = mirror != np.arange(len(mirror))
    if not off_middle.any():
        return 0.0
    return float((_most_similar(similarity, fold=False) == mirror)[off_middle].mean())


def chance_of_neighbour(grid: tuple[int, int], *, fold: bool = False) -> float:
    """The average `neighbour_share` of embeddings that know nothing of place."""
    height, width = grid
    near, others = _neighbours(height, width, fold), ~_same(height, width, fold)
    return float((near.sum(axis=1) / others.sum(axis=1)).mean())


def _most_similar(similarity: np.ndarray, fold: bool) -> np.ndarray:
    """The most similar other patch of each patch (with `fold`, other than its mirror image too)."""
    height, width = similarity.shape[:2]
    flat = similarity.reshape(height * width, height * width)
    return np.where(_same(height, width, fold), -np.inf, flat).argmax(axis=1)


def _same(height: int, width: int, fold: bool) -> np.ndarray:
    """Whether two patches count as one place: (patches, patches)."""
    same = np.eye(height * width, dtype=bool)
    return same | same[_mirror(height, width)] if fold else same


def _neighbours(height: int, width: int, fold: bool) -> np.ndarray:
    """Whether two places are different and touch, at least at a corner: (patches, patches)."""
    rows, columns = np.divmod(np.arange(height * width), width)
    far = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns))
    if fold:
        far = np.minimum(far, far[_mirror(height, width)])
    return (far == 1) & ~_same(height, width, fold)


def _mirror(height: int, width: int) -> np.ndarray:
    """The number of each patch's left-right mirror image."""
    return np.arange(height * width).reshape(height, width)[:, ::-1].ravel()
