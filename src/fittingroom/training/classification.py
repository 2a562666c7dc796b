"""Training on images: cross-entropy on soft targets, accuracy on validation images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fittingroom.training.module import Task


class ClassificationTask(Task):
    """A batch is (normalised images, soft targets); of validation (normalised images, labels)."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the final model for normalised images."""
        return self.final_model(self._laid_out(images))

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy."""
        images, targets = batch
        return F.cross_entropy(self.trained(self._laid_out(images)).float(), targets)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Loss and accuracy of the final model on validation images."""
        images, labels = batch
        logits = self(images).float()
        self.log("val_loss", F.cross_entropy(logits, labels), batch_size=len(labels))
        self.log(
            "val_accuracy", (logits.argmax(dim=-1) == labels).float().mean(), prog_bar=True, batch_size=len(labels)
        )

    def _laid_out(self, images: Tensor) -> Tensor:
        layout = torch.channels_last if self.plan.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)
