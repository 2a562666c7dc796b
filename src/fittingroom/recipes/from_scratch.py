"""Training from scratch on small images: one recipe a family, the same search effort behind each (results/recipes.md)."""

from typing import Any

from fittingroom.data.augment import AugmentConfig
from fittingroom.models import MODELS
from fittingroom.training.config import RunConfig
from fittingroom.training.optim import OptimConfig
from fittingroom.training.schedule import ScheduleConfig


def recipe(model: str, *, seed: int = 0, epochs: float | None = None, budget_seconds: float | None = None) -> RunConfig:
    """The recipe of the model's family, for a run of that many epochs or seconds. Raises FittingRoomError if unknown."""
    settings = {"cnn": cnn, "vit": vit, "hybrid": hybrid}[MODELS.get(model).family]()
    return RunConfig(model=model, seed=seed, epochs=epochs, budget_seconds=budget_seconds, **settings)


def cnn() -> dict[str, Any]:
    """Muon on the filters (after arXiv 2404.00498), linear decay, shift by one pixel and alternating flip."""
    return {
        "augment": AugmentConfig(shift_pixels=1),
        "optim": OptimConfig(muon_lr=0.02, lr=0.003),
        "schedule": ScheduleConfig(shape="linear", warmup_rate=0.1),
    }


def vit() -> dict[str, Any]:
    """Muon on the matrices (arXiv 2605.24770), linear decay, shift by one pixel and alternating flip."""
    return {
        "augment": AugmentConfig(shift_pixels=1),
        "optim": OptimConfig(muon_lr=0.01, lr=0.003),
        "schedule": ScheduleConfig(shape="linear", warmup_rate=0.1),
    }


def hybrid() -> dict[str, Any]:
    """As the ViT: the tokenizer's filters are matrices too."""
    return {
        "augment": AugmentConfig(shift_pixels=1),
        "optim": OptimConfig(muon_lr=0.01, lr=0.003),
        "schedule": ScheduleConfig(shape="linear", warmup_rate=0.1),
    }
