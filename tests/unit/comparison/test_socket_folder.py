"""What killed processes leave among the temporary files is deleted, and nothing else is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fittingroom.comparison.executors import socket_folder
from fittingroom.comparison.executors.socket_folder import LOCK, hold, hold_too

fcntl = pytest.importorskip("fcntl")


@pytest.fixture(autouse=True)
def none_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(socket_folder, "_held", {})
    yield
    let_go()


def let_go() -> None:
    """As if the process had been killed."""
    for handle in socket_folder._held.values():
        os.close(handle)
    socket_folder._held.clear()


def folder(place: Path, name: str, *files: str) -> Path:
    (place / name).mkdir()
    for file in files:
        (place / name / file).touch()
    return place / name


def test_folders_that_killed_processes_left_are_deleted(tmp_path: Path) -> None:
    left = folder(tmp_path, "pymp-left", LOCK, "listener-1")
    hold(str(folder(tmp_path, "pymp-ours")))
    assert not left.exists() and os.listdir(tmp_path / "pymp-ours") == [LOCK]


def test_folders_in_use_and_those_of_other_programs_stay(tmp_path: Path) -> None:
    folder(tmp_path, "pymp-foreign", "listener-1")
    folder(tmp_path, "else", LOCK)
    (tmp_path / "pymp-link").symlink_to(tmp_path / "else")
    used = folder(tmp_path, "pymp-used", LOCK)
    hold_too(str(used))
    hold(str(folder(tmp_path, "pymp-ours")))
    assert sorted(os.listdir(tmp_path)) == ["else", "pymp-foreign", "pymp-link", "pymp-ours", "pymp-used"]
    assert (tmp_path / "else" / LOCK).exists()


def test_a_folder_is_held_as_long_as_one_of_its_processes_lives(tmp_path: Path) -> None:
    ours = folder(tmp_path, "pymp-ours")
    hold(str(ours))
    hold(str(ours))
    with (ours / LOCK).open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    let_go()
    hold(str(folder(tmp_path, "pymp-next")))
    assert not ours.exists()


def test_a_place_without_locks_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    left = folder(tmp_path, "pymp-left", LOCK)
    monkeypatch.setattr(fcntl, "flock", refuse)
    hold(str(folder(tmp_path, "pymp-ours")))
    assert left.exists() and os.listdir(tmp_path / "pymp-ours") == []
