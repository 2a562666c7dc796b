"""What a network knows of place: its position embedding, and which patches it takes for near."""

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.calling import unwrapped
from fittingroom.explain.tokens import token_layout


def position_embedding(model: nn.Module) -> Float[np.ndarray, "patches dim"]:
    """The vector added to each patch token, row by row, prefix tokens dropped.

    Raises FittingRoomError for a network without tokens or without an added position embedding.
    """
    layout, network = token_layout(model), unwrapped(model)
    table = getattr(network, "pos_embed", None)
    if table is None:  # Hugging Face keeps it in the module of the embeddings
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

    `[i, j]` is the tile of the patch in row i and column j: its cosine to every patch of the grid (height, width).
    """
    height, width = grid
    if len(embedding) != height * width:
        raise FittingRoomError(
            f"{len(embedding)} positions do not fill a grid of {height} x {width}: give the model's own"
        )
    lengths = np.linalg.norm(embedding, axis=1, keepdims=True)
    unit = embedding / np.maximum(lengths, np.finfo(np.float32).tiny)
    return (unit @ unit.T).clip(-1.0, 1.0).reshape(height, width, height, width).astype(np.float32)


def neighbour_advantage(similarity: Float[np.ndarray, "gh gw gh gw"]) -> float:
    """Share of patches whose most similar other patch is one of the (up to) 8 around it; see `chance_of_neighbour`."""
    height, width = similarity.shape[:2]
    flat = similarity.reshape(height * width, height * width).copy()
    np.fill_diagonal(flat, -np.inf)
    return float(_neighbours(height, width)[np.arange(len(flat)), flat.argmax(axis=1)].mean())


def chance_of_neighbour(grid: tuple[int, int]) -> float:
    """What `neighbour_advantage` would be on average if embeddings knew nothing of place."""
    near = _neighbours(*grid)
    return float(near.sum() / (len(near) * (len(near) - 1)))


def _neighbours(height: int, width: int) -> np.ndarray:
    """Whether two different patches touch, at least at a corner: (patches, patches)."""
    rows, columns = np.divmod(np.arange(height * width), width)
    far = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns))
    return far == 1
