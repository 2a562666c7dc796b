"""`torch.nn.Transformer` on pairs with a typical training step. `sequences.py` compares our Transformer with it."""

import itertools
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fittingroom.data.seq2seq.batches import PairBatch
from fittingroom.data.seq2seq.vocabulary import PAD_ID
from fittingroom.models.layers.positions import sinusoidal_1d
from fittingroom.tasks.seq2seq.training import Seq2seqTask


class Plain(nn.Module):
    """`nn.Transformer` with embeddings, sinusoids and an output layer, pre-norm, ReLU."""

    positions: Tensor

    def __init__(self, src_vocab_size: int, tgt_vocab_size: int, dim: int = 192) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(src_vocab_size, dim), nn.Embedding(tgt_vocab_size, dim)
        self.register_buffer("positions", sinusoidal_1d(64, dim))
        self.transformer = nn.Transformer(dim, 4, 3, 3, 3 * dim, 0.1, batch_first=True, norm_first=True)
        self.output = nn.Linear(dim, tgt_vocab_size)

    def forward(self, batch: PairBatch) -> Tensor:
        """Logits."""
        src, tgt = (
            table(ids) + self.positions[: ids.shape[1]]
            for table, ids in ((self.source, batch.src), (self.target, batch.tgt_in))
        )
        causal = nn.Transformer.generate_square_subsequent_mask(batch.tgt_in.shape[1], dtype=torch.bool)
        padding = ~batch.src_mask
        return self.output(
            self.transformer(
                src, tgt, tgt_mask=causal, tgt_is_causal=True, src_key_padding_mask=padding, memory_key_padding_mask=padding,
                tgt_key_padding_mask=~batch.tgt_mask,
            )
        )  # fmt: skip


class PlainSteps:
    """Training steps of `Plain`."""

    def __init__(self, task: Seq2seqTask, batches: list[PairBatch], *, bf16: bool = False) -> None:
        torch.manual_seed(0)
        sizes = task.config.model_config
        self.model = Plain(sizes["src_vocab_size"], sizes["tgt_vocab_size"]).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-4)
        self.batches, self.bf16 = itertools.cycle(batches), bf16

    def step(self) -> float:
        """Seconds of one step, excluding the creation of the batch."""
        batch = next(self.batches)
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.model(batch)
            loss = F.cross_entropy(
                logits.float().flatten(0, 1), batch.tgt_out.flatten(), ignore_index=PAD_ID, label_smoothing=0.1
            )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - start
