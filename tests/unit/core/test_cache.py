"""The cache is in the user's home, or where this user can write."""

import os
from pathlib import Path

import pytest

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError


def test_without_a_home_and_an_entry_in_passwd_the_cache_is_a_temporary_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_entry(*_: object) -> None:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = cache_folder("plans")
    assert found == tmp_path / f"fittingroom-{os.getuid()}" / "plans"
    assert found.parent.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_no_folder_or_cannot_be_written_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder("plans").is_relative_to(tmp_path / "temporary")
    home = tmp_path / "locked"
    (home / ".cache" / "fittingroom" / "arrays").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(str(home)) and access(path, mode))
    assert cache_folder("plans").is_relative_to(tmp_path / "temporary")
    assert cache_folder("arrays").is_relative_to(home), "it can be read"


def test_a_temporary_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache_folder("plans")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    (tmp_path / "fittingroom-4711").mkdir()
    with pytest.raises(FittingRoomError, match="belongs to another user: set XDG_CACHE_HOME"):
        cache_folder("plans")
