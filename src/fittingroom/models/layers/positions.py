"""Position embeddings: sinusoidal in one or two dimensions, learned, or none.

Attention treats tokens as a set. A Transformer knows their order only from these vectors, which are added to the tokens.
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
    """The first half of `dim` encodes the row as in `sinusoidal_1d`, the second half the column. Row-major order.

    Fixed 2-D positions as in "Better plain ViT baselines" (arXiv 2205.01580). The code of that paper uses other frequencies and
    puts all sines before all cosines, so weights do not move to it.
    """
    if dim % 4:
        raise FittingRoomError(
            f"embed_dim {dim} is not a multiple of 4: 2-D sinusoidal positions need sine and cosine for row and column"
        )
    rows = sinusoidal_1d(height, dim // 2)[:, None].expand(height, width, dim // 2)
    columns = sinusoidal_1d(width, dim // 2)[None, :].expand(height, width, dim // 2)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def add_position_embedding(
    module: nn.Module, kind: PositionKind, *, grid: tuple[int, int], dim: int, num_prefix_tokens: int = 0
) -> None:
    """Add `pos_embed` of shape (1, prefix + height * width, dim) to `module`: a parameter if learned, a buffer if fixed, or None.

    Fixed positions are zero for prefix tokens (the class token). The buffer is part of the state dict, as in timm.
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
