"""`fittingroom bench time-to-accuracy` and the script that climbs the ladder, on runs of a second."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fittingroom.cli.main import main
from fittingroom.core.records import read_state
from fittingroom.recipes import recipe
from lab import ladder


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert main(["bench", "time-to-accuracy", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


def tiny(model: str, **length: Any) -> Any:
    """The recipe of a model that is quickly trained and scored."""
    return replace(recipe(model, **length), model_config={"depth": 1, "embed_dim": 16, "patch_size": 14})


@pytest.mark.slow
def test_time_to_accuracy_trains_what_is_missing_and_leaves_the_test_images_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fittingroom.recipes.recipe", tiny)
    words = ("--models", "vit", "--seeds", "1", "--epochs", "0.005", "--out", str(tmp_path))
    (row,) = rows(capsys, *words)
    assert (row["model"], row["num_seeds"]) == ("vit", 1)
    state = read_state(tmp_path / "vit-seed0")
    assert (state.status, state.test_reads) == ("finished", ())
    assert list(state.evals) == ["val"]
    before = (tmp_path / "vit-seed0" / "state.json").read_bytes()
    assert rows(capsys, *words) == [row]
    assert rows(capsys, "--runs", str(tmp_path)) == [row]
    others = rows(capsys, *["vit_cls" if word == "vit" else word for word in words])
    assert [found["model"] for found in others] == ["vit_cls"]  # not what else lies in the folder
    assert (tmp_path / "vit-seed0" / "state.json").read_bytes() == before


@pytest.mark.slow
def test_the_ladder_keeps_the_record_of_a_run_and_skips_what_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ladder, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(ladder, "WORK", tmp_path / "work")
    config = tiny("vit", epochs=0.005)
    monkeypatch.setattr(ladder.RECIPES, "get", lambda name: lambda: config)
    runs = ladder.missing(["vit_5"], [0])
    assert list(runs) == ["vit_5-seed0"]
    assert ladder.climb(runs, jobs=1) == 0
    assert "vit_5-seed0: val " in capsys.readouterr().out
    kept = tmp_path / "records" / "vit_5-seed0"
    assert sorted(path.name for path in kept.iterdir()) == sorted(ladder.KEPT)
    assert len(json.loads((kept / "state.json").read_text())["test_reads"]) == 1
    assert ladder.missing(["vit_5"], [0]) == {}
    assert list(ladder.missing(["vit_5"], [0, 1])) == ["vit_5-seed1"]
    monkeypatch.setattr(ladder.RECIPES, "get", lambda name: lambda: replace(config, batch_size=32))
    assert list(ladder.missing(["vit_5"], [0])) == ["vit_5-seed0"]
