"""Position embeddings: sinusoidal in one and two dimensions, learned, or none.

Attention treats its tokens as a set. What is added here is all that a Transformer knows about order.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError

PositionKind = Literal["learned", "sincos2d", "sincos1d", "none"]
BASE = 10_000.0


def sinusoidal_1d(num_positions: int, dim: int) -> Float[Tensor, "positions dim"]:
    """ "Attention Is All You Need", section 3.5: `PE[pos, 2i] = sin(pos / 10000^(2i/dim))`, `PE[pos, 2i+1] = cos(same)`."""
    if dim % 2:
        raise FittingRoomError(f"embed_dim {dim} is odd: sinusoidal positions need pairs of sine and cosine")
    position = torch.arange(num_positions, dtype=torch.float64)[:, None]
    angle = position / BASE ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).float()


def sinusoidal_2d(height: int, width: int, dim: int) -> Float[Tensor, "positions dim"]:
    """First half of `dim`: the row as in `sinusoidal_1d`; second half: the column. Row-major order.

    Fixed two-dimensional positions after "Better plain ViT baselines" (arXiv 2205.01580), whose code has other frequencies and
    sines before cosines: weights do not move to it.
    """
    if dim % 4:
        raise FittingRoomError(
            f"embed_dim {dim} is no multiple of 4: 2-D sinusoidal positions need two halves of pairs"
        )
    rows = sinusoidal_1d(height, dim // 2)[:, None].expand(height, width, dim // 2)
    columns = sinusoidal_1d(width, dim // 2)[None, :].expand(height, width, dim // 2)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def add_position_embedding(
    module: nn.Module, kind: PositionKind, *, grid: tuple[int, int], dim: int, num_prefix_tokens: int = 0
) -> None:
    """Give `module` its `pos_embed` of shape (1, prefix + height * width, dim): a parameter if learned, else a buffer, or None.

    Prefix tokens (the class token) get zeros where positions are fixed. A buffer is part of the state dict, as in timm.
    """
    height, width = grid
    if kind == "none":
        module.register_buffer("pos_embed", None)
        return
    if kind == "learned":
        module.register_parameter("pos_embed", nn.Parameter(torch.empty(1, num_prefix_tokens + height * width, dim)))
        nn.init.trunc_normal_(module.pos_embed, std=0.02)  # type: ignore[arg-type]
        return
    fixed = sinusoidal_2d(height, width, dim) if kind == "sincos2d" else sinusoidal_1d(height * width, dim)
    prefix = torch.zeros(num_prefix_tokens, dim)
    module.register_buffer("pos_embed", torch.cat([prefix, fixed])[None])
