"""`fittingroom.lightning`: use the models of this package in your own `Trainer`.

    trainer = Trainer(max_epochs=5, callbacks=[...], logger=...)
    trainer.fit(fr.lightning.Classifier("vit", data), fr.lightning.DataModule(data))

The `Trainer` decides devices, precision, clipping and length. The module provides the model, the optimizer and the schedule.
Import `lightning.pytorch` or `pytorch_lightning`, but not both. The classes use the one that is imported.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from fittingroom.api.settings import whole
from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import logits_of
from fittingroom.tasks.config import OptimConfig, ScheduleConfig
from fittingroom.training.optim import build_optimizer
from fittingroom.training.schedule import lr_factor


def _lightning() -> Any:
    """The Lightning that the user's Trainer is from."""
    by_us = "fittingroom.training.loop" in sys.modules  # `train` imports `lightning.pytorch`, whatever the user has
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" in sys.modules and not by_us:
        raise FittingRoomError(
            "both `pytorch_lightning` and `lightning.pytorch` are imported: their classes do not work together; use one"
        )
    if "pytorch_lightning" in sys.modules:
        return sys.modules["pytorch_lightning"]
    import lightning.pytorch as pl

    return pl


def make_classifier(pl: Any) -> type:
    """`Classifier` as a subclass of `pl.LightningModule`."""

    class Classifier(pl.LightningModule):
        """Train a classifier: a model by name, or any `nn.Module` from images to logits.

        `optimizer` is a function from parameters to a torch optimizer. The default for a model by name is the optimizer and
        schedule of its family's recipe, over all steps of the Trainer; for an `nn.Module` it is AdamW with a linear schedule.
        """

        def __init__(
            self,
            model: str | nn.Module,
            data: Any = "fashion-mnist",
            *,
            optimizer: Callable[[Any], torch.optim.Optimizer] | None = None,
            label_smoothing: float = 0.1,
            seed: int = 0,
            **settings: Any,
        ) -> None:
            super().__init__()
            from fittingroom.api.data import load_data
            from fittingroom.api.models import create_model
            from fittingroom.recipes import recipe

            _check_arguments(model, optimizer, settings)
            source = load_data(data)
            named = isinstance(model, str)
            self.model = create_model(model, source, seed=seed, **settings) if isinstance(model, str) else model
            config = recipe(model, epochs=5) if named else None
            self._optim: OptimConfig = config.optim if config is not None else OptimConfig(name="adamw")
            self._schedule: ScheduleConfig = config.schedule if config is not None else ScheduleConfig()
            self._make_optimizer, self._label_smoothing = optimizer, label_smoothing
            self.save_hyperparameters(
                {"model": model if named else type(model).__name__, "data": source.source, "seed": seed, **settings}
            )

        def forward(self, images: Tensor) -> Tensor:
            """Return logits [N, classes]."""
            return logits_of(self.model(images))

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            """Return the cross-entropy and log it as `train_loss`."""
            images, labels = batch
            loss = F.cross_entropy(self(images).float(), labels, label_smoothing=self._label_smoothing)
            self.log("train_loss", loss, prog_bar=True, batch_size=len(labels))
            return loss

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            """Log `val_loss` and `val_accuracy`."""
            images, labels = batch
            logits = self(images).float()
            self.log("val_loss", F.cross_entropy(logits, labels), batch_size=len(labels))
            accuracy = (logits.argmax(dim=-1) == labels).float().mean()
            self.log("val_accuracy", accuracy, prog_bar=True, batch_size=len(labels))

        def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
            """Return the logits of images, with or without their labels."""
            return self(batch[0] if isinstance(batch, list | tuple) else batch)

        def configure_optimizers(self) -> Any:
            """The user's optimizer without a schedule, or the default one with a schedule over all steps of the Trainer."""
            if self._make_optimizer is not None:
                return self._make_optimizer(self.parameters())
            steps = self.trainer.estimated_stepping_batches
            if math.isinf(steps):
                raise FittingRoomError(
                    "the schedule needs a length: give the Trainer max_epochs or max_steps, or give Classifier an optimizer"
                )
            total = int(steps)
            optimizer = build_optimizer(self.model, self._optim)
            schedule = LambdaLR(optimizer, lambda step: lr_factor(min(step, total - 1), total, self._schedule))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    return Classifier


def _check_arguments(model: Any, optimizer: Any, settings: dict[str, Any]) -> None:
    """Raise FittingRoomError for arguments of `Classifier` that would be ignored, or fail only in training."""
    if not isinstance(model, str | nn.Module):
        raise FittingRoomError(f"Classifier does not accept {model!r}: give the name of a model or an nn.Module")
    if settings and not isinstance(model, str):
        raise FittingRoomError(f"{next(iter(settings))} is a setting of models by name, and this one is made: omit it")
    if optimizer is not None and not callable(optimizer):
        raise FittingRoomError(f"optimizer {optimizer!r}: give a function of the parameters, such as torch.optim.AdamW")


def make_data_module(pl: Any) -> type:
    """`DataModule` as a subclass of `pl.LightningDataModule`."""

    class DataModule(pl.LightningDataModule):
        """Augmented training batches and validation batches of a data set. It does not give access to the test split."""

        def __init__(self, data: Any = "fashion-mnist", *, batch_size: int = 64, seed: int = 0) -> None:
            super().__init__()
            from fittingroom.api.data import load_data

            self.data, self.batch_size, self.seed = load_data(data), whole(batch_size, "batch_size"), seed

        def train_dataloader(self) -> Any:
            """Training batches, shuffled by seed and epoch, with random shifts and flips."""
            return DataLoader(
                _AugmentedBatches(
                    self.data, self.batch_size, self.seed, lambda: self.trainer.current_epoch if self.trainer else 0
                ),
                batch_size=None,
            )

        def val_dataloader(self) -> Any:
            """Validation images in order, in batches of 500."""
            return DataLoader(self.data.val, batch_size=500)

    return DataModule


class _AugmentedBatches(torch.utils.data.IterableDataset[Any]):
    """One epoch of a run's training batches, with labels instead of soft targets."""

    def __init__(self, data: Any, batch_size: int, seed: int, epoch: Callable[[], int]) -> None:
        from fittingroom.data.images.augment import AugmentConfig
        from fittingroom.data.images.batches import TrainBatches

        images = data.train
        self.batches = TrainBatches(
            train=images.images,
            spec=images.spec,
            seed=seed,
            batch_size=min(batch_size, len(images)),
            augment=AugmentConfig(shift_pixels=1),
        )
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches.steps_per_epoch

    def __iter__(self) -> Any:
        epoch = self.epoch()
        order = self.batches.order(epoch)
        for step in range(self.batches.steps_per_epoch):
            images, targets = self.batches.batch(epoch, step, order)
            yield images, targets.argmax(dim=1)


def network_of(model: nn.Module) -> nn.Module:
    """The network in a `Classifier`; any other model itself."""
    cls: Any = _CLASSES.get("Classifier")
    return model.model if cls is not None and isinstance(model, cls) else model  # pyright: ignore[reportReturnType]


def __getattr__(name: str) -> Any:
    if name in ("Classifier", "DataModule"):
        pl = _lightning()
        if _CLASSES.get("for") is not pl:
            _CLASSES.update({"Classifier": make_classifier(pl), "DataModule": make_data_module(pl), "for": pl})
        return _CLASSES[name]
    raise AttributeError(name)


_CLASSES: dict[str, Any] = {}
