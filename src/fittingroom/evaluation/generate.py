"""Decode sources greedily with a sequence model: one batch, or all sources of a part."""

from typing import Any

import torch
from torch import Tensor

from fittingroom.data.seq2seq.batches import EncodedPairs, SourceBatch, eval_source_batches
from fittingroom.data.seq2seq.lookalikes import as_known
from fittingroom.data.seq2seq.tsv import MAX_SYMBOLS, NUM_MARKS, Pairs
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, UNK_ID, Vocabulary
from fittingroom.evaluation.decoding import Hypothesis, greedy
from fittingroom.evaluation.error_rates import ErrorRates, error_rates
from fittingroom.models.sequence import SequenceModel


def generate_batch(model: SequenceModel, batch: SourceBatch, max_len: int) -> list[Hypothesis]:
    """The answer for each source of the batch. The model's mode and precision are left unchanged."""
    return greedy(model.step, model.reorder, *begin(model, batch.src, batch.src_mask), eos_id=EOS_ID, max_len=max_len)


@torch.inference_mode()
def begin(model: SequenceModel, src: Tensor, src_mask: Tensor) -> tuple[Any, Tensor]:
    """The decoder's initial state, and the begin mark of each row."""
    state = model.start(model.encode(src, src_mask), src_mask)
    return state, torch.full((len(src),), BOS_ID, device=src.device)


def generate(model: SequenceModel, pairs: EncodedPairs, max_len: int, *, device: str = "cpu") -> list[Hypothesis]:
    """The answer for every source, in the order of the sources."""
    answers: dict[int, Hypothesis] = {}
    with torch.inference_mode():
        for batch in eval_source_batches(pairs):
            on_device = SourceBatch(*(part.to(device) for part in batch))
            answers.update(zip(batch.places.tolist(), generate_batch(model, on_device, max_len), strict=True))
    return [answers[place] for place in range(len(pairs.sources))]


def most_symbols(train: Pairs, model_config: dict[str, Any]) -> int:
    """The longest answer to generate: twice the longest training target plus 8, limited by the model's `max_len`."""
    return min(2 * train.longest_target + 8, model_config.get("max_len", MAX_SYMBOLS + NUM_MARKS))


def num_unknown(encoded: EncodedPairs) -> int:
    """Count the symbols of both sides that the vocabularies lack. Repeated symbols count each time."""
    return sum(int((side.ids == UNK_ID).sum()) for side in (encoded.sources, encoded.targets))


def num_read_as_known(pairs: Pairs, vocabulary: Vocabulary, max_len: int | None) -> int:
    """Count the sources that `as_known` changes."""
    most = None if max_len is None else max_len - 1
    return sum(bool(as_known(source, vocabulary, most).replaced) for source in pairs.sources)


def score(pairs: Pairs, places: list[int], answers: list[Hypothesis], vocabulary: Vocabulary) -> ErrorRates:
    """Error rates of the answers for the sources at `places`. An unknown symbol matches no reference symbol."""
    return error_rates([vocabulary.decode(each.ids) for each in answers], [pairs.targets[place] for place in places])
