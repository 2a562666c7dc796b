"""Our models in a Trainer of one's own, set up as lectures do it, with either of Lightning's two packages."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import fittingroom
from fittingroom.core.errors import FittingRoomError
from tests.command import environment
from tests.own_images import write_images

CELL = """
import json
import {package} as pl
from {package} import Trainer
from {package}.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from {package}.loggers import {logger}

import fittingroom as fr

data = fr.load_data("mine.npz")
fr.train("vit", data, epochs=0.2, batch_size=32, depth=1, embed_dim=32, progress=False)  # ours, before one's own
found = {{}}
for name, settings in (("vit", {{"depth": 1, "embed_dim": 32}}), ("cnn", {{"widths": [4, 8], "blocks": [0, 1]}})):
    rates = LearningRateMonitor(logging_interval="step")
    best = ModelCheckpoint(dirpath=f"checkpoints/{{name}}", monitor="val_accuracy", mode="max")
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        log_every_n_steps=1,
        logger={logger}({arguments}),
        callbacks=[
            rates,
            best,
            EarlyStopping(monitor="val_loss", patience=3),
            RichProgressBar(),
        ],
    )
    module = fr.lightning.Classifier(name, data, **settings)
    assert isinstance(module, pl.LightningModule)
    trainer.fit(module, fr.lightning.DataModule(data, batch_size=32))
    metrics = trainer.callback_metrics
    found[name] = {{
        "epochs": trainer.current_epoch,
        "val_accuracy": float(metrics["val_accuracy"]),
        "val_loss": float(metrics["val_loss"]),
        "train_loss": float(metrics["train_loss"]),
        "rates": max(map(len, rates.lrs.values())),
        "best": best.best_model_path,
    }}
with open("found.json", "w") as file:
    json.dump(found, file)
"""


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """`python script.py` in that folder."""
    (folder / "script.py").write_text(text)
    words = [sys.executable, "-W", "ignore", "script.py"]
    return subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("package", ["lightning.pytorch", pytest.param("pytorch_lightning", marks=pytest.mark.slow)])
def test_the_cell_that_lectures_begin_with_trains_our_models(package: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(package.split(".")[0]) is None:
        pytest.skip(f"needs {package}: pip install pytorch-lightning")
    has_wandb = importlib.util.find_spec("wandb") is not None
    logger, arguments = ("WandbLogger", "offline=True") if has_wandb else ("CSVLogger", '"logs"')
    write_images(tmp_path / "mine.npz", size=(28, 28))
    done = run_script(tmp_path, CELL.format(package=package, logger=logger, arguments=arguments))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == ["vit", "cnn"]
    for name, values in found.items():
        assert values["epochs"] == 2
        assert 0 <= values["val_accuracy"] <= 1 and values["val_loss"] > 0 and values["train_loss"] > 0
        assert values["rates"] == 12, "the monitor found our schedule, which goes by steps"
        assert Path(tmp_path, "checkpoints", name).is_dir() and Path(values["best"]).exists()
    assert not has_wandb or list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_with_both_packages_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pytorch_lightning", "lightning.pytorch"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.delitem(sys.modules, "fittingroom.training.loop", raising=False)  # our own import would be an excuse
    with pytest.raises(FittingRoomError, match=r"both `pytorch_lightning` and `lightning\.pytorch` are") as caught:
        _ = fittingroom.lightning.Classifier
    assert "\n" not in str(caught.value) and "use one" in str(caught.value)
