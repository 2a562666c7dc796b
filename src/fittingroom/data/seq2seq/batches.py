"""Padded and masked batches of pairs. A training batch depends only on `(seed, epoch, step)`.

An item is one pair. A source with three targets gives three items, so training uses every target once per epoch and needs no
random choice among them. The batch size counts pairs, not tokens: every step then has the same weight, and the number of
steps per epoch is known in advance. Words are short: the longest batch of cmudict has 3.5 times the mean number of tokens.

Batches group pairs of similar length, so they need little padding. Each epoch shuffles the pairs, sorts them by length within
windows of 100 batches, cuts the windows into batches, and shuffles the batches. With 256 pairs per batch, padding makes up
4.4 % of cmudict's batches; with windows of 50 batches it is 7.5 %, and without sorting 50 %.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed, generator
from fittingroom.data.seq2seq.augment import PairAugmentConfig, decoder_input, hide, join
from fittingroom.data.seq2seq.compact import CHUNK, Texts
from fittingroom.data.seq2seq.lookalikes import as_known
from fittingroom.data.seq2seq.tsv import Pairs
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, PAD_ID, Vocabulary
from fittingroom.data.shard import shard

WINDOW_BATCHES = 100
"""Number of batches that are sorted together. More batches mean less padding but less random batches."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of ids of any length, stored end to end. Padding is added only when a batch is made."""

    ids: Int[Tensor, " total"]
    """In the smallest type that holds them."""
    starts: Int64[Tensor, " num"]
    lengths: Int64[Tensor, " num"]

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(
        self, picked: Int64[Tensor, " batch"]
    ) -> tuple[Int64[Tensor, "batch length"], Bool[Tensor, "batch length"]]:
        """The picked sequences as rows, padded at the end with PAD_ID, and a mask that is True on symbols."""
        lengths = self.lengths[picked]
        places = torch.arange(int(lengths.max()))
        mask = places < lengths[:, None]
        within = (self.starts[picked, None] + places).clamp_max(len(self.ids) - 1)
        return torch.where(mask, self.ids[within].long(), PAD_ID), mask


def sequences(rows: Sequence[list[int]]) -> Sequences:
    """Pack rows of ids into `Sequences`."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    ids = torch.tensor([number for row in rows for number in row], dtype=torch.int64)
    return Sequences(ids, lengths.cumsum(0) - lengths, lengths)


@dataclass(frozen=True, eq=False)
class EncodedPairs:
    """Pairs as ids. Sources end with EOS_ID, which marks the end of the word for the model; targets hold only symbols."""

    sources: Sequences
    targets: Sequences
    source_of: Int64[Tensor, " pairs"]
    """For each target, the position of its source."""

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.targets)


def encode(
    pairs: Pairs, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary, max_len: int | None = None
) -> EncodedPairs:
    """Encode all pairs as ids. Symbols missing from a vocabulary become UNK_ID.

    Sources are read as `as_known` says, unless that makes them longer than a model of `max_len` can read.
    """
    targets = pairs.targets.flat
    ids = np.array(target_vocabulary.encode(targets.table), dtype=np.int64)
    return EncodedPairs(
        sources=_encode_sources(pairs.sources, source_vocabulary, max_len),
        targets=_packed(ids[targets.ids], np.asarray(targets.lengths), len(target_vocabulary)),
        source_of=torch.from_numpy(np.repeat(np.arange(len(pairs)), pairs.targets.lengths)),
    )


def _encode_sources(sources: Texts, vocabulary: Vocabulary, max_len: int | None) -> Sequences:
    """The ids of each source and an end mark, encoded in chunks to save memory."""
    most = None if max_len is None else max_len - 1
    chunks: list[np.ndarray] = [np.zeros(0, dtype=np.int16)]
    lengths: list[int] = []
    for start in range(0, len(sources), CHUNK):
        rows = []
        for source in sources[start : start + CHUNK]:
            rows.append(vocabulary.encode(as_known(source, vocabulary, most).symbols))
            rows[-1].append(EOS_ID)
            lengths.append(len(rows[-1]))
        chunks.append(np.array(list(itertools.chain.from_iterable(rows)), dtype=np.min_scalar_type(-len(vocabulary))))
    return _packed(np.concatenate(chunks), np.array(lengths, dtype=np.int64), len(vocabulary))


def _packed(ids: np.ndarray, lengths: np.ndarray, num_ids: int) -> Sequences:
    kept = torch.from_numpy(ids.astype(np.min_scalar_type(-num_ids)))
    counts = torch.from_numpy(lengths.astype(np.int64))
    return Sequences(kept, counts.cumsum(0) - counts, counts)


class SourceBatch(NamedTuple):
    """A batch of sources to decode."""

    src: Int64[Tensor, "batch src_len"]
    src_mask: Bool[Tensor, "batch src_len"]
    """True = may attend."""
    places: Int64[Tensor, " batch"]
    """Positions of the sources in the data, used to restore the order of the answers."""


class PairBatch(NamedTuple):
    """Sources and targets for teacher forcing: from `tgt_in[:, : j + 1]` the model predicts `tgt_out[:, j]`."""

    src: Int64[Tensor, "batch src_len"]
    src_mask: Bool[Tensor, "batch src_len"]
    """True = may attend."""
    tgt_in: Int64[Tensor, "batch tgt_len"]
    """BOS_ID followed by the symbols."""
    tgt_out: Int64[Tensor, "batch tgt_len"]
    """The symbols followed by EOS_ID."""
    tgt_mask: Bool[Tensor, "batch tgt_len"]
    """True = counts in the loss and may be attended to."""
    places: Int64[Tensor, " batch"]
    """Positions of the pairs in the data."""


def source_batch(pairs: EncodedPairs, picked: Int64[Tensor, " batch"]) -> SourceBatch:
    """Make a batch of the sources at the picked positions."""
    return SourceBatch(*pairs.sources.padded(picked), picked)


def pair_batch(pairs: EncodedPairs, picked: Int64[Tensor, " batch"]) -> PairBatch:
    """Make a batch of the pairs at the picked positions."""
    src, src_mask = pairs.sources.padded(pairs.source_of[picked])
    symbols, symbol_mask = pairs.targets.padded(picked)
    first = torch.full((len(picked), 1), BOS_ID)
    last = torch.full((len(picked), 1), PAD_ID)
    tgt_out = torch.cat([symbols, last], 1).scatter(1, pairs.targets.lengths[picked, None], EOS_ID)
    tgt_mask = torch.cat([torch.ones_like(first, dtype=torch.bool), symbol_mask], 1)
    return PairBatch(src, src_mask, torch.cat([first, symbols], 1), tgt_out, tgt_mask, picked)


@dataclass(frozen=True, kw_only=True)
class TrainPairBatches:
    """All batches of a run, indexed by epoch and step within the epoch. Each epoch uses every pair exactly once.

    The batches share the pairs evenly: each has `batch_size` pairs or slightly fewer.
    """

    pairs: EncodedPairs
    seed: int
    batch_size: int
    augment: PairAugmentConfig = field(default_factory=PairAugmentConfig)
    max_len: int | None = None
    """The most symbols that a joined pair may have on a side; default: any number."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not 1 <= self.batch_size <= len(self.pairs):
            raise FittingRoomError(
                f"batch_size {self.batch_size} does not suit {len(self.pairs)} training pairs: choose 1 to {len(self.pairs)}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training pairs."""
        return -(-len(self.pairs) // self.batch_size)

    @property
    def mean_batch_size(self) -> float:
        """Mean number of pairs per step."""
        return len(self.pairs) / self.steps_per_epoch

    def order(self, epoch: int) -> list[Int64[Tensor, " batch"]]:
        """The positions of the pairs in each batch of one epoch."""
        num, steps = len(self.pairs), self.steps_per_epoch
        draw = generator(self.seed, "pair order", epoch)
        shuffled = torch.randperm(num, generator=draw)
        bounds = [step * num // steps for step in range(steps + 1)]
        batches = []
        for first in range(0, steps, WINDOW_BATCHES):
            ends = bounds[first : first + WINDOW_BATCHES + 1]
            window = by_length(self.pairs, shuffled[ends[0] : ends[-1]])
            batches += window.split([end - start for start, end in itertools.pairwise(ends)])
        return [batches[place] for place in torch.randperm(steps, generator=draw).tolist()]

    def batch(self, epoch: int, step: int, order: list[Tensor] | None = None) -> PairBatch:
        """The batch of `step` in `epoch`. Pass the epoch's `order` to avoid drawing it again."""
        order = self.order(epoch) if order is None else order
        return self._augmented(pair_batch(self.pairs, order[step]), epoch, step)

    def _augmented(self, batch: PairBatch, epoch: int, step: int) -> PairBatch:
        config = self.augment
        if config == PairAugmentConfig():
            return batch
        draw = generator(self.seed, "pair augment", epoch, step)
        chosen = torch.rand(len(batch.src), generator=draw) < config.join_rate
        src, tgt = join((batch.src, batch.src_mask), (batch.tgt_out, batch.tgt_mask), chosen, self.max_len)
        tgt_in = decoder_input(*tgt)
        hidden = torch.rand(tgt_in.shape, generator=draw) < config.hide_rate
        return PairBatch(*src, hide(tgt_in, hidden), *tgt, batch.places)

    def from_step(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[PairBatch]:
        """Endless batches from global step `first_step` on. Each rank gets its share of every batch."""
        epoch, step = divmod(first_step, self.steps_per_epoch)
        while True:
            order = self.order(epoch)
            for index in range(step, self.steps_per_epoch):
                yield shard(self.batch(epoch, index, order), rank, world_size)
            epoch, step = epoch + 1, 0


def by_length(pairs: EncodedPairs, picked: Int64[Tensor, " some"]) -> Int64[Tensor, " some"]:
    """Sort the picked positions by target length, then by source length. Ties keep their order."""
    src, tgt = pairs.sources.lengths[pairs.source_of[picked]], pairs.targets.lengths[picked]
    return picked[(tgt * (int(src.max()) + 1) + src).argsort(stable=True)]


def eval_pair_batches(pairs: EncodedPairs, batch_size: int = 512) -> Iterator[PairBatch]:
    """Batches of every pair once, shortest first, for computing a loss. The last batch may be smaller."""
    for picked in by_length(pairs, torch.arange(len(pairs))).split(batch_size):
        yield pair_batch(pairs, picked)


def eval_source_batches(pairs: EncodedPairs, batch_size: int = 512) -> Iterator[SourceBatch]:
    """Batches of every source once, shortest first, for decoding. The last batch may be smaller."""
    for picked in pairs.sources.lengths.argsort(stable=True).split(batch_size):
        yield source_batch(pairs, picked)
