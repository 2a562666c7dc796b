"""Folders and files that are closed to the user. The program says which, in one line. As root, it drops its rights first."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command import Fork

AS_NOBODY = """
import os, sys
import fittingroom.api.check, fittingroom.api.compare, fittingroom.cli.progress, fittingroom.cli.run
import fittingroom.explain.inspect, fittingroom.report.inspection
import fittingroom.report.page, fittingroom.training.fit  # while they can be read
from fittingroom.cli.main import main
os.chdir(sys.argv[1])
os.environ.update(HOME=sys.argv[1], XDG_CACHE_HOME=sys.argv[1] + "/cache")
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(sys.argv[2:]))
"""
CHECK = ("data", "check", "pictures")
TRAIN = ("train", "cnn", "--data", "pictures", "--epochs", "0.1", "--out", "run")
COMPARE = ("compare", "--data", "pictures", "--models", "cnn", "--seeds", "1", "--epochs", "0.1", "--out", "run")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter (pytest's own may not be), with twelve pictures in two parts."""
    place, random = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    for part in ("train", "test"):
        for label in ("a", "b"):
            (place / "pictures" / part / label).mkdir(parents=True)
            for number in range(3):
                pixels = random.integers(0, 256, (8, 8), np.uint8)
                Image.fromarray(pixels).save(place / "pictures" / part / label / f"{number}.png")
    place.chmod(0o777)
    yield place
    for path in [place, *place.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(place)


@pytest.mark.parametrize("command", [CHECK, TRAIN, COMPARE], ids=["check", "train", "compare"])
@pytest.mark.parametrize(
    ("closed", "mode"),
    [("pictures", 0), ("pictures/train", 0), ("pictures/test", 0), ("pictures/train/b", 0), ("pictures", 0o444)],
)
def test_a_folder_that_is_closed_is_named(closed: str, mode: int, command: tuple[str, ...], folder: Path) -> None:
    (folder / closed).chmod(mode)
    process = Fork(str(folder), *command, program=AS_NOBODY)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, ""), err
    assert err.count("\n") == 1 and err.startswith(f"fittingroom: {closed}") and "Permission denied" in err
    assert sorted(os.listdir(folder)) == ["pictures"], "nothing was written"


@pytest.mark.parametrize("command", [TRAIN, COMPARE], ids=["train", "compare"])
def test_a_closed_place_for_the_results_is_named(command: tuple[str, ...], folder: Path) -> None:
    (folder / "run").mkdir(mode=0o700)
    (folder / "run").chmod(0)
    process = Fork(str(folder), *command, program=AS_NOBODY)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, ""), err
    last = err.splitlines()[-1]
    assert last.startswith("fittingroom: ") and "run" in last and "ermission denied" in last
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [(), ("--out", "runs/mine")], ids=["default", "out"])
def test_explain_asks_for_its_place_before_it_begins(words: tuple[str, ...], folder: Path) -> None:
    (folder / "runs").mkdir()
    (folder / "runs").chmod(0o555)
    process = Fork(str(folder), "explain", "cnn", "--index", "0", *words, program=AS_NOBODY)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, ""), err
    assert err.startswith("fittingroom: cannot write into runs") and "runs is closed to you: choose another" in err
    assert err.count("\n") == 1, "nothing was explained"


def test_a_closed_picture_is_named_and_can_be_left_out(folder: Path) -> None:
    (folder / "pictures" / "train" / "a" / "1.png").chmod(0)
    process = Fork(str(folder), *TRAIN, program=AS_NOBODY)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith(
        "fittingroom: pictures: 1 of 12 pictures cannot be read: train/a/1.png (Permission denied)"
    )
