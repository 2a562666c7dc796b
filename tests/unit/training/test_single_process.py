"""Schedulers and launchers describe themselves in environment variables. A run stays one process."""

import os
import warnings
from pathlib import Path

import lightning.pytorch as pl
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger

from fittingroom.training.single_process import LOGGING, single_process

LAUNCHERS = {
    "slurm": {
        "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "job", "SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "2",
        "SLURM_NODEID": "0", "SLURM_NODELIST": "n[1-2]", "SLURM_NNODES": "2",
    },
    "slurm per node": {"SLURM_JOB_NAME": "job", "SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4", "SLURM_PROCID": "3"},
    "torchrun": {
        "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "GROUP_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "n1",
        "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none",
    },
    "openmpi": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1"},
    "jsrun": {"JSM_NAMESPACE_RANK": "3", "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_LOCAL_RANK": "1", "LSB_JOBID": "7"},
    "lightning": {"PL_TRAINER_LIMIT_TRAIN_BATCHES": "3", "PL_TRAINER_STRATEGY": "ddp", "PL_TRAINER_NUM_NODES": "2"},
}  # fmt: skip


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_one_process_that_logs(launcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LAUNCHERS[launcher].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(LOGGING, "rank", 2)
    before = dict(os.environ)
    with single_process() as alone:
        logger = CSVLogger(tmp_path)
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, plugins=[alone], logger=logger, enable_progress_bar=False, max_steps=1,
            enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip
        assert (trainer.world_size, trainer.global_rank, trainer.local_rank, trainer.num_nodes) == (1, 0, 0, 1)
        assert trainer.limit_train_batches == 1.0 and type(trainer.strategy).__name__ == "SingleDeviceStrategy"
        logger.log_metrics({"loss": 1.0})
        logger.save()
        with warnings.catch_warnings(action="ignore"):
            trainer.fit(BoringModel())
    assert (Path(logger.log_dir) / "metrics.csv").exists()
    assert dict(os.environ) == before
    assert LOGGING.rank == 2
