"""What ships is a whole run folder in half precision, with its score; what half precision costs too much for stays home."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import write_state
from fittingroom.core.rundir import read_json
from fittingroom.tasks.load import load_run
from lab import ship_weights
from lab.ship_weights import ship
from tests.image_fixture import write_image_run, write_npz


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run on images, in half of which it is right as its record says."""
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    return tmp_path / "run"


def scoring(accuracy: float) -> Callable[..., tuple[dict[str, float], int]]:
    """In place of `evaluate_run`."""
    return lambda saved, split: ({"accuracy": accuracy}, 9)


def test_all_that_a_run_knows_goes_along(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(run, replace(load_run(run).state, evals={"val": {"accuracy": 0.0}}, extras={"other": 1.0}))
    folder = ship(run, tmp_path / "weights")
    assert folder == tmp_path / "weights" / "vit"
    assert read_json(folder / "data.json") == read_json(run / "data.json")
    before, after = load_run(run), load_run(folder)
    assert {each.dtype for each in load_file(folder / "model.safetensors").values()} == {torch.float16}
    assert after.config == before.config and after.task.spec == before.task.spec
    half = after.state.extras["half_precision_val_accuracy"]
    assert after.state == replace(before.state, extras={"other": 1.0, "half_precision_val_accuracy": half})
    assert 0 <= half <= 1
    images: Any = torch.rand(3, 8, 8).numpy()
    for wanted, found in zip(
        *(each.task.predict_new(each.placed, images, 8).probs for each in (before, after)), strict=True
    ):
        assert found == pytest.approx(wanted, abs=1e-2)


def test_old_weights_stay_where_half_precision_costs_too_much(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    (weights / "vit").mkdir(parents=True)
    (weights / "vit" / "old").touch()
    monkeypatch.setattr(ship_weights, "evaluate_run", scoring(0.498))
    with pytest.raises(FittingRoomError, match=r"run: half precision takes val accuracy from 0\.5000 to 0\.4980"):
        ship(run, weights)
    assert [path.name for path in weights.rglob("*")] == ["vit", "old"]
    monkeypatch.setattr(ship_weights, "evaluate_run", scoring(0.4995))
    assert not (ship(run, weights) / "old").exists()
