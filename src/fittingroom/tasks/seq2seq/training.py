"""Training of sequence models: vocabularies from the training split, batches by length, teacher forcing, error rates."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator, seeded
from fittingroom.core.records import DataRecord, ReadLog, SplitRecord
from fittingroom.core.rundir import read_json, write_json
from fittingroom.data.images.listing import TABLES
from fittingroom.data.images.load import is_images
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.batches import (
    EncodedPairs,
    PairBatch,
    SourceBatch,
    TrainPairBatches,
    encode,
    eval_pair_batches,
    pair_batch,
    source_batch,
)
from fittingroom.data.seq2seq.load import check_digest, digest_of, is_pairs, load_pair_splits
from fittingroom.data.seq2seq.splits import PairSplits
from fittingroom.data.seq2seq.tsv import MAX_SYMBOLS, NUM_MARKS, Pairs, demand_learnable
from fittingroom.data.seq2seq.vocabulary import PAD_ID, Vocabulary, build_both
from fittingroom.evaluation.decoding import Hypothesis
from fittingroom.evaluation.evaluators import Evaluated, Evaluator
from fittingroom.evaluation.generate import (
    generate,
    generate_batch,
    most_symbols,
    num_read_as_known,
    num_unknown,
    score,
)
from fittingroom.evaluation.pronounce import Answer, pronounce
from fittingroom.evaluation.shipped import VOCABULARIES
from fittingroom.models import build_model, resolve_config
from fittingroom.models.cost import sequence_macs
from fittingroom.tasks.base import DataRequest, Logged, Placed, Task, task
from fittingroom.tasks.seq2seq.config import Seq2seqConfig
from fittingroom.tasks.seq2seq.scoring import SequencePredictions

DURING_TRAINING = 1000
"""The most sources to decode in each validation during training: all of cmudict's would take seconds per epoch."""
MEASURED = 256
"""The most sources to decode when measuring the time of decoding."""
RULE = "90/5/5 by a hash of the source"
RULE_FILES = "given by three files; training sources that also occur in validation or test are left out"


@dataclass(frozen=True, kw_only=True)
class Seq2seqSpec:
    """The description of the pairs in data.json."""

    name: str
    title: str
    source: str
    """The value of `--data`: cmudict or a path; the training file if dev and test are given."""
    dev: str | None = None
    test: str | None = None
    keep_stress: bool = False
    digest: str
    num_source_symbols: int
    num_target_symbols: int
    longest_source: int
    """Symbols of the longest source in any split."""


class ValidationBatch(NamedTuple):
    """Sources to decode, and all their pairs for the loss."""

    sources: SourceBatch
    pairs: PairBatch


@task("seq2seq")
class Seq2seqTask(Task):
    """A training batch is a `PairBatch`, a validation batch a `ValidationBatch`."""

    config_class = Seq2seqConfig
    default_models = ("transformer", "recurrent")
    one_shape = False

    @classmethod
    def reads(cls, data: str) -> bool:
        """Whether `data` is cmudict or a file of pairs."""
        return is_pairs(data)

    @classmethod
    def data_fields(cls, request: DataRequest, model: str) -> dict[str, Any]:
        """The pairs. Raises FittingRoomError for contradictory options and for images."""
        files = (request.train, request.dev, request.test)
        if any(files) and not all(files):
            raise FittingRoomError("--train, --dev and --test belong together: give all three, or one file with --data")
        if any(files) and request.data is not None:
            raise FittingRoomError("--data and --train both name the data: give one of them")
        if request.data is not None and is_images(request.data):
            ending = Path(request.data).suffix.lower()
            by_name = ending in TABLES and ending != ".tsv"
            what = f"is read as a table of images, because it ends in {ending}" if by_name else "holds images"
            raise FittingRoomError(
                f"--data {request.data} {what}, and {model} reads pairs of sequences: give cmudict or a TSV file"
            )
        if request.pictures != PictureOptions():
            what = f"{request.data} is read as pairs, because its first line has no columns path and label"
            table = request.data is not None and request.data != "cmudict"
            raise FittingRoomError(
                f"{what if table else f'{model} reads pairs of sequences'}: omit the options for pictures"
            )
        if request.stress not in (None, "strip", "keep"):
            raise FittingRoomError(f"--stress {request.stress}: choose strip or keep")
        if request.stress is not None and (any(files) or request.data not in (None, "cmudict")):
            raise FittingRoomError(f"--stress {request.stress} is for cmudict only: omit it")
        data = request.train or request.data or "cmudict"
        return {"data": data, "dev": request.dev, "test": request.test, "keep_stress": request.stress == "keep"}

    # Config and data

    @cached_property
    def splits(self) -> PairSplits:
        """The pairs. Raises FittingRoomError if they have changed since the run began."""
        given = self.located
        if given.digest and self.folder is None:
            check_digest(given.digest, given.data, given.dev, given.test)
        splits = _load(given.data, given.dev, given.test, given.keep_stress, self.digest)
        return splits if given.num_train is None else _draw(splits, given.num_train, given.seed)

    @cached_property
    def digest(self) -> str:
        """Hash of the files as they are now."""
        given = self.located
        return digest_of(given.data, given.dev, given.test)

    def digest_of(self, files: tuple[str, ...]) -> str:
        """The digest of one file of pairs, or of three."""
        return digest_of(*files)

    @property
    def hints(self) -> tuple[str, ...]:
        """A header line, spreadsheet quotes, or targets that are not segmented."""
        return self.splits.hints

    @cached_property
    def config(self) -> Seq2seqConfig:
        """The config with sizes from the data. A step has at most as many pairs as the training split."""
        given, (source, target) = self._given, self.vocabularies
        values = {**given.model_config, "src_vocab_size": len(source), "tgt_vocab_size": len(target)}
        model_config = to_dict(resolve_config(given.model, values, given.registry))
        if "max_len" in model_config and "max_len" not in given.model_config and given.data != cmudict.NAME:
            model_config["max_len"] = MAX_SYMBOLS + NUM_MARKS  # enough for any line that the reader accepts
        self._check_length(model_config.get("max_len"))
        return replace(
            given,
            model_config=model_config,
            digest=self.digest,
            batch_size=min(given.batch_size, self.splits.train.num_pairs),
        )

    def _check_length(self, max_len: int | None) -> None:
        """Raise FittingRoomError if a sequence is too long for the model, before the run starts."""
        splits = self.splits
        longest = 1 + max(splits.longest_source, splits.train.longest_target, splits.val.longest_target)
        if max_len is not None and longest > max_len:
            raise FittingRoomError(f"max_len {max_len} is too small for these pairs: choose {longest} or more")

    @property
    def title(self) -> str:
        """The name of the data in sentences."""
        is_cmudict = self._given.data == cmudict.NAME
        return "the CMU Pronouncing Dictionary" if is_cmudict else self.splits.name

    @cached_property
    def spec(self) -> Seq2seqSpec:
        """Names, digest and sizes, from data.json of a finished run or else from the pairs."""
        saved = self.saved_data()
        if saved is not None:
            return from_dict(Seq2seqSpec, saved["spec"], f"{self.folder}/data.json")
        source, target = self.vocabularies
        given = self._given
        return Seq2seqSpec(
            name=self.splits.name,
            title=self.title,
            source=given.data,
            dev=given.dev,
            test=given.test,
            keep_stress=given.keep_stress,
            digest=self.digest,
            num_source_symbols=len(source.symbols),
            num_target_symbols=len(target.symbols),
            longest_source=self.splits.longest_source,
        )

    def split_record(self) -> SplitRecord:
        """The sizes of the splits and the rule that divides the pairs. They are the same for every seed."""
        splits = self.splits
        return SplitRecord(
            seed=self._given.seed,
            num_train=len(splits.train),
            num_val=len(splits.val),
            num_test=splits.num_test,
            rule=RULE if self._given.dev is None else RULE_FILES,
        )

    def data_record(self) -> DataRecord:
        """Name and sizes."""
        spec, split = self.spec, self.split_record()
        return DataRecord(
            name=spec.name,
            digest=spec.digest,
            num_train=split.num_train,
            num_val=split.num_val,
            num_test=split.num_test,
            facts={
                "num_source_symbols": spec.num_source_symbols,
                "num_target_symbols": spec.num_target_symbols,
                "three_files": self._given.dev is not None,
            },
        )

    @cached_property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Vocabularies of sources and targets, from the finished run or else from the training pairs only."""
        return build_both(self.splits.train) if self.folder is None else read_vocabularies(self.folder)

    # Training

    @cached_property
    def batches(self) -> TrainPairBatches:
        """The run's training batches."""
        return TrainPairBatches(
            pairs=encode(self.splits.train, *self.vocabularies),
            seed=self.config.seed,
            batch_size=self.config.batch_size,
            augment=self.config.augment,
            max_len=self.config.model_config.get("max_len"),
        )

    @cached_property
    def val(self) -> EncodedPairs:
        """The validation split as ids."""
        return self._encode(self.splits.val)

    def _encode(self, pairs: Pairs) -> EncodedPairs:
        return encode(pairs, *self.vocabularies, self.config.model_config.get("max_len"))

    @property
    def num_val(self) -> int:
        """Sources that are decoded during training."""
        return min(len(self.splits.val), DURING_TRAINING)

    @property
    def step_shape(self) -> list[int]:
        """Mean lengths of source and target, rounded."""
        pairs = self.batches.pairs
        return [round(float(side.lengths.double().mean())) for side in (pairs.sources, pairs.targets)]

    @cached_property
    def max_len(self) -> int:
        """The most symbols to generate."""
        return most_symbols(self.splits.train, self.config.model_config)

    def new_model(self) -> nn.Module:
        """A model with initial weights drawn from (seed, "init")."""
        config = self.config
        with seeded(config.seed, "init"):
            return build_model(config.model, config.model_config, config.registry)

    def build_saved(self) -> Any:
        """The model of the run's config. Raises FittingRoomError if its vocabularies have other sizes."""
        given, folder = self._given, self.folder
        variant = given.registry.get(given.model)
        shape = from_dict(type(variant.make_config()), given.model_config, where=f"{given.registry.kind} {given.model}")
        model: Any = variant.build(shape)
        sizes = (model.config.src_vocab_size, model.config.tgt_vocab_size)
        for side, vocabulary, size in zip(("source", "target"), self.vocabularies, sizes, strict=True):
            if len(vocabulary) != size:
                raise FittingRoomError(
                    f"{folder}/{VOCABULARIES}: {side} holds {len(vocabulary)} ids, but the model has {size}: use the file of "
                    "that run"
                )
        return model

    def step_macs(self) -> int:
        """Multiply-adds of one pair of mean lengths."""
        config = self.config
        return sequence_macs(build_model(config.model, config.model_config, config.registry), *self.step_shape)

    def loss(self, model: Callable[..., Any], batch: PairBatch) -> Tensor:
        """Cross-entropy of every symbol and of the end mark, smoothed, averaged over symbols (section 5.4)."""
        logits = model(batch.src, batch.src_mask, batch.tgt_in)
        return symbol_loss(logits, batch.tgt_out, self.config.label_smoothing)

    def val_batches(self, number: int) -> "EvalPairLoader":
        """Batches of `number` validation sources. They are evenly spaced, because a dictionary is in alphabetical order."""
        places = torch.arange(number) * len(self.splits.val) // number
        return EvalPairLoader(self.val, places)

    def validate(self, model: Any, batch: ValidationBatch) -> Sequence[Logged]:
        """Loss, and error rates of greedy decoding: word errors weighted by words, phoneme errors by phonemes."""
        sources, pairs = batch
        logits = model(pairs.src, pairs.src_mask, pairs.tgt_in)
        answers = generate_batch(model, sources, self.max_len)
        rates = score(self.splits.val, sources.places.tolist(), answers, self.vocabularies[1])
        return [
            Logged("val_loss", symbol_loss(logits, pairs.tgt_out), int(pairs.tgt_mask.sum())),
            Logged("val_word_error_rate", rates.word_error_rate, len(rates.edits)),
            Logged("val_phoneme_error_rate", rates.phoneme_error_rate, int(rates.reference_lengths.sum())),
        ]

    def evaluation_seconds(self, placed: Placed) -> float:
        """Seconds per source, from decoding one batch of validation sources to the average length, after a warm-up."""
        num = min(MEASURED, len(self.splits.val))
        (batch,) = EvalPairLoader(self.val, torch.arange(num) * len(self.splits.val) // num, batch_size=num)
        sources = placed.place(batch.sources)
        with torch.inference_mode(), placed.autocast():
            generate_batch(placed.model, sources, 2)
            start = time.perf_counter()
            generate_batch(placed.model, sources, self.step_shape[1] + 2)
            seconds = time.perf_counter() - start
        return seconds / num

    # Evaluation

    def evaluators(self) -> Sequence[Evaluator]:
        """Validation pairs, and the sealed test pairs."""
        return (
            Evaluator(name="val", predictions=lambda write, log: self._predictions(write, self.splits.val)),
            Evaluator(name="test", predictions=self._predict_test, sealed=True),
        )

    def predictor(self, placed: Placed) -> Callable[[EncodedPairs], list[Hypothesis]]:
        """A function from encoded pairs to one greedy answer per source."""
        return lambda encoded: generate(placed.model, encoded, self.max_len, device=placed.device)

    def predict_new(self, placed: Placed, items: Any, batch_size: int) -> list[Answer]:
        """One answer per word."""
        many = isinstance(items, Iterable) and not isinstance(items, str | bytes)
        words: list[Any] = list(items) if many else [items]
        return pronounce(placed.model, *self.vocabularies, words)

    def val_loss(self, placed: Placed, predictions: SequencePredictions) -> float:
        """Mean loss over the symbols of all validation pairs."""
        total = number = 0.0
        with torch.inference_mode():
            for batch in map(placed.place, eval_pair_batches(self.val)):
                count = int(batch.tgt_mask.sum())
                loss = symbol_loss(placed.model(batch.src, batch.src_mask, batch.tgt_in), batch.tgt_out)
                total, number = total + float(loss) * count, number + count
        return total / number

    def extras(self, evaluated: Sequence[Evaluated]) -> dict[str, float]:
        """Seconds of decoding, and counts of symbols that training lacks, for the last evaluated split."""
        last = evaluated[-1]
        return {"decode_seconds": round(last.seconds, 3), **self._symbol_counts[last.name]}

    @cached_property
    def _symbol_counts(self) -> dict[str, dict[str, float]]:
        """`num_unknown`, and `num_read_as_known` unless it is 0, of each evaluated part."""
        return {}

    def write_extra_files(self, folder: Path) -> None:
        """Write vocabularies.json."""
        source, target = self.vocabularies
        write_json(folder / VOCABULARIES, {"source": source.to_list(), "target": target.to_list()})

    def _predict_test(self, write: Callable[[EncodedPairs], list[Hypothesis]], log: ReadLog) -> SequencePredictions:
        # The test split must be the one that was set aside when training began.
        given = self.located
        check_digest(given.digest or self.digest, given.data, given.dev, given.test)
        return self._predictions(write, self.splits.open_test(log, "evaluation"), "test")

    def _predictions(
        self, write: Callable[[EncodedPairs], list[Hypothesis]], pairs: Pairs, part: str = "val"
    ) -> SequencePredictions:
        source, target = self.vocabularies
        encoded = self._encode(pairs)
        changed = num_read_as_known(pairs, source, self.config.model_config.get("max_len"))
        counts = {"num_unknown": num_unknown(encoded), "num_read_as_known": changed}
        self._symbol_counts[part] = {key: value for key, value in counts.items() if value or key == "num_unknown"}
        answers = write(encoded)
        return SequencePredictions(
            sources=tuple(pairs.sources),
            predicted=tuple(target.decode(each.ids) for each in answers),
            references=tuple(pairs.targets),
            log_probs=torch.tensor([each.log_prob for each in answers], dtype=torch.float64).numpy(),
        )


class EvalPairLoader:
    """The sources at `places` in batches of similar length, each with all of its pairs."""

    def __init__(self, pairs: EncodedPairs, places: Tensor, batch_size: int = 250) -> None:
        self.pairs, self.batch_size = pairs, batch_size
        self.places = places[pairs.sources.lengths[places].argsort(stable=True)]

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch_size)

    def __iter__(self) -> Iterator[ValidationBatch]:
        for picked in self.places.split(self.batch_size):
            theirs = torch.isin(self.pairs.source_of, picked).nonzero().squeeze(1)
            yield ValidationBatch(source_batch(self.pairs, picked), pair_batch(self.pairs, theirs))


def symbol_loss(
    logits: Float[Tensor, "batch tgt vocab"], tgt_out: Int[Tensor, "batch tgt"], smoothing: float = 0.0
) -> Tensor:
    """Mean over all symbols except padding, in fp32."""
    return F.cross_entropy(
        logits.float().flatten(0, 1), tgt_out.flatten(), ignore_index=PAD_ID, label_smoothing=smoothing
    )


def read_vocabularies(folder: Path) -> tuple[Vocabulary, Vocabulary]:
    """The source and target vocabularies of a finished run. Raises FittingRoomError if the file is damaged."""
    path = folder / VOCABULARIES
    symbols = read_json(path)
    if not {"source", "target"} <= set(symbols):
        raise FittingRoomError(f'{path} lacks "source" or "target": use the file of a finished run')
    source, target = (Vocabulary.from_list(symbols[side], f"{path}, {side}") for side in ("source", "target"))
    return source, target


@cache
def _load(data: str, dev: str | None, test: str | None, keep_stress: bool, digest: str) -> PairSplits:
    """Load the pairs, once per process: many runs of a comparison use the same pairs."""
    return load_pair_splits(data, dev, test, keep_stress=keep_stress)


def _draw(splits: PairSplits, number: int, seed: int) -> PairSplits:
    """The splits with `number` training sources, drawn by seed."""
    if number > len(splits.train):
        raise FittingRoomError(f"num_train {number} is more than there are: choose at most {len(splits.train)}")
    drawn = torch.randperm(len(splits.train), generator=generator(seed, "train sources"))
    train = splits.train.subset(drawn[:number].sort().values.tolist())
    return replace(splits, train=demand_learnable(train, f"{splits.name}, num_train {number}"))
