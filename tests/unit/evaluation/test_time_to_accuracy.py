"""Time to accuracy: times from learning curves, medians over seeds, and no slow seed left out."""

import json
import math
from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, Status, write_state
from fittingroom.evaluation.time_to_accuracy import finished_runs, milestone_lines, milestones, seconds_to
from fittingroom.tasks.scoring import SCORINGS


def make_run(
    folder: Path,
    curve: list[tuple[float, float]],
    *,
    model: str = "cnn",
    status: Status = "finished",
    task: str = "classification",
    seed: int = 0,
    lr: float = 0.1,
) -> Path:
    """Make a run folder whose learning curve has these points (seconds, validation accuracy) and one row without validation."""
    folder.mkdir(parents=True)
    metric = SCORINGS.get(task).metrics[0].name
    evals = {"val": {metric: curve[-1][1]}} if status == "finished" else {}
    state = RunState(task=task, model=model, seed=seed, epochs=float(len(curve)), status=status, evals=evals)
    write_state(folder, state)
    (folder / "config.json").write_text(json.dumps({"model": model, "seed": seed, "lr": lr}))
    rows = [f"{step},1,{seconds},0.1,,0.5,{accuracy}" for step, (seconds, accuracy) in enumerate(curve)]
    head = "step,epoch,seconds,lr,train_loss,val_loss,val_accuracy"
    (folder / "metrics.csv").write_text("\n".join([head, "0,0,1,0.1,2.3,,", *rows]) + "\n")
    return folder


def test_the_first_time_counts_even_if_it_falls_below_again(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [(10, 0.89), (20, 0.921), (30, 0.915), (40, 0.925)])
    assert seconds_to(run, 0.90) == 20
    assert seconds_to(run, 0.92) == 20
    assert seconds_to(run, 0.925) == 40
    assert seconds_to(run, 0.93) == math.inf


def test_a_seed_that_never_got_there_counts_as_infinitely_slow(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [(10, 0.91), (20, 0.935)])
    make_run(tmp_path / "b", [(12, 0.91), (24, 0.925)], seed=1)
    make_run(tmp_path / "c", [(14, 0.89), (28, 0.932)], seed=2)
    (row,) = milestones(finished_runs(tmp_path))
    assert row["num_seeds"] == 3
    assert row["seconds"] == {"0.9": 12, "0.92": 24, "0.93": 28, "0.94": None}
    assert row["num_reached"] == {"0.9": 3, "0.92": 3, "0.93": 2, "0.94": 0}
    head, cells = milestone_lines([row])
    assert head[3:] == ["90 %", "92 %", "93 %", "94 %"]
    assert cells == ["cnn", "2", "3", "12 s", "24 s", "28 s (2 of 3)", "not reached"]


def test_models_and_lengths_are_kept_apart_and_unfinished_runs_and_words_left_out(tmp_path: Path) -> None:
    make_run(tmp_path / "deep" / "vit", [(1, 0.95)], model="vit")
    make_run(tmp_path / "short", [(1, 0.95)])
    make_run(tmp_path / "long", [(2, 0.5), (3, 0.95)])
    make_run(tmp_path / "broken", [(1, 0.95)], status="running")
    make_run(tmp_path / "words", [(1, 0.95)], model="transformer", task="seq2seq")
    rows = milestones(finished_runs(tmp_path))
    assert [(row["model"], row["epochs"], row["num_seeds"]) for row in rows] == [
        ("cnn", 1, 1),
        ("cnn", 2, 1),
        ("vit", 1, 1),
    ]


def test_only_runs_that_differ_in_nothing_but_the_seed_are_seeds_of_one_another(tmp_path: Path) -> None:
    make_run(tmp_path / "a-seed0", [(10, 0.91), (20, 0.92)])
    make_run(tmp_path / "a-seed1", [(12, 0.89), (24, 0.89)], seed=1)
    make_run(tmp_path / "b-seed0", [(99, 0.91), (200, 0.92)], lr=0.2)
    make_run(tmp_path / "copy" / "a-seed0", [(10, 0.91), (20, 0.92)])
    rows = milestones(finished_runs(tmp_path))
    assert [(row["model"], row["num_seeds"]) for row in rows] == [("cnn (a-seed0)", 2), ("cnn (b-seed0)", 1)]
    cells = milestone_lines(rows)[1]
    assert cells[3:5] == ["by 1 of 2 only", "by 1 of 2 only"]


def test_a_folder_without_runs_and_a_torn_curve_are_named(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match="holds no finished run"):
        finished_runs(tmp_path)
    with pytest.raises(FittingRoomError, match="no folder at"):
        finished_runs(tmp_path / "nowhere")
    run = make_run(tmp_path / "run", [(1, 0.9)])
    (run / "state.json").write_text('{"status": "finished", "model": "cnn", "val_accuracy": 0.9}')
    with pytest.raises(FittingRoomError, match=r"run lacks a model, its epochs or a seed"):
        milestones(finished_runs(tmp_path))
    (run / "metrics.csv").write_text("step,epoch,seconds\n1,1,1\n")
    with pytest.raises(FittingRoomError, match=r"metrics\.csv is not a learning curve"):
        seconds_to(run, 0.9)
