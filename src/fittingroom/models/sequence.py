"""The interface of sequence models: learn from given targets (`forward`), generate step by step (`encode start step reorder`).

Symbols are integer ids. A model gives no id a special meaning; the vocabulary and the decoder do. Padding is at the end of a
source, where `src_mask` is False. Targets need no mask for padding: no symbol sees later ones.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@runtime_checkable
class SequenceModel(Protocol):
    """An encoder and a decoder. Callers treat `state` as opaque; `step` returns a new state and keeps the old one intact."""

    def forward(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> Float[Tensor, "batch tgt vocab"]:
        """Teacher forcing: logits of the symbol after each symbol of `tgt_in`, which starts with `bos_id`."""
        ...

    def __call__(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> Float[Tensor, "batch tgt vocab"]:
        """The same as `forward`."""
        ...

    def encode(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src dim"]:
        """The memory: one vector for each source symbol."""
        ...

    def start(self, memory: Float[Tensor, "batch src dim"], src_mask: Bool[Tensor, "batch src"]) -> Any:
        """The decoder's state before its first symbol, with everything that every step shares."""
        ...

    def step(self, ids: Int[Tensor, " batch"], state: Any) -> tuple[Float[Tensor, "batch vocab"], Any]:
        """Read one symbol per row; return the logits of the next one, and the new state. Equal to the columns of `forward`."""
        ...

    def reorder(self, state: Any, index: Int[Tensor, " rows"]) -> Any:
        """The state whose row i is row `index[i]` of `state`: copies, sorts or drops rows of the batch."""
        ...
