"""Training of image classifiers: augmented batches, cross-entropy on soft targets, accuracy."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError, found_in
from fittingroom.core.randomness import seeded
from fittingroom.core.records import DataRecord, ReadLog, SplitRecord
from fittingroom.data.images.arrays import digest_of
from fittingroom.data.images.batches import TrainBatches, eval_batch_size, eval_batches, normalise
from fittingroom.data.images.dataset import IMAGE_DATA, RULE, ImageData, Splits
from fittingroom.data.images.load import ACCEPTED, is_images, open_images, reopen, say, unknown
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.split_file import write_split
from fittingroom.data.spec import DataSpec, Source
from fittingroom.evaluation.evaluators import Evaluated, Evaluator
from fittingroom.evaluation.metrics import negative_log_likelihood
from fittingroom.evaluation.predict import PredictFn, predict
from fittingroom.models import build_model, fit_to_images
from fittingroom.models.cost import num_macs
from fittingroom.models.image_size import height_width
from fittingroom.models.layers.patches import PatchEmbed
from fittingroom.models.layers.whitening import whiten_patches
from fittingroom.tasks.base import TASKS, DataRequest, Logged, Placed, Task, task
from fittingroom.tasks.classification import transfer
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.scoring import ClassPredictions, unbalanced_scores

if TYPE_CHECKING:
    from fittingroom.tasks.classification.predict import ImagePredictions

WHITENED = 2000
"""Training images from which the directions of patches are computed, at least, if there are so many."""
FEW, FOLDS = 2000, 5
"""Below `FEW` images, a comparison that draws its test part does better with a cross-validation of `FOLDS` folds."""


@task("classification")
class ClassificationTask(Task):
    """A training batch is (normalised images, soft targets), a validation batch (normalised images, labels)."""

    config_class = ClassificationConfig
    default_models = ("vit", "cnn", "hybrid")

    @classmethod
    def for_training(cls, config: ClassificationConfig) -> "type[ClassificationTask]":
        """A linear probe trains on features in place of images."""
        if config.mode != "probe":
            return cls
        from fittingroom.tasks.classification.probe import ProbeTask

        return ProbeTask

    @classmethod
    def reads(cls, data: str) -> bool:
        """Whether `data` is a data set of images."""
        return is_images(data)

    @classmethod
    def data_fields(cls, request: DataRequest, model: str) -> dict[str, Any]:
        """The data set. Raises FittingRoomError for data and options of sequence models."""
        if request.data is not None and not any(TASKS.get(each).reads(request.data) for each in TASKS):
            raise unknown(request.data)
        given = [f"--{name}" for name in ("train", "dev", "test", "stress") if getattr(request, name) is not None]
        if request.data is not None and not is_images(request.data):
            given.insert(0, f"--data {request.data}")
        if given:
            raise FittingRoomError(
                f"{given[0]}: {model} classifies images ({ACCEPTED}); pairs are for transformer and recurrent"
            )
        named = {} if request.data is None else {"data": request.data}
        return {**named, "pictures": request.pictures}

    @cached_property
    def data(self) -> ImageData:
        """The data set. Raises FittingRoomError if it differs from the data of the finished run."""
        given = self.located
        if self.saved_data() is None:
            found = open_images(given.data, self.data_dir, self._pictures)
            say(found.spec)
            return found
        with found_in(f"{self.folder}/config.json"):
            found = reopen(self.spec, given.data, given.pictures, self.data_dir)
        if self.spec.digest != found.spec.digest:
            raise FittingRoomError(
                f"{given.data} has changed since {self.folder} was trained: put the old data back, or train again"
            )
        return found

    @cached_property
    def _pictures(self) -> PictureOptions:
        """How pictures in files become images. A finished run has it in its config."""
        return self._given.pictures if self.saved_data() is not None else transfer.picture_options(self.located)

    def digest_of(self, files: tuple[str, ...]) -> str:
        """The digest of a file of images."""
        return digest_of([Path(files[0])])

    @cached_property
    def spec(self) -> DataSpec:
        """The description of the data, from data.json of a finished run or else from the data set."""
        saved = self.saved_data()
        if saved is None:
            return transfer.input_spec(self.data.spec, self._given)
        with found_in(f"{self.folder}/data.json"):
            return from_dict(DataSpec, saved["spec"], f"{self.folder}/data.json")

    @cached_property
    def config(self) -> ClassificationConfig:
        """The config with every model setting filled in; image size and classes come from the data.

        A step has at most as many images as the user's training part, so that a recipe suits a small data set, too.
        """
        given, spec = self._given, self.spec
        start = None if given.mode == "scratch" or self.saved_data() is not None else transfer.start_of(given)
        channels, height, width = spec.input_shape
        fitted = fit_to_images(
            given.model,
            {**(start.settings if start is not None else {}), **given.model_config},
            img_size=(height, width),
            in_chans=channels,
            num_classes=spec.num_classes,
        )
        return replace(
            given,
            model_config=to_dict(fitted),
            digest=spec.digest if given.data_files else "",
            batch_size=given.batch_size if self._num_own is None else min(given.batch_size, self._num_own),
            pictures=self._pictures,
            weights_digest=given.weights_digest if start is None else start.digest,
            input_size=given.input_size if start is None else (height, width),
        )

    @property
    def _num_own(self) -> int | None:
        """Training images of the user's own data. None for data sets by name, with `num_train`, and for finished runs."""
        given = self._given
        if given.data in IMAGE_DATA.names() or given.num_train is not None or self.saved_data() is not None:
            return None
        return len(self.splits.train)

    @property
    def hints(self) -> tuple[str, ...]:
        """A training part that is smaller than a step of the recipe."""
        wanted, number = self._given.batch_size, self.config.batch_size
        few = () if number == wanted else (f"only {number:,} training images: a step has all of them, not {wanted:,}",)
        return (*few, *transfer.size_hints(self.spec, self._given))

    @property
    def advised_folds(self) -> int | None:
        """`FOLDS` if the program draws the test part from few images, and the run does not cross-validate yet."""
        pool = self.data.load_pool
        if pool is None or self.data.load_val is not None or self._given.folds is not None:
            return None
        return FOLDS if len(pool()) < FEW else None

    @property
    def comparison_hints(self) -> tuple[str, ...]:
        """A drawn test part that is small: cross-validation would test every image."""
        folds = self.advised_folds
        if folds is None:
            return ()
        number = len(self.data.pool())
        return (
            f"only {self.spec.num_test:,} of {number:,} images are test images: --folds {folds} tests all of them, once per seed",
        )

    @property
    def title(self) -> str:
        """The title of the data set."""
        return self.spec.title

    @cached_property
    def splits(self) -> Splits:
        """The images, divided by the run's seed. Raises FittingRoomError if a finished run had other parts."""
        given = self._given
        found = replace(self.data.split(given.seed, given.num_train, given.folds), spec=self.spec)
        saved = self.saved_data()
        split = saved.get("split") if saved is not None else None
        for key, number in (("num_val", len(found.val)), ("num_test", len(found.test_index))):
            held = split.get(key, number) if isinstance(split, dict) else number
            if held != number:  # with other parts, images that the network was trained on would be scored
                raise FittingRoomError(
                    f"{self.folder}/data.json has {key} {held}, and with config.json it is {number}: use the files of one run"
                )
        return found

    def split_record(self) -> SplitRecord:
        """How the run's seed divides the images."""
        splits = self.splits
        return SplitRecord(
            seed=self._given.seed,
            num_train=len(splits.train),
            num_val=len(splits.val),
            num_test=len(splits.test_index),
            rule=self.spec.split_rule or RULE,
        )

    def data_record(self) -> DataRecord:
        """Name, sizes and classes."""
        spec, split = self.spec, self.split_record()
        return DataRecord(
            name=spec.name,
            digest=spec.digest,
            num_train=split.num_train,
            num_val=split.num_val,
            num_test=split.num_test if self._given.folds is None else len(self.data.pool()),
            class_names=spec.class_names,
            facts=self._facts(),
        )

    def _facts(self) -> dict[str, Any]:
        """How pictures in files became a data set; nothing for other sources."""
        spec, folds = self.spec, self._given.folds
        if folds is not None:
            return {"folds": folds, "split": _folds_rule(folds), "notes": list(spec.notes)}
        if not spec.split_rule:
            return {}
        return {"split": spec.split_rule, "same_split": self.data.load_val is not None, "notes": list(spec.notes)}

    def write_data(self, folder: Path) -> None:
        """Write data.json, and for pictures in files split.csv."""
        super().write_data(folder)
        if self.data.pictures is None:
            return
        splits = self.splits
        parts = {"train": splits.train.index, "val": splits.val.index, "test": splits.test_index}
        write_split(folder, self.data.pictures(), parts, self.data.skipped)

    @cached_property
    def batches(self) -> TrainBatches:
        """The run's training batches."""
        config, splits = self.config, self.splits
        return TrainBatches(
            train=splits.train,
            spec=splits.spec,
            seed=config.seed,
            batch_size=config.batch_size,
            augment=config.augment,
            label_smoothing=config.label_smoothing,
        )

    @property
    def num_val(self) -> int:
        """All validation images."""
        return len(self.splits.val)

    @property
    def step_shape(self) -> list[int]:
        """Channels, height, width."""
        return list(self.spec.input_shape)

    def new_model(self) -> nn.Module:
        """A model with initial weights drawn from (seed, "init"). Pretrained weights then replace those of the body."""
        config = self.config
        with seeded(config.seed, "init"):
            model: nn.Module = build_model(config.model, config.model_config)
        if config.whiten_patches:
            self._whiten(model)
        if config.mode != "scratch":
            transfer.put_start(model, config)
        if config.mode == "finetune" and transfer.keeps_statistics(config):
            transfer.keep_statistics(model)
        return model

    def _whiten(self, model: nn.Module) -> None:
        """Whiten the patches of the first training images, as `order` and augmentation give them."""
        embed = getattr(model, "patch_embed", None)
        if not isinstance(embed, PatchEmbed) or self.config.mode != "scratch":
            raise FittingRoomError(
                f"whiten_patches is for a ViT from scratch, not for {self.config.label}: omit it, or set it to false"
            )
        batches = self.batches
        number = min(batches.steps_per_epoch, -(-WHITENED // self.config.batch_size))
        order = batches.order(0)
        images = torch.cat([batches.batch(0, step, order)[0] for step in range(number)])
        whiten_patches(embed.proj, images)

    def rate_shares(self, model: nn.Module) -> dict[str, float]:
        """Lower rates for the body of a pretrained network."""
        config = self.config
        if config.mode == "scratch":
            return {}
        return transfer.rate_shares(model, config.finetune.body_rate, config.finetune.input_rate)

    def build_saved(self) -> nn.Module:
        """The model of the run's config. A setting added after the run was written has its default.

        Raises FittingRoomError if data.json describes images or classes that this model does not have.
        """
        variant = self._given.registry.get(self._given.model)
        shape = from_dict(type(variant.make_config()), self._given.model_config, where=f"model {self._given.model}")
        spec = self.spec
        sizes = {
            "img_size": spec.input_shape[1:], "in_chans": spec.input_shape[0], "num_classes": spec.num_classes
        }  # fmt: skip
        for name, size in sizes.items():
            own = getattr(shape, name, size)
            if (height_width(own) if name == "img_size" else own) != size:
                raise FittingRoomError(
                    f"{self.folder}/data.json: the model has {name} {own}, the data {size}: use the files of one run"
                )
        return variant.build(shape)

    def step_macs(self) -> int:
        """Multiply-adds of one image."""
        return num_macs(build_model(self.config.model, self.config.model_config), self.spec.input_shape)

    def loss(self, model: Callable[..., Any], batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy on soft targets."""
        images, targets = batch
        return F.cross_entropy(model(images).float(), targets)

    def val_batches(self, number: int) -> "EvalLoader":
        """`number` validation images, evenly spread: data may be sorted by class."""
        val = self.splits.val
        return EvalLoader(val.subset(torch.arange(number) * len(val) // number), self.splits.spec)

    def validate(self, model: Any, batch: tuple[Tensor, Tensor]) -> Sequence[Logged]:
        """Loss and accuracy."""
        images, labels = batch
        logits = model(images).float()
        accuracy = (logits.argmax(dim=-1) == labels).float().mean()
        return [
            Logged("val_loss", F.cross_entropy(logits, labels), len(labels)),
            Logged("val_accuracy", accuracy, len(labels)),
        ]

    def evaluation_seconds(self, placed: Placed) -> float:
        """Seconds per image, from the second pass over one batch of training images."""
        number = min(eval_batch_size(self.spec), len(self.batches.train))
        images = placed.place(normalise(self.batches.train.read(torch.arange(number)), self.spec))
        with torch.inference_mode(), placed.autocast():
            placed.model(images)
            start = time.perf_counter()
            placed.model(images).sum().item()
            seconds = time.perf_counter() - start
        return seconds / len(images)

    def evaluators(self) -> Sequence[Evaluator]:
        """Validation images, and the sealed test images."""
        splits = self.splits
        return (
            Evaluator(name="val", predictions=lambda logits, log: predict_images(logits, splits.val, self.spec)),
            Evaluator(name="test", predictions=self._predict_test, sealed=True),
        )

    def extras(self, evaluated: Sequence[Evaluated]) -> dict[str, float]:
        """Balanced accuracy and macro F1 of the last evaluation, for unbalanced classes."""
        return unbalanced_scores(evaluated[-1].predictions)

    def predictor(self, placed: Placed) -> PredictFn:
        """Normalised images to logits."""
        return lambda images: placed.model(placed.place(images))

    def predict_new(self, placed: Placed, items: Any, batch_size: int) -> "ImagePredictions":
        """Predictions for arrays, tensors, pictures or paths."""
        from fittingroom.tasks.classification.predict import ImagePredictions, new_images

        given = new_images(items, self.spec)
        probs = predict(self.predictor(placed), eval_batches(given.images, self.spec, batch_size))
        return ImagePredictions(probs=probs, class_names=self.spec.class_names, notes=tuple(given.notes))

    def val_loss(self, placed: Placed, predictions: ClassPredictions) -> float:
        """Cross-entropy against the labels."""
        return negative_log_likelihood(predictions.probs, predictions.labels)

    def _predict_test(self, logits: PredictFn, log: ReadLog) -> ClassPredictions:
        return predict_images(logits, self.splits.open_test(log, "evaluation"), self.spec)


def _folds_rule(folds: int) -> str:
    return (
        f"Cross-validation: each seed divides all images into {folds} folds, stratified by class and without dividing a group. "
        f"{folds} networks are trained per seed; each leaves one fold out and is tested on it. So every image is a test image "
        "once per seed. Validation images are drawn from the rest. Training images that also occur in validation or test are "
        "left out."
    )


class EvalLoader:
    """Images in order, in large batches, with their labels."""

    def __init__(self, images: Source, spec: DataSpec) -> None:
        self.images, self.spec, self.batch_size = images, spec, eval_batch_size(spec)

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.images), self.batch_size):
            chosen = torch.arange(start, min(start + self.batch_size, len(self.images)))
            yield normalise(self.images.read(chosen), self.spec), self.images.labels[chosen]


def predict_images(logits: PredictFn, images: Source, spec: DataSpec) -> ClassPredictions:
    """Predictions for `images` by a function from normalised images to logits."""
    return class_predictions(predict(logits, eval_batches(images, spec)), images)


def class_predictions(probs: Float[np.ndarray, "images classes"], images: Source) -> ClassPredictions:
    """The probabilities together with what identifies the images."""
    groups = getattr(images, "groups", None)
    return ClassPredictions(
        probs=probs,
        labels=images.labels.numpy(),
        index=images.index.numpy(),
        group=None if groups is None else groups.numpy(),
    )
