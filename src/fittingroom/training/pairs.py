"""Pairs of sequences as a problem: vocabularies from the training part, batches by length, error rates of what is written."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.core.rundir import write_atomic, write_json
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.batches import (
    EncodedPairs,
    PairBatch,
    TrainPairBatches,
    encode,
    eval_pair_batches,
    pair_batch,
    source_batch,
)
from fittingroom.data.seq2seq.load import check_digest, digest_of, load_pair_splits
from fittingroom.data.seq2seq.splits import PairSplits
from fittingroom.data.seq2seq.tsv import MAX_SYMBOLS, Pairs
from fittingroom.data.seq2seq.vocabulary import Vocabulary, build_both
from fittingroom.evaluation.decoding import Hypothesis
from fittingroom.evaluation.generate import generate, generate_batch, judge, most_symbols, num_unknown
from fittingroom.evaluation.score import log_test_read
from fittingroom.models import build_model, resolve_config
from fittingroom.models.cost import sequence_macs
from fittingroom.training.config import PairRunConfig
from fittingroom.training.problem import Problem
from fittingroom.training.speed.plan import Plan
from fittingroom.training.transduction import TransductionTask, ValidationBatch, symbol_loss

ON_THE_WAY = 1000
"""Sources that validation on the way writes answers for: all of cmudict's would take seconds each epoch."""
MEASURED = 256
"""Sources that are written to measure how long that takes."""


class PairProblem(Problem):
    """Pairs and a config."""

    one_shape = False
    score_names = ("val_word_error_rate", "val_phoneme_error_rate")

    def __init__(self, config: PairRunConfig) -> None:
        self._given = config

    @cached_property
    def splits(self) -> PairSplits:
        """The pairs. Raises FittingRoomError where they are others than those the run began with."""
        given = self._given
        if given.digest:
            check_digest(given.digest, given.data, given.dev, given.test)
        return _load(given.data, given.dev, given.test, given.keep_stress, self.digest)

    @cached_property
    def digest(self) -> str:
        """Of the files as they are now."""
        return digest_of(self._given.data, self._given.dev, self._given.test)

    @cached_property
    def config(self) -> PairRunConfig:
        """With the sizes that the data decide, and no more pairs a step than there are."""
        given, (source, target) = self._given, self.vocabularies
        values = {**given.model_config, "src_vocab_size": len(source), "tgt_vocab_size": len(target)}
        model_config = to_dict(resolve_config(given.model, values, given.registry))
        if "max_len" in model_config and "max_len" not in given.model_config and given.data != cmudict.NAME:
            model_config["max_len"] = MAX_SYMBOLS + 2  # any line of a file that can be read, with its mark
        self._check_length(model_config.get("max_len"))
        return replace(
            given,
            model_config=model_config,
            digest=self.digest,
            batch_size=min(given.batch_size, self.splits.train.num_pairs),
        )

    def _check_length(self, max_len: int | None) -> None:
        """FittingRoomError where a sequence is too long for the model: now, and not in the middle of a run or at its test."""
        splits = self.splits
        targets = [len(each) for pairs in (splits.train, splits.val) for several in pairs.targets for each in several]
        longest = 1 + max(splits.longest_source, *targets)
        if max_len is not None and longest > max_len:
            raise FittingRoomError(f"max_len {max_len} is too small for these pairs: choose {longest} or more")

    @cached_property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Of sources and targets; training pairs only."""
        return build_both(self.splits.train)

    @cached_property
    def batches(self) -> TrainPairBatches:
        """The run's training batches."""
        return TrainPairBatches(
            pairs=encode(self.splits.train, *self.vocabularies),
            seed=self.config.seed,
            batch_size=self.config.batch_size,
        )

    @cached_property
    def val(self) -> EncodedPairs:
        """The validation part as ids."""
        return encode(self.splits.val, *self.vocabularies)

    @property
    def num_val(self) -> int:
        """Sources that are written on the way."""
        return min(len(self.splits.val), ON_THE_WAY)

    @property
    def step_shape(self) -> list[int]:
        """Mean lengths of source and target, rounded."""
        pairs = self.batches.pairs
        return [round(float(side.lengths.double().mean())) for side in (pairs.sources, pairs.targets)]

    @property
    def max_len(self) -> int:
        """Most symbols that are written."""
        return most_symbols(self.splits.train, self.config.model_config)

    def new_task(self, plan: Plan, *, total_steps: int = 0, began: float | None = None) -> TransductionTask:
        """On a model of its own, with the run's first weights."""
        config = self.config
        with seeded(config.seed, "init"):
            model = build_model(config.model, config.model_config, config.registry)
        task = TransductionTask(model, config, plan, total_steps=total_steps, began=began)
        task.judge = lambda places, answers: judge(self.splits.val, places, answers, self.vocabularies[1])
        task.max_len = self.max_len
        return task

    def step_macs(self) -> int:
        """Multiply-adds of one pair of mean lengths."""
        config = self.config
        return sequence_macs(build_model(config.model, config.model_config, config.registry), *self.step_shape)

    def val_batches(self, number: int) -> "EvalPairLoader":
        """Of `number` validation sources, spread evenly: a dictionary stands in alphabetical order."""
        places = torch.arange(number) * len(self.splits.val) // number
        return EvalPairLoader(self.val, places)

    def evaluation_seconds(self, task: TransductionTask) -> float:
        """From one batch of validation sources, the second time it is written; as long as answers are on average."""
        plan, num = task.plan, min(MEASURED, len(self.splits.val))
        (batch,) = EvalPairLoader(self.val, torch.arange(num) * len(self.splits.val) // num, batch_size=num)
        sources = type(batch.sources)(*(part.to(plan.device) for part in batch.sources))
        task.to(plan.device).eval()
        with torch.inference_mode(), torch.autocast(plan.device, torch.bfloat16, enabled=plan.precision == "bf16"):
            generate_batch(task.writer, sources, 2)
            start = time.perf_counter()
            generate_batch(task.writer, sources, self.step_shape[1] + 2)
            seconds = time.perf_counter() - start
        task.train()
        return seconds / num

    def write_results(self, task: TransductionTask, folder: Path, *, open_test: bool) -> dict[str, Any]:
        """Error rates; sources, answers and references go to predictions.npz, vocabularies to vocabularies.json.

        In fp32 whatever the plan: the scores are those of the saved weights, as whoever loads them will find.
        """
        source, target = self.vocabularies
        write_json(folder / "vocabularies.json", {"source": source.to_list(), "target": target.to_list()})
        task.to(task.plan.device)
        arrays, scores = {}, {}
        parts = {"val": self.splits.val}
        if open_test:
            # Read anew, it must be the part that was held back when training began.
            check_digest(self.digest, self._given.data, self._given.dev, self._given.test)
            parts["test"] = self.splits.open_test(lambda why: log_test_read(folder, why), "final epoch")
        for split, pairs in parts.items():
            start = time.perf_counter()
            encoded = encode(pairs, source, target)
            answers = generate(task.writer, encoded, self.max_len, device=task.plan.device)
            scores["decode_seconds"] = round(
                time.perf_counter() - start, 3
            )  # the last part's stands, and of unknown symbols too: the test's
            rates = judge(pairs, list(range(len(pairs))), answers, target)
            scores["num_unknown"] = num_unknown(pairs, source, target)
            scores[f"{split}_word_error_rate"] = rates.word_error_rate
            scores[f"{split}_phoneme_error_rate"] = rates.phoneme_error_rate
            arrays |= {f"{split}_{name}": array for name, array in prediction_arrays(pairs, answers, target).items()}
        write_atomic(folder / "predictions.npz", lambda file: np.savez_compressed(file, **arrays))
        return scores | {"val_loss": self._loss(task)}

    @property
    def title(self) -> str:
        """How sentences call the data."""
        is_cmudict = self.config.data == cmudict.NAME
        return "the CMU Pronouncing Dictionary" if is_cmudict else self.splits.name

    def describe(self) -> dict[str, Any]:
        """What comparison.json says of the data."""
        source, target = self.vocabularies
        return {
            "name": self.splits.name,
            "num_train": len(self.splits.train),
            "num_val": len(self.splits.val),
            "num_test": self.splits.num_test,
            "num_source_symbols": len(source.symbols),
            "num_target_symbols": len(target.symbols),
        }

    def _loss(self, task: TransductionTask) -> float:
        """Mean over the symbols of all validation pairs."""
        total = number = 0.0
        with torch.inference_mode():
            for batch in eval_pair_batches(self.val):
                moved = PairBatch(*(part.to(task.plan.device) for part in batch))
                count = int(batch.tgt_mask.sum())
                loss = symbol_loss(task.writer(moved.src, moved.src_mask, moved.tgt_in), moved.tgt_out)
                total, number = total + float(loss) * count, number + count
        return total / number


@cache
def _load(data: str, dev: str | None, test: str | None, keep_stress: bool, digest: str) -> PairSplits:
    """Read once a process: a comparison has many runs on the same pairs."""
    return load_pair_splits(data, dev, test, keep_stress=keep_stress)


class EvalPairLoader:
    """The sources at `places` in batches of like length, each with all of its pairs."""

    def __init__(self, pairs: EncodedPairs, places: torch.Tensor, batch_size: int = 250) -> None:
        self.pairs, self.batch_size = pairs, batch_size
        self.places = places[pairs.sources.lengths[places].argsort(stable=True)]

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch_size)

    def __iter__(self) -> Iterator[ValidationBatch]:
        for picked in self.places.split(self.batch_size):
            theirs = torch.isin(self.pairs.source_of, picked).nonzero().squeeze(1)
            yield ValidationBatch(source_batch(self.pairs, picked), pair_batch(self.pairs, theirs))


def prediction_arrays(pairs: Pairs, answers: list[Hypothesis], target: Vocabulary) -> dict[str, np.ndarray]:
    """What predictions.npz holds of a part: symbols are joined by spaces, several references by tabs."""
    return {
        "sources": np.array(pairs.sources),
        "predicted": np.array([" ".join(target.decode(each.ids)) for each in answers]),
        "references": np.array(["\t".join(" ".join(each) for each in targets) for targets in pairs.targets]),
        "log_probs": np.array([each.log_prob for each in answers], dtype=np.float32),
    }
