"""What the guides show works: their Python runs, extras and loggers exist, and the lines of the installation install."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.cli.main import build_parser
from fittingroom.training.logger_names import SETTINGS
from tests.command import TINY_VIT, call, call_json
from tests.own_images import write_images

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.usefixtures("torch_as_before")


def blocks(page: str, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")) if found == language]


def run_python(code: str, folder: Path) -> str:
    """What the code prints, run in `folder`."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_python_block_is_python(page: Path) -> None:
    for block in blocks(page.name, "python"):
        ast.parse(block)


def test_the_extras_of_the_installation_are_those_of_the_package() -> None:
    text = (DOCS / "install.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {name for found in re.findall(r"\.\[([\w,]+)\]", text) for name in found.split(",")}
    assert set(rows) == set(extras) and named <= set(extras)


@pytest.mark.slow
def test_the_export_of_the_questions_answers_as_the_run_does(tmp_path: Path) -> None:
    code = [block for block in blocks("faq.md", "python") if "run" in block]
    printed = run_python("\n".join(["import fittingroom as fr", *code, "print(largest)"]), tmp_path)
    assert float(printed) < 1e-5 and (tmp_path / "model.pt2").exists()


def test_every_tracker_of_the_guide_is_a_logger_and_every_name_is_logged(tmp_path: Path) -> None:
    text = (DOCS / "tracking.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--logger (\w+)", text)) == set(SETTINGS)
    folder = tmp_path / "run"
    call_json("train", "vit", "--epochs", "1", *TINY_VIT, "--sealed", "--logger", "tensorboard", "--out", str(folder))
    script = (
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E\n"
        "events = E('run/tensorboard'); events.Reload(); print(*events.Tags()['scalars'])"
    )
    table = text.split("## What is logged")[1].split("##")[0]
    named = set(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    logged = {name for name in run_python(script, tmp_path).split() if not re.search(r"/pg[^1]", name)}
    assert logged == {name for row in named for name in re.findall(r"`([^`]+)`", row)}


def test_the_logger_of_the_guide_gets_settings_losses_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = (each for each in blocks("tracking.md", "python") if "import trackio" in each)
    calls: list[tuple[str, Any]] = []
    trackio = types.ModuleType("trackio")
    trackio.__dict__["init"] = lambda **named: calls.append(("init", named))
    trackio.__dict__["log"] = lambda metrics, step: calls.append(("log", metrics))
    trackio.__dict__["finish"] = lambda: calls.append(("finish", None))
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "pictures.npz", size=(16, 16))
    exec(block.replace('"pictures/", epochs=3', '"pictures.npz", epochs=1, size="nano"'), {})
    assert [name for name, _ in calls][:2] == ["init", "log"] and calls[-1][0] == "finish"
    assert calls[0][1]["project"] == "shoes" and calls[0][1]["config"]["model"] == "cnn"
    assert any("train_loss" in given for name, given in calls if name == "log")


def test_the_job_script_trains_each_model_with_each_seed() -> None:
    (script,) = blocks("gpu-cluster.md", "bash")
    shown = script.replace(".venv/bin/fittingroom", "echo")
    asked = set()
    for number in range(6):
        done = subprocess.run(
            ["bash", "-eu", "-c", shown],
            env={**os.environ, "SLURM_ARRAY_TASK_ID": str(number)},
            capture_output=True,
            text=True,
            check=True,
        )
        words = build_parser().parse_args(shlex.split(done.stdout))
        asked.add((words.model, words.seed, str(words.out)))
    assert asked == {(model, seed, f"runs/array/{model}-{seed}") for model in ("cnn", "vit") for seed in range(3)}


def test_the_verdict_on_the_runs_of_a_job_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, labels = np.random.default_rng(0), np.arange(400) % 4
    for model, right in (("cnn", 0.9), ("vit", 0.4)):
        for seed in range(3):
            probs = np.full((400, 4), 0.1)
            said = np.where(draw.random(400) < right, labels, (labels + 1) % 4)
            probs[np.arange(400), said] = 0.7
            folder = tmp_path / "runs" / "array" / f"{model}-{seed}"
            folder.mkdir(parents=True)
            np.savez(folder / "predictions.npz", test_probs=probs, test_labels=labels, test_index=np.arange(400))
    (line,) = (line for block in blocks("gpu-cluster.md", "sh") for line in block.splitlines() if " verdict " in line)
    monkeypatch.chdir(tmp_path)
    code, out, _ = call(*shlex.split(line)[1:])
    assert code == 0 and "cnn beats vit" in out.lower() and (tmp_path / "verdict.html").exists()


@pytest.mark.slow
def test_the_lines_of_the_installation_install(tmp_path: Path) -> None:
    """With pip, in a clone, without the packages that it depends on: they are gigabytes, and the program starts without."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    text = (DOCS / "install.md").read_text(encoding="utf-8")
    lines = text.split("## With pip")[1].split("```")[1].splitlines()[1:]
    assert [line for line in lines if "torch" in line] == [lines[1]]
    assert lines[2] == ".venv/bin/pip install ." and "`pip wheel --no-deps .`" in text
    install = lines[2].replace("install", "install --no-deps")
    script = "\n".join([lines[0], install, ".venv/bin/fittingroom --version", ".venv/bin/pip wheel --no-deps ."])
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        cwd=tmp_path / "clone",
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "fittingroom 0." in done.stdout and list((tmp_path / "clone").glob("fittingroom-*.whl"))
