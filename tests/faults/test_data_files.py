"""Bad files and bad networks, tried: one clear line each, and nothing half-written is left.

Every download comes from a server on this machine that misbehaves as told.
"""

import dataclasses
import errno
import gzip
import hashlib
import os
import resource
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import fashion_mnist
from fittingroom.data.images.download import DownloadError, download
from fittingroom.data.images.fashion_mnist import RELEASE, DataFile, Release

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"

Answer = Callable[[BaseHTTPRequestHandler], None]


class Mirror(ThreadingHTTPServer):
    """Gives each request the next of `answers`, the last one again and again, and notes the Range headers."""

    daemon_threads = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the plan."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Mirror)
        self.server.ranges.append(self.headers.get("Range"))
        answer = self.server.answers[0] if len(self.server.answers) == 1 else self.server.answers.pop(0)
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def whole(body: bytes = BODY, content_type: str = "application/gzip") -> Answer:
    """All of the file, whatever range is asked for."""
    return lambda handler: send(handler, body, Content_Type=content_type)


def cut_after(num_bytes: int) -> Answer:
    """Announces all, sends some, hangs up."""
    return lambda handler: send(handler, BODY[:num_bytes], Content_Length=str(len(BODY)))


def status(code: int) -> Answer:
    return lambda handler: send(handler, b"no", status=code)


def ranged(handler: BaseHTTPRequestHandler) -> None:
    """The range that is asked for, as a good server does."""
    asked = handler.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start >= len(BODY):
        send(handler, b"", status=416)
    elif asked:
        send(handler, BODY[start:], status=206, Content_Range=f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
    else:
        send(handler, BODY)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Mirror]]:
    """Start a mirror with these answers; all are shut down after the test."""
    monkeypatch.setenv("no_proxy", "*")
    mirrors: list[Mirror] = []

    def start_mirror(*answers: Answer) -> Mirror:
        mirrors.append(Mirror(*answers))
        threading.Thread(target=mirrors[-1].serve_forever, args=(0.01,), daemon=True).start()
        return mirrors[-1]

    yield start_mirror
    for mirror in mirrors:
        mirror.shutdown()
        mirror.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.gz"


def fetch(target: Path, *mirrors: Mirror, timeout: float = 5.0, tries: int = 3) -> None:
    urls = [mirror.url + target.name for mirror in mirrors]
    download(urls, target, SHA256, timeout=timeout, tries=tries, pause=0.01)


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def left_in(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def one_line(caught: pytest.ExceptionInfo[FittingRoomError]) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_download_is_complete_and_its_bar_stays_off_standard_output(start, target: Path, capsys) -> None:
    fetch(target, start(whole()))
    assert target.read_bytes() == BODY
    assert left_in(target) == ["file.gz"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "file.gz" in shown.err


def test_a_web_page_with_status_200_is_called_so(start, target: Path) -> None:
    for page in (whole(HTML), whole(b"Sign in here", "text/html; charset=utf-8")):
        mirror = start(page)
        with pytest.raises(DownloadError) as caught:
            fetch(target, mirror)
        assert "sent a web page instead of the file" in one_line(caught)
        assert len(mirror.ranges) == 1
        assert left_in(target) == []


def test_a_transfer_that_breaks_off_is_resumed_where_it_broke(start, target: Path) -> None:
    mirror = start(cut_after(100_000), ranged)
    fetch(target, mirror)
    assert target.read_bytes() == BODY
    assert left_in(target) == ["file.gz"]
    assert mirror.ranges == [None, "bytes=100000-"]


def test_a_part_left_by_an_earlier_command_is_resumed(start, target: Path) -> None:
    with pytest.raises(DownloadError, match="broke off after 70000 of 256000 bytes, 1 tries"):
        fetch(target, start(cut_after(70_000)), tries=1)
    assert left_in(target) == ["file.gz.part"]
    mirror = start(ranged)
    fetch(target, mirror)
    assert mirror.ranges == ["bytes=70000-"]
    assert target.read_bytes() == BODY


def test_a_part_that_is_complete_needs_no_network(start, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(BODY)
    mirror = start(status(500))
    fetch(target, mirror)
    assert target.read_bytes() == BODY
    assert mirror.ranges == []
    assert left_in(target) == ["file.gz"]


def test_a_server_that_ignores_the_range_is_read_from_the_start(start, target: Path) -> None:
    mirror = start(cut_after(100_000), whole())
    fetch(target, mirror)
    assert target.read_bytes() == BODY
    assert mirror.ranges == [None, "bytes=100000-"]


@pytest.mark.parametrize("part", [b"x" * 1000, BODY + b"too long"], ids=["altered", "too long"])
def test_a_bad_part_is_dropped_and_the_file_fetched_whole(start, target: Path, part: bytes) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(part)
    mirror = start(ranged)
    fetch(target, mirror)
    assert target.read_bytes() == BODY
    assert mirror.ranges == [f"bytes={len(part)}-", None]


def test_a_range_that_starts_elsewhere_does_not_spoil_the_file(start, target: Path) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        send(handler, BODY[:50], status=206, Content_Range="bytes 0-49/256000")

    fetch(target, start(cut_after(1000), elsewhere, whole()))
    assert target.read_bytes() == BODY


def test_an_altered_file_is_refused_and_deleted(start, target: Path) -> None:
    mirror = start(whole(b"!" + BODY[1:]))
    with pytest.raises(DownloadError) as caught:
        fetch(target, mirror)
    assert "sent an altered file" in one_line(caught)
    assert left_in(target) == []
    assert len(mirror.ranges) == 1


def test_the_second_mirror_is_asked_when_the_first_does_not_have_the_file(start, target: Path) -> None:
    first, second = start(status(404)), start(whole())
    fetch(target, first, second)
    assert target.read_bytes() == BODY
    assert (len(first.ranges), len(second.ranges)) == (1, 1)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(start, target: Path) -> None:
    mirror = start(status(503), status(429), whole())
    fetch(target, mirror)
    assert target.read_bytes() == BODY
    assert len(mirror.ranges) == 3


def test_a_server_that_says_nothing_is_left_after_the_time_out(start, target: Path) -> None:
    release = threading.Event()
    mirror = start(lambda handler: release.wait(10))
    began = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fetch(target, mirror, timeout=0.1, tries=2)
    release.set()
    assert "gave no answer in time, 2 tries" in one_line(caught)
    assert time.monotonic() - began < 5
    assert left_in(target) == []


def test_a_transfer_that_stalls_is_resumed_after_the_time_out(start, target: Path) -> None:
    release = threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        send(handler, BODY[:100_000], Content_Length=str(len(BODY)))
        handler.wfile.flush()
        release.wait(10)

    mirror = start(stall, ranged)
    fetch(target, mirror, timeout=0.3)
    release.set()
    assert target.read_bytes() == BODY
    assert mirror.ranges[1] is not None


def test_each_mirror_is_named_with_its_reason_when_none_works(start, target: Path) -> None:
    first, gone = start(status(404)), start(whole())
    gone.shutdown()
    gone.server_close()
    with pytest.raises(DownloadError) as caught:
        fetch(target, first, gone)
    message = one_line(caught)
    assert "file.gz" in message
    assert "status 404" in message
    assert "refused" in message
    assert left_in(target) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(start, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    mirror = start(whole())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FittingRoomError) as caught:
        fetch(target, mirror, mirror)
    message = one_line(caught)
    assert "No space left on device" in message
    assert str(target.parent) in message
    assert "free some space" in message
    assert left_in(target) == []
    assert len(mirror.ranges) == 1


def test_a_write_that_the_system_refuses_midway_leaves_nothing(start, target: Path) -> None:
    mirror = start(whole())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FittingRoomError) as caught:
            fetch(target, mirror)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in one_line(caught)
    assert left_in(target) == []


def test_a_folder_that_cannot_be_made_is_named(start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FittingRoomError, match=r"cannot write .*file/cache/file\.gz.*XDG_CACHE_HOME"):
        fetch(tmp_path / "file" / "cache" / "file.gz", start(whole()))


def test_two_at_once_take_turns_and_fetch_once(start, target: Path) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        send(handler, BODY)

    mirror = start(slowly)
    others = [threading.Thread(target=fetch, args=(target, mirror)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert target.read_bytes() == BODY
    assert len(mirror.ranges) == 1
    assert left_in(target) == ["file.gz"]


@pytest.fixture
def contents() -> dict[str, bytes]:
    """Four small files by the real names; their values do not matter here."""
    return {file.name: gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2000) + bytes(2000)) for file in RELEASE.files}


@pytest.fixture
def release(contents: dict[str, bytes], tmp_path: Path) -> Release:
    def describe(name: str, archive: bytes) -> DataFile:
        content = hashlib.sha256(gzip.decompress(archive)).hexdigest()
        return DataFile(name=name, content=content, archives=(hashlib.sha256(archive).hexdigest(),))

    files = tuple(describe(name, archive) for name, archive in contents.items())
    return Release(files=files, mirrors=(), system_folder=tmp_path / "package")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own, and no FITTINGROOM_DATA."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FITTINGROOM_DATA", raising=False)
    return cache_folder("fashion-mnist")


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, archive in contents.items():
        (folder / name).write_bytes(archive)
    return folder


def serve(contents: dict[str, bytes]) -> Answer:
    return lambda handler: send(handler, contents[handler.path.removeprefix("/")])


BAD_FILES = {
    "is empty": b"",
    "is a web page, not data": HTML,
    "is cut short": gzip.compress(bytes(5000))[:-9],
    "is altered": gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2000) + b"\1" * 2000),
}


@pytest.mark.parametrize(("words", "bad"), BAD_FILES.items(), ids=BAD_FILES)
@pytest.mark.parametrize("by_variable", [False, True], ids=["argument", "variable"])
def test_a_bad_file_in_a_folder_named_by_hand_is_an_error(
    by_variable: bool, words: str, bad: bytes, contents, release: Release, cache: Path, tmp_path: Path, monkeypatch
) -> None:
    fill(cache, contents)  # A good copy elsewhere must not be taken in silence.
    folder = fill(tmp_path / "mine", contents | {"t10k-images-idx3-ubyte.gz": bad})
    if by_variable:
        monkeypatch.setenv("FITTINGROOM_DATA", str(folder))
    with pytest.raises(FittingRoomError) as caught:
        fashion_mnist.find(None if by_variable else folder, release)
    message = one_line(caught)
    assert str(folder / "t10k-images-idx3-ubyte.gz") in message
    assert words in message
    assert "fresh copy" in message
    assert (folder / "t10k-images-idx3-ubyte.gz").read_bytes() == bad


def test_a_missing_file_or_folder_named_by_hand_is_an_error(contents, release: Release, cache: Path, tmp_path) -> None:
    folder = fill(tmp_path / "mine", contents)
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    fill(cache, contents)
    for data_dir, named in ((folder, "train-labels-idx1"), (tmp_path / "nowhere", "train-images-idx3")):
        with pytest.raises(FittingRoomError) as caught:
            fashion_mnist.find(data_dir, release)
        assert f"{data_dir}/{named}-ubyte.gz is missing: put the four files" in one_line(caught)


@pytest.mark.parametrize(("words", "bad"), BAD_FILES.items(), ids=BAD_FILES)
def test_a_bad_file_in_the_cache_is_named_and_fetched_anew(
    words: str, bad: bytes, start, contents, release: Release, cache: Path, capsys
) -> None:
    fill(cache, contents | {"train-images-idx3-ubyte.gz": bad})
    mirror = start(serve(contents))
    assert fashion_mnist.find(None, dataclasses.replace(release, mirrors=(mirror.url,))) == cache
    assert (cache / "train-images-idx3-ubyte.gz").read_bytes() == contents["train-images-idx3-ubyte.gz"]
    assert len(mirror.ranges) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{cache}/train-images-idx3-ubyte.gz {words}" in shown.err


def test_a_damaged_package_is_named_and_not_used(start, contents, release: Release, cache: Path, capsys) -> None:
    fill(release.system_folder, contents | {"train-images-idx3-ubyte.gz": b""})
    assert fashion_mnist.find(None, dataclasses.replace(release, mirrors=(start(serve(contents)).url,))) == cache
    assert "package/train-images-idx3-ubyte.gz is empty: not used" in capsys.readouterr().err


def test_the_fall_back_mirror_fills_an_empty_cache(start, contents, release: Release, cache: Path) -> None:
    mirrors = (start(whole(HTML)).url, start(serve(contents)).url)
    assert fashion_mnist.find(None, dataclasses.replace(release, mirrors=mirrors)) == cache
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == contents


def test_where_nothing_works_all_the_ways_are_named(start, release: Release, cache: Path) -> None:
    with pytest.raises(FittingRoomError) as caught:
        fashion_mnist.find(None, dataclasses.replace(release, mirrors=(start(status(404)).url,)))
    message = one_line(caught)
    ways = ("apt-get install dataset-fashion-mnist", "--data-dir DIR", "FITTINGROOM_DATA", str(cache))
    assert all(way in message for way in ways)
    assert "status 404" in message
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_not_mistaken_for_a_missing_network(start, contents, release, cache: Path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FittingRoomError, match="No space left on device: free some space") as caught:
        fashion_mnist.find(None, dataclasses.replace(release, mirrors=(start(serve(contents)).url,)))
    assert "apt-get" not in one_line(caught)
    assert list(cache.iterdir()) == []
