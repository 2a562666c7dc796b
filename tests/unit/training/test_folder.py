"""The folder of a run: what is in it already decides whether training may begin there."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import write_state
from fittingroom.core.rundir import write_json
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.fit import FitOptions, earlier_plan
from fittingroom.training.folder import claim, new_state_of

CONFIG = ClassificationConfig(model="cnn", epochs=1.0)


@pytest.mark.parametrize("name", ["config.json", "data.json", "environment.json", "metrics.csv", "model.safetensors"])
def test_files_of_something_else_are_never_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FittingRoomError, match=f"has {re.escape(name)} but no state.json, .* choose another folder"):
        claim(tmp_path, CONFIG, resume=True)
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_weights_without_their_state_are_not_trained_over(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", to_dict(CONFIG))
    (tmp_path / "model.safetensors").write_text("weights")
    with pytest.raises(FittingRoomError, match=r"has model\.safetensors but no state\.json"):
        claim(tmp_path, CONFIG, resume=False)


def test_a_run_killed_before_its_first_state_begins_again(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", to_dict(CONFIG))
    for name in ("data.json", "environment.json"):
        (tmp_path / name).write_text("{}")
    assert claim(tmp_path, CONFIG, resume=False).status == "running"
    other = ClassificationConfig(model="cnn", epochs=2.0)
    assert claim(tmp_path, other, resume=False).status == "running", "with mended settings, too: nothing is lost"
    (tmp_path / "metrics.csv").write_text("step\n1\n")
    with pytest.raises(FittingRoomError, match=r"has metrics\.csv but no state\.json"):
        claim(tmp_path, CONFIG, resume=False)


def test_settings_that_differ_are_named(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", to_dict(CONFIG))
    write_state(tmp_path, replace(new_state_of(CONFIG), status="running"))
    optim = OptimConfig(lr=0.01)
    other = ClassificationConfig(model="cnn", epochs=2.0, optim=optim)
    said = r"other settings or data \(epochs 1\.0, not 2\.0; optim\.lr 0\.003, not 0\.01\): choose another folder"
    with pytest.raises(FittingRoomError, match=said):
        claim(tmp_path, other, resume=False)
    many = ClassificationConfig(model="cnn", epochs=2.0, optim=optim, seed=3, batch_size=7)
    with pytest.raises(FittingRoomError, match=r"; and more\): choose another folder"):
        claim(tmp_path, many, resume=False)
    assert json.loads((tmp_path / "config.json").read_text()) == to_dict(CONFIG)


def test_a_run_is_not_resumed_without_the_plan_with_which_it_began(tmp_path: Path) -> None:
    options = FitOptions(folder=tmp_path, resume=True)
    assert earlier_plan(options) is None  # killed before its first checkpoint
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step=0000001.ckpt").touch()
    with pytest.raises(FittingRoomError, match=r"environment\.json is missing: without its plan the run would not end"):
        earlier_plan(options)


def test_the_same_pictures_under_another_path_are_the_same_run(tmp_path: Path) -> None:
    """`pictures` and `pictures/`, an absolute path, or a folder that was moved while the run was stopped."""
    config = ClassificationConfig(model="cnn", epochs=1.0, data="pictures")
    write_json(tmp_path / "config.json", to_dict(config))
    write_json(tmp_path / "data.json", {"spec": {"digest": "abc"}})
    write_state(tmp_path, replace(new_state_of(config), status="running"))
    for path in ("pictures/", "./pictures", "/elsewhere/pictures"):
        moved = ClassificationConfig(model="cnn", epochs=1.0, data=path)
        assert claim(tmp_path, moved, resume=True, digest="abc").status == "running"
        for digest in ("def", "", None):
            with pytest.raises(FittingRoomError, match=r"other settings or data \(data pictures, not "):
                claim(tmp_path, moved, resume=True, digest=digest)
