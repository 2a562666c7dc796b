"""`fittingroom compare` from the first run to the page, on few real images and tiny networks."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fittingroom.cli.main import build_parser
from fittingroom.cli.run import _command_line
from fittingroom.comparison.grid import Comparison, Watcher
from fittingroom.comparison.summary import summarise
from fittingroom.core.machine import usable_cores
from fittingroom.core.records import Summary
from fittingroom.core.rundir import exclusive_lock
from fittingroom.evaluation.read_log import log_test_read
from tests.command import call, call_json, environment, start
from tests.comparison_fixture import write_images

SMALL = (
    *("--set", "train_images=320", "--set", "batch_size=32"),
    *("--set", "patch_size=14", "--set", "embed_dim=16", "--set", "depth=1"),
)
COMPARE = ("compare", "--models", "vit_cls,vit", "--seeds", "2", "--epochs", "1", *SMALL)


pytestmark = pytest.mark.usefixtures("torch_as_before")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("compare") / "out"
    code, out, err = call(*COMPARE, "--out", str(folder))
    assert code == 0, err
    assert "run 4 of 4" in err and "already finished" not in err
    return folder, out


def test_it_prints_table_verdict_and_the_path_of_the_page(finished: tuple[Path, str]) -> None:
    folder, out = finished
    assert "ViT (class" in out and "±" in out
    assert "Fashion-MNIST" in out and "2 seeds" in out
    assert f"report: {folder}/report.html" in out
    assert (folder / "report.html").stat().st_size > 50_000


def test_the_ledger_has_a_row_a_run_in_fair_order(finished: tuple[Path, str]) -> None:
    record = json.loads((finished[0] / "comparison.json").read_text())
    assert [row["run"] for row in record["runs"]] == ["vit_cls-seed0", "vit-seed0", "vit-seed1", "vit_cls-seed1"]
    assert {row["status"] for row in record["runs"]} == {"finished"}
    assert record["command"].startswith("fittingroom compare --preset quick")


def test_the_page_lets_one_look_inside(finished: tuple[Path, str]) -> None:
    """Mistakes, disagreements and plain cases with every model's map; the test images were opened once for them."""
    folder, _ = finished
    with np.load(folder / "explorer.npz") as arrays:
        images = len(arrays["images"])
        assert images >= 10 and set(arrays["kind"].tolist()) <= {"mistake", "disagreement", "right"}
        for place in (0, 1):
            assert arrays[f"m{place}_attention"].shape == (
                images,
                1,
                8,
                *(2 * [4 + place_of_class_token(folder, place)]),
            )
            assert str(arrays[f"m{place}_method"]) == "relevance"
    page = (folder / "report.html").read_text()
    assert 'id="explorer"' in page
    assert len((folder / "test_reads.jsonl").read_text().splitlines()) == 1


def place_of_class_token(folder: Path, place: int) -> int:
    """1 for the model with a class token, else 0, by the order of candidates in the ledger."""
    return int(json.loads((folder / "comparison.json").read_text())["candidates"][place]["name"] == "vit_cls")


def test_again_it_trains_nothing_and_says_the_same(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    log_test_read(folder / "runs" / "vit-seed1", "evaluate")  # a run that was looked at again is no new run
    before = [(folder / "runs" / name / "state.json").stat().st_mtime_ns for name in ("vit-seed0", "vit_cls-seed1")]
    pictures = (folder / "explorer.npz").stat().st_mtime_ns
    code, out, err = call(*COMPARE, "--json", "--out", str(folder))
    assert code == 0 and f"{folder}: already finished, nothing trained\n" in err
    summary = json.loads(out)
    assert (folder / "explorer.npz").stat().st_mtime_ns == pictures
    assert before == [(folder / "runs" / n / "state.json").stat().st_mtime_ns for n in ("vit-seed0", "vit_cls-seed1")]
    assert summary["verdict"] == json.loads((folder / "summary.json").read_text())["verdict"]
    assert len(summary["runs"]) == 4


def test_only_where_no_run_starts_it_says_that_nothing_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs are made up."""
    folder = write_images(tmp_path / "out")
    words = ("compare", "--models", "vit", "--out", str(folder))
    starts: list[int] = []

    def run_comparison(comparison: Comparison, watcher: Watcher) -> Summary:
        for number in starts:
            watcher.starts(number, "vit-seed0")
        return summarise(folder)

    monkeypatch.setattr("fittingroom.comparison.executors.processes.warm_up", lambda: None)
    monkeypatch.setattr("fittingroom.comparison.grid.run_comparison", run_comparison)
    assert call(*words)[::2] == (0, f"{folder}: already finished, nothing trained\n")
    assert call(*words, "--quiet")[::2] == (0, "")
    starts.append(0)
    assert "nothing trained" not in call(*words)[2]


@pytest.mark.slow
def test_with_a_model_or_a_seed_fewer_or_a_lost_file_the_pictures_are_made_anew(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "again"))
    (folder / "gallery.npz").unlink()
    call_json(*COMPARE, "--out", str(folder))
    assert (folder / "gallery.npz").exists()
    with np.load(folder / "gallery.npz") as found:
        assert len(found["runs"]) == 4
    call_json(*["1" if word == "2" else word for word in COMPARE], "--out", str(folder))
    with np.load(folder / "gallery.npz") as found:
        assert found["runs"].tolist() == ["vit_cls-seed0", "vit-seed0"]
    call_json(*["vit" if word == "vit_cls,vit" else word for word in COMPARE], "--out", str(folder))
    with np.load(folder / "explorer.npz") as found:
        assert found["models"].tolist() == ["vit"] and "m1_probs" not in found.files


def test_no_run_of_a_comparison_stops_early_and_its_command_is_whole() -> None:
    code, _, err = call("compare", "--set", "early_stopping=2", "--epochs", "1")
    assert code == 2 and "compare gives every run the full budget: omit it" in err
    code, _, err = call("compare", "--set", "erly_stopping=2", "--epochs", "1")
    assert code == 2 and "unknown key 'erly_stopping' for vit" in err and "early_stopping'?" not in err
    words = ["compare", "--data-dir", "/mnt/x", "--epochs", "0.1234567", "--seeds", "2"]
    command = _command_line(build_parser().parse_args(words))
    assert (
        command[command.index("--data-dir") + 1] == "/mnt/x" and command[command.index("--epochs") + 1] == "0.1234567"
    )


@pytest.mark.slow
def test_in_series_it_makes_the_very_same_runs_as_side_by_side(finished: tuple[Path, str], tmp_path: Path) -> None:
    """The first comparison ran two at a time where this machine has two cores; each run with one thread either way."""
    series = tmp_path / "series"
    vit = ["vit" if word == "vit_cls,vit" else word for word in COMPARE]
    code, _, err = call(*vit, "--jobs", "1", "--plan", "num_threads=1", "--out", str(series))
    assert code == 0, err
    records = {folder: json.loads((folder / "comparison.json").read_text()) for folder in (finished[0], series)}
    assert records[series]["jobs"] == 1 and "one after another" in " ".join(records[series]["protocol"])
    assert records[finished[0]]["jobs"] == min(2, len(usable_cores()))
    assert len(records[series]["runs"]) == 2
    for row in records[series]["runs"]:
        for name in ("model.safetensors", "predictions.npz"):
            one, other = (folder / row["folder"] / name for folder in records)
            assert one.read_bytes() == other.read_bytes(), f"{row['run']}: {name}"


def test_the_record_tells_each_models_plan_and_every_run_has_had_it(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    record = json.loads((folder / "comparison.json").read_text())
    assert list(record["plans"]) == ["vit_cls", "vit"]
    for row in record["runs"]:
        found = json.loads((folder / row["folder"] / "environment.json").read_text())
        assert found["plan"] == record["plans"][row["candidate"]]


def test_another_plan_in_the_same_folder_is_refused_before_anything_runs(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    before = (folder / "comparison.json").read_bytes()
    code, out, err = call(*COMPARE, "--plan", "num_threads=7", "--out", str(folder))
    assert (code, out) == (2, "")
    assert "started with another plan than num_threads=7" in err and err.count("\n") == 1
    assert (folder / "comparison.json").read_bytes() == before


def test_another_length_in_the_same_folder_is_refused_before_anything_runs(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    before = (folder / "comparison.json").read_bytes()
    code, out, err = call("compare", "--models", "vit_cls,vit", "--epochs", "2", *SMALL, "--out", str(folder))
    assert (code, out) == (2, "")
    assert "other settings" in err and err.count("\n") == 1
    assert (folder / "comparison.json").read_bytes() == before


def test_the_page_is_made_again_without_torch_and_without_images(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = finished
    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    code = (
        "import sys; sys.modules['torch'] = sys.modules['lightning'] = None; "
        f"from fittingroom.cli.main import main; sys.exit(main(['report', {str(folder)!r}]))"
    )
    without_images = {**environment(), "FITTINGROOM_DATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=without_images)
    assert (folder / "report.html").read_bytes() == page


@pytest.mark.slow
def test_a_run_that_diverges_is_marked_and_the_others_go_on(tmp_path: Path) -> None:
    words = ("--set", "optim.name=adamw", "--set", "optim.lr=1e30")
    words += ("--seeds", "1", "--out", str(tmp_path / "out"))
    code, out, _ = call(*COMPARE, *words)
    rows = json.loads((tmp_path / "out" / "comparison.json").read_text())["runs"]
    assert code == 1
    assert len(rows) == 2 and all("loss became" in row["error"] for row in rows)
    assert "report.html" in out


def test_where_another_process_is_at_work_nothing_is_begun(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path):
        code, out, err = call(*COMPARE, "--out", str(tmp_path))
        assert (code, out) == (2, "") and f"another process is using {tmp_path}" in err
        code, out, err = call("train", "vit", "--epochs", "1", *SMALL, "--out", str(tmp_path))
        assert (code, out) == (2, "") and f"another process is using {tmp_path}" in err
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_after_ctrl_c_it_goes_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    words = ["compare", "--models", "vit_cls,vit", "--seeds", "1", "--epochs", "6", *SMALL]
    words += ["--checkpoint-seconds", "0", "--out", str(folder)]
    process = start(*words)
    deadline = time.monotonic() + 300
    half = folder / "runs" / "vit-seed0"
    while not list((half / "checkpoints").glob("step=00000[1-9]*.sha256")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the last checkpoints are kept; repeat the command to continue" in err and "Traceback" not in err
    assert out == ""
    assert json.loads((half / "state.json").read_text())["status"] == "running"
    last = max(int(path.name[5:12]) for path in (half / "checkpoints").glob("step=*.sha256"))
    rows = (half / "metrics.csv").read_text().splitlines()
    before = [row for row in rows if row[0].isdigit() and int(row.split(",")[0]) <= last]
    assert before
    assert [each["num_runs"] for each in call_json(*words)["candidates"]] == [1, 1]
    assert rows_of_the_clock(half, before), "trained anew it would have other seconds"


def rows_of_the_clock(run_folder: Path, before: list[str]) -> bool:
    """Whether the learning curve holds these rows, seconds included."""
    return set(before) <= set((run_folder / "metrics.csv").read_text().splitlines())


@pytest.mark.slow
def test_both_seeds_of_a_model_do_the_same_number_of_steps_in_a_time_budget(tmp_path: Path) -> None:
    words = ("compare", "--models", "vit_cls,vit", "--seeds", "2", "--budget", "10s", "--jobs", "2", *SMALL)
    summary = call_json(*words, "--out", str(tmp_path / "out"))
    steps = {row["run"]: row["steps"] for row in summary["runs"]}
    assert steps["vit-seed0"] == steps["vit-seed1"] > 0
    assert steps["vit_cls-seed0"] == steps["vit_cls-seed1"] > 0
    assert json.loads((tmp_path / "out/steps/vit.json").read_text()) == {"total_steps": steps["vit-seed0"]}
