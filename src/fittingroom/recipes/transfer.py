"""Recipes for pretrained networks, whatever their architecture: one for a linear probe, one for finetuning."""

from collections.abc import Callable

from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.config import OptimConfig, ScheduleConfig

TRANSFER_RECIPES: Registry[Callable[[], ClassificationConfig]] = Registry("recipe")


@TRANSFER_RECIPES.register("probe_100")
def probe_100() -> ClassificationConfig:
    """AdamW on a linear head, from the features of images as they are: seconds a run, so many seeds cost little.

    Rate and decay were chosen on validation images of CIFAR-10, with 85 training images a class.
    Command: `fittingroom train efficientnet_lite0+probe --data pictures/`.
    Result: results/cifar10/probe.json.
    """
    return ClassificationConfig(
        model="cnn",
        mode="probe",
        epochs=100,
        batch_size=64,
        label_smoothing=0.0,
        clip_norm=0.0,
        augment=AugmentConfig(shift_pixels=0, flip="none"),
        optim=OptimConfig(name="adamw", lr=0.001, weight_decay=1.0),
        schedule=ScheduleConfig(shape="cosine", warmup_rate=0.05),
    )


@TRANSFER_RECIPES.register("finetune_10")
def finetune_10() -> ClassificationConfig:
    """AdamW with lower rates for earlier layers (as in arXiv 1801.06146), warm-up, cosine decay, flip, shift by up to one pixel.

    Command: `fittingroom train efficientnet_lite0+finetune --data pictures/`.
    """
    return ClassificationConfig(
        model="cnn",
        mode="finetune",
        epochs=10,
        batch_size=32,
        augment=AugmentConfig(shift_pixels=1),
        optim=OptimConfig(name="adamw", lr=0.002, weight_decay=0.05, betas=(0.9, 0.999)),
        schedule=ScheduleConfig(shape="cosine", warmup_rate=0.1),
    )
