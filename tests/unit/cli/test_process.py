"""A process is prepared for its environment before libraries that would stumble over it are imported."""

import io
import os
import sys
from pathlib import Path

import pytest

from fittingroom.cli import process
from fittingroom.core import machine


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test changes in the environment is as before afterwards."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_a_container_with_a_quota_gets_no_more_threads_than_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: list(range(8)))
    for quota, found in ((2, "2"), (8, None)):
        os.environ.pop("OMP_NUM_THREADS", None)
        monkeypatch.setattr(machine, "num_cores", lambda quota=quota: quota)
        process.prepare()
        assert os.environ.get("OMP_NUM_THREADS") == found
    monkeypatch.setattr(machine, "num_cores", lambda: 2)
    os.environ["OMP_NUM_THREADS"] = "5"
    process.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "5", "the user's own choice stays"


def test_a_rank_that_is_no_number_is_dropped() -> None:
    os.environ |= {"RANK": "first", "LOCAL_RANK": "1"}
    process.prepare()
    assert "RANK" not in os.environ and os.environ["LOCAL_RANK"] == "1"


def test_an_unknown_backend_of_matplotlib_is_dropped() -> None:
    os.environ["MPLBACKEND"] = "module://gone"
    process.prepare()
    assert "MPLBACKEND" not in os.environ


def test_without_a_home_that_can_be_written_to_matplotlib_gets_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        os.environ.pop(name, None)
    os.environ["HOME"] = str(tmp_path)
    process.prepare()
    assert "MPLCONFIGDIR" not in os.environ, "this home will do"
    os.environ["HOME"] = "/dev/null"
    process.prepare()
    assert Path(os.environ["MPLCONFIGDIR"]).is_relative_to(tmp_path)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_both_outputs_escape_what_they_cannot_encode(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    process.prepare()
    for stream in (sys.stdout, sys.stderr):
        print("衬衫 █", file=stream, flush=True)
        assert stream.buffer.getvalue() == b"\\u886c\\u886b \\u2588\n"  # type: ignore[attr-defined]


def test_a_word_of_a_locale_without_utf_8_is_read_as_the_text_that_it_is() -> None:
    assert process.as_text("caf\udcc3\udca9") == "café"
    assert process.as_text("\udcff") == "\udcff", "bytes that are no text stay"
    assert process.as_text("café") == "café"
