"""Files are complete or absent."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, read_state
from fittingroom.core.rundir import (
    exclusive_lock,
    make_folder,
    read_json,
    remove_temporary,
    write_atomic,
    write_json,
    write_text,
)


def test_a_write_that_breaks_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def half(file: IO[bytes]) -> None:
        file.write(b"ne")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_atomic(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    def full(_: IO[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FittingRoomError, match=r"cannot write .*file: No space left on device: free some space"):
        write_atomic(tmp_path / "file", full)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["pathlib.Path.open", "os.fsync", "os.replace"])
def test_a_disk_that_is_full_at_any_step_keeps_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(step, full)
        with pytest.raises(FittingRoomError, match=r"cannot write .*file: No space left on device: free some space"):
            write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_write_left_is_removed_and_no_other_file(tmp_path: Path) -> None:
    killed = "import os, sys; from pathlib import Path; from fittingroom.core.rundir import write_atomic\n"
    killed += "write_atomic(Path(sys.argv[1]), lambda file: os._exit(9))"
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path / "state.json")]).returncode == 9
    (left,) = tmp_path.iterdir()
    for name in ("state.json", ".mine.tmp", "deadbeef.tmp"):
        (tmp_path / name).write_text("mine")
    remove_temporary(tmp_path)
    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"state.json", ".mine.tmp", "deadbeef.tmp"}
    remove_temporary(tmp_path / "absent")


def test_a_complete_write_replaces_the_old_file_and_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "file.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_umask_of_the_user_decides_who_may_read(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_file_system_without_permissions_links_and_sync_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def not_supported(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    for name in ("chmod", "fchmod", "link", "chown"):
        monkeypatch.setattr(os, name, refused)
    monkeypatch.setattr(os, "fsync", not_supported)
    monkeypatch.setattr("fcntl.flock", not_supported)
    with exclusive_lock(tmp_path):
        write_text(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"


def test_not_a_number_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe"])
def test_json_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(FittingRoomError, match=r"state\.json cannot be read"):
        read_json(path)
    with pytest.raises(FittingRoomError, match=r"other\.json is missing"):
        read_json(tmp_path / "other.json")


@pytest.mark.parametrize("content", ["[]", "3", "null"])
def test_json_that_is_no_object_and_a_state_that_says_nothing_are_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(FittingRoomError, match=r"state\.json holds no JSON object: delete it"):
        read_json(path)
    write_json(path, {"test_reads": []})
    with pytest.raises(FittingRoomError, match=r"state\.json lacks 'status': delete it"):
        read_state(tmp_path)


HOLDER = """
import sys, time
from pathlib import Path
from fittingroom.core.rundir import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("inside", flush=True)
    time.sleep(60)
"""


@pytest.mark.thorough
def test_two_processes_do_not_work_in_one_folder_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "inside\n"
        began = time.monotonic()
        with (
            pytest.raises(FittingRoomError, match=r"another process is using .*run: wait for it"),
            exclusive_lock(folder),
        ):
            pass
        with pytest.raises(FittingRoomError, match="another process"), exclusive_lock(folder, patience=0.3):
            pass
        assert 0.3 <= time.monotonic() - began < 30
        other.kill()
        with exclusive_lock(folder, patience=10):
            (folder / "file").touch()
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_where_there_are_no_locks_the_work_goes_on_and_another_fault_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", no_locks)
        with exclusive_lock(tmp_path):
            (tmp_path / "file").touch()
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with (
        pytest.raises(FittingRoomError, match=r"cannot lock .*run/\.lock: .*: delete it"),
        exclusive_lock(tmp_path / "run"),
    ):
        pass


def test_a_folder_is_let_go_where_the_work_breaks(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive_lock(tmp_path):
        raise RuntimeError("power cut")
    with exclusive_lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_state_is_absent_and_a_file_is_no_folder(tmp_path: Path) -> None:
    assert read_state(tmp_path) == RunState(status="absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(FittingRoomError, match="choose another with --out"):
        make_folder(tmp_path / "file" / "run")


def test_errors_in_the_cache_name_the_variable_and_a_fixed_folder_suggests_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for act in (
        lambda: write_text(cache_folder("arrays") / "x", ""),
        lambda: make_folder(cache_folder("test-reads")),
        lambda: make_folder(cache_folder("test-reads"), fixed=True),
    ):
        with pytest.raises(FittingRoomError, match=r"set XDG_CACHE_HOME to another folder$") as error:
            act()
        assert "--out" not in str(error.value)
    with pytest.raises(FittingRoomError, match="make it writable, or work on a copy") as error:
        make_folder(tmp_path / "file" / "run", fixed=True)
    assert "--out" not in str(error.value)
