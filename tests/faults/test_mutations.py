"""Thousands of damaged files, read by all that reads them: an answer or one clear line each, soon, in place, in little memory."""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fittingroom.core.errors import FittingRoomError
from tests.mutations import guard
from tests.mutations.guard import MOST_BYTES, Writes, fault_of
from tests.mutations.operators import damage_bytes, damage_json, damage_lines, damage_picture
from tests.mutations.work import COUNTS, SEED, Trial, build, run_group


def told(faults: list[dict[str, Any]]) -> str:
    """The faults for a person."""
    return "\n".join(f"{each['number']} {each['file']}: {each['fault']}\n{each['details']}" for each in faults)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", ["pictures", "pairs", "tables"])
def test_a_sample_of_damaged_files(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    build(group, tmp_path / "good" / group)
    trial = Trial(group, tmp_path / "good" / group, tmp_path / "damaged", seed=SEED + 1)
    faults = [found for number in range(40) if (found := trial.fault(number))["fault"]]
    assert not faults, told(faults)
    assert {path.name for path in tmp_path.iterdir()} <= {"good", "damaged", "cache"}


@pytest.mark.slow
@pytest.mark.parametrize("group", COUNTS)
def test_damaged_files_cost_one_line_each(group: str, tmp_path: Path) -> None:
    found = run_group(group, COUNTS[group], tmp_path)
    assert not found["faults"], told(found["faults"])
    assert found["peak_bytes"] < MOST_BYTES


@pytest.mark.parametrize("damage", [damage_bytes, damage_picture, damage_json, damage_lines])
def test_the_same_draw_does_the_same_damage(damage: Any) -> None:
    content = json.dumps({"a": [1, {"b": "c\td"}], "e": None}, indent=1).encode()
    once, again = ([damage(random.Random(each), content, [b"{}"]) for each in range(200)] for _ in range(2))
    assert once == again
    assert len(set(once)) > 100


def test_the_guard_notices_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: BaseException) -> Any:
        raise error

    monkeypatch.setattr(guard, "MOST_SECONDS", 0.05)
    assert fault_of(lambda: 1, ("a.png",)) == ("", "read")
    assert fault_of(lambda: fail(FittingRoomError("a.png is no picture")), ("a.png",))[0] == ""
    assert fault_of(lambda: fail(FittingRoomError("no picture")), ("a.png",))[0] == "message without the file"
    assert fault_of(lambda: fail(KeyError("width")), ("a.png",))[0] == "KeyError"
    assert fault_of(lambda: time.sleep(5), ("a.png",))[0].startswith("took more")


def test_the_guard_notices_files_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[Any] = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    writes = Writes([inside])
    hooks[0]("open", (str(inside / "a"), "w", 0o1101))
    hooks[0]("open", (str(outside / "a"), "r", 0))
    assert writes.outside == []
    hooks[0]("open", (str(outside / "a"), "w", 0o1101))
    hooks[0]("os.rename", (str(inside / "a"), str(outside / "b"), -1, -1))
    hooks[0]("os.mkdir", (str(inside / ".." / "c"), 511, -1))
    assert writes.outside == [str(outside / "a"), str(outside / "b"), str(tmp_path / "c")]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds an open folder in /proc")
def test_the_guard_knows_paths_in_an_open_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`shutil.rmtree` deletes so. The current folder has nothing to do with them."""
    hooks: list[Any] = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    (tmp_path / "inside").mkdir()
    writes = Writes([tmp_path / "inside"])
    inside, outside = (os.open(folder, os.O_RDONLY) for folder in (tmp_path / "inside", tmp_path))
    hooks[0]("os.remove", ("set.json", inside))
    hooks[0]("os.chmod", ("set.json", 0o600, inside))
    hooks[0]("os.truncate", (str(tmp_path / "inside" / "a"), 3))
    hooks[0]("os.rename", ("a", "b", inside, inside))
    assert writes.outside == []
    hooks[0]("os.rmdir", ("other", outside))
    hooks[0]("os.rename", ("a", "b", inside, outside))
    assert writes.outside == [str(tmp_path / "other"), str(tmp_path / "b")]
    os.close(inside)
    os.close(outside)
