"""What a sequence model can do: learn from given targets (`forward`), and write symbol by symbol (`encode start step reorder`).

Ids are whole numbers; a model knows no special ones (that is the vocabulary's and the decoder's business). Padding of a
source stands at its end and is False in `src_mask`; padding of a target needs no mask, since nothing looks at later symbols.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@runtime_checkable
class SequenceModel(Protocol):
    """An encoder and a decoder. `state` is the model's own, not to be looked into; `step` leaves the old one as it was."""

    def forward(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> Float[Tensor, "batch tgt vocab"]:
        """Teacher forcing: logits of the symbol after each of `tgt_in`, which begins with `bos_id`."""
        ...

    def __call__(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> Float[Tensor, "batch tgt vocab"]:
        """`forward`, as callers call it."""
        ...

    def encode(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src dim"]:
        """The memory: one vector for each source symbol."""
        ...

    def start(self, memory: Float[Tensor, "batch src dim"], src_mask: Bool[Tensor, "batch src"]) -> Any:
        """The decoder's state before its first symbol, with all that can be computed once for every step."""
        ...

    def step(self, ids: Int[Tensor, " batch"], state: Any) -> tuple[Float[Tensor, "batch vocab"], Any]:
        """Read one symbol a row; logits of the next, and the state after it. Equal to the columns of `forward`."""
        ...

    def reorder(self, state: Any, index: Int[Tensor, " rows"]) -> Any:
        """The state whose row i is row `index[i]` of `state`: to copy, sort or drop rows of the batch."""
        ...
