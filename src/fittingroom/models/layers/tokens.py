"""Symbol ids to vectors: sections 3.4 and 3.5 of "Attention Is All You Need"."""

from typing import ClassVar, Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.layers.dropout import Dropout
from fittingroom.models.layers.positions import add_position_embedding
from fittingroom.models.roles import Roles

SequencePositions = Literal["sincos1d", "learned", "none"]


class TokenEmbed(nn.Module):
    """`table[id] * sqrt(dim)` plus the position, then dropout. Entries start with standard deviation 1 / sqrt(dim)."""

    pos_embed: Tensor | None
    weight_roles: ClassVar[Roles] = {"table": "input", "pos_embed": "vector"}

    def __init__(
        self, vocab_size: int, dim: int, *, positions: SequencePositions, max_len: int = 0, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        add_position_embedding(self, positions, grid=(1, max_len), dim=dim)
        self.drop = Dropout(drop_rate)

    def forward(self, ids: Int[Tensor, "batch tokens"], first: int = 0) -> Float[Tensor, "batch tokens dim"]:
        """Vectors of tokens at positions `first`, `first + 1`, ... Raises FittingRoomError beyond `max_len`."""
        vectors = self.table(ids) * self.table.embedding_dim**0.5
        if self.pos_embed is not None:
            end, max_len = first + ids.shape[1], self.pos_embed.shape[1]
            if end > max_len:
                raise FittingRoomError(f"a sequence of {end} symbols is longer than max_len {max_len}: raise max_len")
            vectors = vectors + self.pos_embed[:, first:end]
        return self.drop(vectors)
