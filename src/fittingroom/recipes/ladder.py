"""The ladder: one recipe per family and rung (1, 5, 20, 50 epochs). A longer run sees each image more often, so it needs more
augmentation; a run of one epoch needs none. Peak learning rates, batch size and schedule shapes were chosen on validation
images (results/search/ and results/attempts/).

`make tables` writes the lines that begin with "Recorded" from results/ladder/. Do not edit them by hand.
"""

from collections.abc import Callable
from dataclasses import replace

from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.config import OptimConfig, ScheduleConfig

RECIPES: Registry[Callable[[], ClassificationConfig]] = Registry("recipe")
RUNGS = (1, 5, 20, 50)


@RECIPES.register("cnn_1")
def cnn_1() -> ClassificationConfig:
    """`cnn_5` without augmentation: no image is seen twice.

    Command: `fittingroom train cnn --recipe cnn_1`. Result: docs/speed.md, results/frontier/.
    """
    return replace(cnn_5(), epochs=1, augment=AugmentConfig(shift_pixels=0, flip="none"))


@RECIPES.register("cnn_5")
def cnn_5() -> ClassificationConfig:
    """Muon on the filters and alternating flip (after arXiv 2404.00498), linear decay, shift by up to one pixel.

    Command: `fittingroom train cnn --recipe cnn_5`.
    Recorded: 93.95 ± 0.12 % of the test images, 3 seeds; minutes on one of two cores: 16 in bf16, 26 in fp32 (results/ladder/).
    """
    return ClassificationConfig(
        model="cnn",
        epochs=5,
        batch_size=64,
        augment=AugmentConfig(shift_pixels=1),
        optim=OptimConfig(muon_lr=0.02, lr=0.003),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.1),
    )


@RECIPES.register("cnn_20")
def cnn_20() -> ClassificationConfig:
    """`cnn_5` plus random erasing in a quarter of the images (arXiv 1708.04896).

    Command: `fittingroom train cnn --recipe cnn_20`.
    Recorded: 95.00 ± 0.15 % of the test images, 3 seeds; minutes on one of two cores: 59 in bf16, 118 in fp32 (results/ladder/).
    """
    return replace(cnn_5(), epochs=20, augment=AugmentConfig(shift_pixels=1, erase_rate=0.25))


@RECIPES.register("cnn_50")
def cnn_50() -> ClassificationConfig:
    """`cnn_5` plus random erasing in half of the images, as in the paper, and shift by up to two pixels.

    Command: `fittingroom train cnn --recipe cnn_50`.
    Recorded: 95.01 % of the test images, 1 seed; minutes on one of two cores: 138 in bf16 (results/ladder/).
    """
    return replace(cnn_5(), epochs=50, augment=AugmentConfig(shift_pixels=2, erase_rate=0.5))


@RECIPES.register("hybrid_1")
def hybrid_1() -> ClassificationConfig:
    """`hybrid_5` without augmentation: no image is seen twice.

    Command: `fittingroom train hybrid --recipe hybrid_1`. Result: docs/speed.md, results/frontier/.
    """
    return replace(hybrid_5(), epochs=1, augment=AugmentConfig(shift_pixels=0, flip="none"))


@RECIPES.register("hybrid_5")
def hybrid_5() -> ClassificationConfig:
    """Muon on matrices and filters (arXiv 2605.24770), linear decay, shift by up to one pixel, alternating flip.

    Command: `fittingroom train hybrid --recipe hybrid_5`.
    Recorded: 93.37 ± 0.09 % of the test images, 3 seeds; minutes on one of two cores: 15 in bf16 (results/ladder/).
    """
    return ClassificationConfig(
        model="hybrid",
        epochs=5,
        batch_size=64,
        augment=AugmentConfig(shift_pixels=1),
        optim=OptimConfig(muon_lr=0.006, lr=0.003),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.1),
    )


@RECIPES.register("hybrid_20")
def hybrid_20() -> ClassificationConfig:
    """`hybrid_5` plus random erasing in a quarter of the images and stochastic depth up to 0.1 (as in CCT, arXiv 2104.05704).

    Command: `fittingroom train hybrid --recipe hybrid_20`.
    Recorded: 94.54 ± 0.16 % of the test images, 3 seeds; minutes on one of two cores: 79 in bf16, 119 in fp32 (results/ladder/).
    """
    return replace(
        hybrid_5(),
        epochs=20,
        model_config={"drop_path_rate": 0.1},
        augment=AugmentConfig(shift_pixels=1, erase_rate=0.25),
    )


@RECIPES.register("hybrid_50")
def hybrid_50() -> ClassificationConfig:
    """`hybrid_20` with random erasing in half of the images and shift by up to two pixels.

    Command: `fittingroom train hybrid --recipe hybrid_50`.
    Recorded: 94.99 % of the test images, 1 seed; minutes on one of two cores: 151 in bf16 (results/ladder/).
    """
    return replace(hybrid_20(), epochs=50, augment=AugmentConfig(shift_pixels=2, erase_rate=0.5))


@RECIPES.register("vit_1")
def vit_1() -> ClassificationConfig:
    """`vit_5` without augmentation, because no image is seen twice, and with whitened patches, which learn faster at first.

    Command: `fittingroom train vit --recipe vit_1`. Result: docs/speed.md, results/frontier/.
    """
    return replace(vit_5(), epochs=1, augment=AugmentConfig(shift_pixels=0, flip="none"), whiten_patches=True)


@RECIPES.register("vit_5")
def vit_5() -> ClassificationConfig:
    """Muon on the matrices (arXiv 2605.24770), linear decay, shift by up to one pixel, alternating flip.

    Command: `fittingroom train vit --recipe vit_5`.
    Recorded: 91.11 ± 0.26 % of the test images, 3 seeds; minutes on one of two cores: 12 in bf16, 28 in fp32 (results/ladder/).
    """
    return ClassificationConfig(
        model="vit",
        epochs=5,
        batch_size=64,
        augment=AugmentConfig(shift_pixels=1),
        optim=OptimConfig(muon_lr=0.005, lr=0.002),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.1),
    )


@RECIPES.register("vit_20")
def vit_20() -> ClassificationConfig:
    """`vit_5` plus random erasing in a quarter of the images and stochastic depth up to 0.1.

    Command: `fittingroom train vit --recipe vit_20`.
    Recorded: 93.07 ± 0.27 % of the test images, 3 seeds; minutes on one of two cores: 47 in bf16 (results/ladder/).
    """
    return replace(
        vit_5(),
        epochs=20,
        model_config={"drop_path_rate": 0.1},
        augment=AugmentConfig(shift_pixels=1, erase_rate=0.25),
    )


@RECIPES.register("vit_50")
def vit_50() -> ClassificationConfig:
    """`vit_20` with random erasing in half of the images and shift by up to two pixels.

    Command: `fittingroom train vit --recipe vit_50`.
    Recorded: 93.33 % of the test images, 1 seed; minutes on one of two cores: 126 in bf16 (results/ladder/).
    """
    return replace(vit_20(), epochs=50, augment=AugmentConfig(shift_pixels=2, erase_rate=0.5))
