"""Training on pairs: the next symbol by teacher forcing; on validation sources the answers written and their error rates."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from fittingroom.data.seq2seq.batches import PairBatch, SourceBatch
from fittingroom.data.seq2seq.vocabulary import PAD_ID
from fittingroom.evaluation.decoding import Hypothesis
from fittingroom.evaluation.error_rates import ErrorRates
from fittingroom.evaluation.generate import generate_batch
from fittingroom.models.sequence import SequenceModel
from fittingroom.training.module import Task


class ValidationBatch(NamedTuple):
    """Sources to write answers for, and all of their pairs, to find the loss of."""

    sources: SourceBatch
    pairs: PairBatch


Judge = Callable[[list[int], list[Hypothesis]], ErrorRates]
"""Error rates of the answers for the validation sources at these positions."""


class TransductionTask(Task):
    """A batch is a `PairBatch`; of validation a `ValidationBatch`. `judge` and `max_len` are for validation only."""

    compiled_dynamic = None
    judge: Judge
    max_len: int

    @property
    def writer(self) -> SequenceModel:
        """The final model."""
        model = self.final_model
        assert isinstance(model, SequenceModel)
        return model

    def loss(self, batch: PairBatch) -> Tensor:
        """Cross-entropy of every symbol and of the end mark, smoothed, averaged over symbols (section 5.4)."""
        logits = self.trained(batch.src, batch.src_mask, batch.tgt_in)
        return symbol_loss(logits, batch.tgt_out, self.run_config.label_smoothing)

    def validation_step(self, batch: ValidationBatch, batch_idx: int) -> None:
        """Loss, and error rates of what the final model writes greedily."""
        sources, pairs = batch
        logits = self.writer(pairs.src, pairs.src_mask, pairs.tgt_in)
        num_symbols = int(pairs.tgt_mask.sum())
        self.log("val_loss", symbol_loss(logits, pairs.tgt_out), batch_size=num_symbols)
        rates = self.judge(sources.places.tolist(), generate_batch(self.writer, sources, self.max_len))
        # Weighted as the rates of all batches together are: words by their number, phonemes by theirs.
        self.log("val_word_error_rate", rates.word_error_rate, prog_bar=True, batch_size=len(rates.edits))
        self.log("val_phoneme_error_rate", rates.phoneme_error_rate, batch_size=int(rates.reference_lengths.sum()))


def symbol_loss(
    logits: Float[Tensor, "batch tgt vocab"], tgt_out: Int[Tensor, "batch tgt"], smoothing: float = 0.0
) -> Tensor:
    """Mean over all symbols that are no padding; computed in fp32."""
    return F.cross_entropy(
        logits.float().flatten(0, 1), tgt_out.flatten(), ignore_index=PAD_ID, label_smoothing=smoothing
    )
