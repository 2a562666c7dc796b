"""Standard input, pipes and devices are refused by their name; files, and what does not exist, pass."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from fittingroom.cli.main import build_parser
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file, check_replaceable, check_writable, user_path
from fittingroom.core.rundir import write_text


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_refused(name: str) -> None:
    with pytest.raises(FittingRoomError, match=rf"^{name} is standard input, which can be read only once: .* give it$"):
        check_file(name, "give it")


def test_pipes_sockets_and_devices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.tsv")
    with pytest.raises(FittingRoomError, match=r"^fifo.tsv is a pipe, which can be read only once: save it in a file"):
        check_file(Path("fifo.tsv"), "give it")
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w"), pytest.raises(FittingRoomError, match="is a pipe"):
        check_file(f"/dev/fd/{reading}", "give it")  # process substitution
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.tsv")
        with pytest.raises(FittingRoomError, match=r"^socket.tsv is a socket: give it"):
            check_file("socket.tsv", "give it")
    with pytest.raises(FittingRoomError, match=r"^/dev/zero is a device: give it"):
        check_file("/dev/zero", "give it")


def test_files_and_missing_files_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").write_text("a file of that name")
    for path in ("-", "gone.tsv", tmp_path):
        check_file(path, "give it")
    with pytest.raises(FittingRoomError, match=r"^x+.* cannot be read \(the name is too long\): give it"):
        check_file("x" * 300, "give it")
    with pytest.raises(FittingRoomError, match=r"'a\\x00b' is not the name of a file \(embedded null byte\): give it"):
        check_file("a\0b", "give it")


def test_a_file_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_writable(tmp_path / "new" / "folders" / "x.html", "--html")
    for path, said in ((tmp_path / "file" / "x.html", "is not a folder"), (tmp_path, "is a folder: give a file in it")):
        with pytest.raises(FittingRoomError, match=said):
            check_writable(path, "--html")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/null", "/dev/no-such-device", "/dev/fd/1", "/proc/self/fd/1"])
def test_no_file_replaces_what_the_system_keeps_in_dev(name: str) -> None:
    """Only the check is called: as root in a container, the write itself would break the machine."""
    with pytest.raises(
        FittingRoomError, match=rf"^cannot write {name}: it is a device or a pipe: give the name of a file$"
    ):
        check_replaceable(Path(name))
    with pytest.raises(FittingRoomError, match="is a device or a pipe"):
        check_writable(Path(name), "--out")


def test_files_and_what_does_not_exist_may_be_replaced_but_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for name in ("file", "new", "no/folder/yet"):
        check_replaceable(tmp_path / name)
    check_replaceable(Path("/dev/shm/report.html"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(FittingRoomError, match=f"{name}: it is a device or a pipe"):
            write_text(tmp_path / name, "new")
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_a_tilde_is_the_home_folder_unless_something_has_this_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shells leave it in `--out=~/runs`, and a folder named `~` would appear."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_path("~/runs/a") == tmp_path / "home" / "runs" / "a"
    assert user_path("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")
    assert user_path("a~") == Path("a~")
    (tmp_path / "~").mkdir()
    assert user_path("~") == Path("~")
    args = build_parser().parse_args(["train", "cnn", "--out=~/x", "--data-dir=~/y"])
    assert (args.out, args.data_dir) == (tmp_path / "home" / "x", tmp_path / "home" / "y")


@pytest.mark.parametrize("value", ["", 5, b"runs", None, True])
def test_what_is_no_path_is_one_line(value: Any) -> None:
    with pytest.raises(FittingRoomError, match=r"^folder .* is not a path: give text, such as 'runs/mine'$"):
        user_path(value)
