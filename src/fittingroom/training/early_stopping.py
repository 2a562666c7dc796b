"""Early stopping that ends with the best weights.

It stops because validation got no better for a while, so the last weights are known to be worse than earlier ones. Like
algorithm 7.1 of the Deep Learning Book, it returns the weights with the lowest validation loss.
"""

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor


class KeepBest(EarlyStopping):
    """Stop after `patience` validations without a lower validation loss. Then load the weights of the lowest.

    Checkpoints hold these weights too, so a resumed run keeps the same ones.
    """

    best_step: int | None = None

    def __init__(self, patience: int) -> None:
        super().__init__("val_loss", patience=patience)
        self.best_weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the validation loss with the lowest, and copy the weights if it is lower."""
        before = self.best_score.clone()
        super().on_validation_end(trainer, pl_module)
        if torch.lt(self.best_score.to(before.device), before):
            self.best_step = trainer.global_step
            self.best_weights = {name: each.detach().cpu().clone() for name, each in _final(pl_module).items()}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Load the best weights."""
        super().on_train_end(trainer, pl_module)
        with torch.no_grad():
            for name, each in _final(pl_module).items():
                if name in self.best_weights:
                    each.copy_(self.best_weights[name])

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {**super().state_dict(), "best_step": self.best_step, "best_weights": self.best_weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        super().load_state_dict(state_dict)
        self.best_step, self.best_weights = state_dict["best_step"], state_dict["best_weights"]


def _final(module: Any) -> dict[str, Tensor]:
    """The weights of the model that is evaluated and saved."""
    return module.state.final_model.state_dict()
