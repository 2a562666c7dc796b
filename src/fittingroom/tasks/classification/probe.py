"""A linear probe: the body of a pretrained network stays as it is, and a new head learns from its features.

The features of an image are computed once (features.py), so that a head trains in seconds. The finished run holds the whole
network: it is loaded, evaluated and explained like any other.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fittingroom.core.records import ReadLog
from fittingroom.data.spec import Source
from fittingroom.evaluation.evaluators import Evaluator
from fittingroom.evaluation.predict import PredictFn, predict
from fittingroom.models.pretrained import head_of
from fittingroom.tasks.base import Logged, Placed
from fittingroom.tasks.classification.features import FeatureBatches, FeatureLoader, feature_key, features
from fittingroom.tasks.classification.scoring import ClassPredictions
from fittingroom.tasks.classification.training import ClassificationTask, class_predictions


class ProbeTask(ClassificationTask):
    """A classification run whose batches are (features, soft targets). It trains only the head of its model."""

    @cached_property
    def _network(self) -> nn.Module:
        return self.new_model().eval()

    def _features(self, images: Source) -> Tensor:
        config = self.config
        key = feature_key(config.model, config.model_config, config.weights_digest, self.spec)
        return features(images, lambda: self._network, self.spec, key)

    @cached_property
    def batches(self) -> FeatureBatches:  # type: ignore[override]
        """The run's training batches."""
        config, train = self.config, self.splits.train
        return FeatureBatches(
            features=self._features(train),
            labels=train.labels,
            num_classes=self.spec.num_classes,
            seed=config.seed,
            batch_size=config.batch_size,
            label_smoothing=config.label_smoothing,
        )

    @cached_property
    def _val(self) -> Tensor:
        return self._features(self.splits.val)

    def train_macs(self) -> int:
        """Multiply-adds of the head for one image."""
        return self.batches.features.shape[1] * self.spec.num_classes

    def rate_shares(self, model: nn.Module) -> dict[str, float]:
        """All parameters that train have the same rate."""
        return {}

    def loss(self, model: Callable[..., Any], batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy on soft targets."""
        values, targets = batch
        return F.cross_entropy(_head(model)(values).float(), targets)

    def val_batches(self, number: int) -> FeatureLoader:  # type: ignore[override]
        """`number` validation images, evenly spread."""
        chosen = torch.arange(number) * len(self._val) // number
        return FeatureLoader(self._val[chosen], self.splits.val.labels[chosen])

    def validate(self, model: Any, batch: tuple[Tensor, Tensor]) -> Sequence[Logged]:
        """Loss and accuracy."""
        return super().validate(_head(model), batch)

    def evaluation_seconds(self, placed: Placed) -> float:
        """Next to nothing."""
        return 1e-6

    def evaluators(self) -> Sequence[Evaluator]:
        """Validation images, and the sealed test images."""
        val = self.splits.val
        return (
            Evaluator(name="val", predictions=lambda logits, log: _predictions(logits, self._val, val)),
            Evaluator(name="test", predictions=self._predict_test, sealed=True),
        )

    def predictor(self, placed: Placed) -> PredictFn:
        """Features to logits."""
        head = _head(placed.model)
        return lambda values: head(placed.place(values))

    def _predict_test(self, logits: PredictFn, log: ReadLog) -> ClassPredictions:
        test = self.splits.open_test(log, "evaluation")
        return _predictions(logits, self._features(test), test)


def _head(model: Any) -> nn.Linear:
    return head_of(getattr(model, "_orig_mod", model))


def _predictions(logits: PredictFn, values: Tensor, images: Source) -> ClassPredictions:
    return class_predictions(predict(logits, values.split(4096)), images)
