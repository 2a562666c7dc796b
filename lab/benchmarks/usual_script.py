"""A typical training script: Lightning, DataLoader, torchvision's transforms, timm's ViT, AdamW, fp32.

Nothing in it is slow on purpose, and nothing is tuned. timm's ViT has its defaults and the shape of the other races.
"""

# pyright: reportMissingImports=false
import gzip
import logging
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.benchmarks.contenders import CHANNELS, CLASSES, DEPTH, DIM, HEADS, PATCH, SIDE, VALIDATION_IMAGES, Contender
from lab.benchmarks.peers import make_torchvision_importable
from lab.benchmarks.plain import num_params

make_torchvision_importable()

import lightning.pytorch as pl  # noqa: E402 - after what makes these importable
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch.utils.data import DataLoader, Subset  # noqa: E402
from torchvision import transforms  # noqa: E402
from torchvision.datasets import FashionMNIST  # noqa: E402

MEAN, STD = (0.2860,), (0.3530,)
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.05
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class LitViT(pl.LightningModule):
    """A LightningModule as in every tutorial."""

    def __init__(self, total_steps: int) -> None:
        super().__init__()
        self.total_steps = total_steps
        self.model = VisionTransformer(
            img_size=SIDE, patch_size=PATCH, in_chans=CHANNELS, num_classes=CLASSES, embed_dim=DIM, depth=DEPTH,
            num_heads=HEADS,
        )  # fmt: skip

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy."""
        images, labels = batch
        loss = F.cross_entropy(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Loss and accuracy."""
        images, labels = batch
        logits = self.model(images)
        self.log("val_loss", F.cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(dim=-1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        """AdamW, one cycle."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class UsualScript:
    """Trains one epoch per call. The files are opened once, before."""

    def __init__(self, contender: Contender, data_dir: Path) -> None:
        self.contender = contender
        self.num_params = num_params(LitViT(total_steps=1))
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        moved = [transforms.RandomCrop(SIDE, padding=1), transforms.RandomHorizontalFlip()]
        with tempfile.TemporaryDirectory() as root:
            unpack(data_dir, Path(root) / "FashionMNIST" / "raw")
            train = FashionMNIST(root, train=True, transform=transforms.Compose([*moved, *plain]))
            val = FashionMNIST(root, train=True, transform=transforms.Compose(plain))
        self.train_set = Subset(train, range(contender.images))
        self.val_set = Subset(val, range(len(val) - VALIDATION_IMAGES, len(val)))

    def train(self) -> float:
        """Seconds of an epoch and its validation: loaders, network, `Trainer.fit`."""
        start = time.perf_counter()
        batch = self.contender.batch_size
        loader = DataLoader(self.train_set, batch_size=batch, shuffle=True, drop_last=True)
        with tempfile.TemporaryDirectory() as folder:
            trainer = pl.Trainer(
                max_epochs=1, accelerator="cpu", default_root_dir=folder, enable_progress_bar=False,
                enable_model_summary=False,
            )  # fmt: skip
            trainer.fit(LitViT(total_steps=len(loader)), loader, DataLoader(self.val_set, batch_size=batch))
        return time.perf_counter() - start


def unpack(source: Path, raw: Path) -> None:
    """The files where torchvision expects them. It only checks that the test files exist; the test split is not read."""
    raw.mkdir(parents=True)
    for name in NAMES:
        if name.startswith("t10k"):
            (raw / name).touch()
        elif (source / name).exists():
            shutil.copy(source / name, raw / name)
        else:
            with gzip.open(source / f"{name}.gz") as packed, (raw / name).open("wb") as file:
                shutil.copyfileobj(packed, file)
