"""The campaign sees what a kill may do: other weights, other rows, a file left behind, a finished run trained again."""

from pathlib import Path

import numpy as np
import pytest

from fittingroom.core.records import RunState, write_state
from fittingroom.core.rundir import read_json, write_json
from lab.kill_campaign import Reference, files_in, finished_files, is_clean, judge, read_kills, results, write_kills

WHOLE = {"lost": [], "orphans": 0, "errors": []}


def write_run(place: Path, *, weights: bytes = b"weights", loss: str = "0.5") -> Path:
    out = place / "out"
    write_state(out, RunState(run="vit-seed0", task="classification", model="vit", seed=0, status="finished"))
    (out / "model.safetensors").write_bytes(weights)
    (out / "metrics.csv").write_text(f"step,seconds,train_loss\n1,{place.stat().st_ino},{loss}\n")
    np.savez(out / "predictions.npz", val_labels=np.arange(3))
    return place


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    place = write_run(tmp_path / "reference")
    return Reference(place, 1.0, 0.5, results(place / "out"), files_in(place), "0123456")


def test_an_equal_run_is_clean_and_only_its_clock_may_differ(reference: Reference, tmp_path: Path) -> None:
    assert is_clean({**judge(reference, write_run(tmp_path / "trial"), []), **WHOLE})


def test_each_difference_is_seen(reference: Reference, tmp_path: Path) -> None:
    found = judge(reference, write_run(tmp_path / "trained", weights=b"others"), [])
    assert not found["weights"] and found["rows"] and not is_clean({**found, **WHOLE})
    found = judge(reference, write_run(tmp_path / "rows", loss="0.6"), [])
    assert found["weights"] and not found["rows"] and not is_clean({**found, **WHOLE})
    place = write_run(tmp_path / "left")
    (place / "out" / ".state.json.0123abcd.tmp").touch()
    found = judge(reference, place, [])
    assert found["leftovers"] == ["out/.state.json.0123abcd.tmp"] and not is_clean({**found, **WHOLE})
    (place / "out" / "predictions.npz").unlink()
    errors: list[str] = []
    assert not judge(reference, place, errors)["weights"] and len(errors) == 1


def test_a_finished_run_that_is_written_again_is_lost(tmp_path: Path) -> None:
    place = write_run(tmp_path / "trial")
    before = finished_files(place / "out")
    assert before == finished_files(place / "out") and before
    (place / "out" / "model.safetensors").write_bytes(b"others")
    assert finished_files(place / "out") != before


def test_a_record_has_a_line_per_kill_keeps_its_notes_and_is_read_again(tmp_path: Path) -> None:
    rows = [{"trial": 0, "kind": "vit"}, {"trial": 1, "kind": "cnn"}]
    assert read_kills(tmp_path / "kills.json") == []
    write_kills(tmp_path / "kills.json", rows)
    assert read_kills(tmp_path / "kills.json") == rows
    assert '\n  {"trial": 1, "kind": "cnn"}\n' in (tmp_path / "kills.json").read_text()
    noted = {**read_json(tmp_path / "kills.json"), "notes": ["a note"]}
    write_json(tmp_path / "kills.json", noted)
    write_kills(tmp_path / "kills.json", rows[:1])
    assert read_json(tmp_path / "kills.json") == {**noted, "kills": rows[:1]}
