"""Download a file from the first mirror that has it. Downloads are verified and can resume; the file is complete or absent.

Bytes go into `<name>.part` next to the target. A broken connection or Ctrl-C leaves that file, and the next try requests
the rest (HTTP Range). The file gets its final name only if its sha256 is correct. If the sha256 is wrong or the disk is full,
it is deleted. Two processes that download the same file take turns.
"""

import hashlib
import http.client
import os
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.idx import looks_like_html

CHUNK_BYTES = 1 << 16


class DownloadError(FittingRoomError):
    """No mirror could deliver the file. The message gives each mirror's reason."""


class _BrokenOff(Exception):
    """This try failed, but another may succeed."""


class _Useless(Exception):
    """This mirror does not have the file."""


def download(
    urls: Sequence[str], target: Path, sha256: str, *, timeout: float = 20.0, tries: int = 3, pause: float = 0.5
) -> None:
    """Download `target` from the first of `urls` that delivers a file with this sha256 (hex).

    `timeout` limits each wait on the network, in seconds. Each URL gets `tries` tries, with pauses of `pause` seconds that
    double each time. Raises DownloadError if no URL works, and FittingRoomError if the file cannot be written.
    """
    part = target.with_name(target.name + ".part")
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _taking_turns(target.parent):
        if target.exists() and file_sha256(target) == sha256:
            return
        reasons = []
        for url in urls:
            try:
                _try_mirror(url, part, sha256, timeout, tries, pause)
            except _Useless as reason:
                reasons.append(f"{urllib.parse.urlsplit(url).netloc}: {reason}")
                continue
            with _writing(target):
                os.replace(part, target)
            return
        raise DownloadError(f"cannot download {target.name} ({'; '.join(reasons)})")


def file_sha256(path: Path) -> str:
    """The sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _try_mirror(url: str, part: Path, sha256: str, timeout: float, tries: int, pause: float) -> None:
    """Download a complete, verified `part`, or raise _Useless with the reason of the last failure."""
    for attempt in range(tries):
        try:
            _complete(url, part, sha256, timeout)
            return
        except _BrokenOff as error:
            if attempt == tries - 1:
                raise _Useless(f"{error}, {tries} tries") from error
            time.sleep(pause * 2**attempt)
    raise _Useless("not tried")


def _complete(url: str, part: Path, sha256: str, timeout: float) -> None:
    """Download the rest of `part`. A wrong sha256 rules out this mirror only if the mirror sent the whole file."""
    resumed = part.exists()
    if resumed and file_sha256(part) == sha256:
        return
    _fetch(url, part, timeout)
    if file_sha256(part) != sha256:
        part.unlink()
        raise (_BrokenOff if resumed else _Useless)("sent an altered file (its sha256 is not the published one)")


def _fetch(url: str, part: Path, timeout: float) -> None:
    """Make one request: for the rest of `part`, or for the whole file if there is no part or the server ignores the range."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "fittingroom"} | ({"Range": f"bytes={have}-"} if have else {})
    with _speaking():
        response = _request(url, headers, timeout, part)
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        _receive(response, part, have if resumed else 0)


def _request(url: str, headers: dict[str, str], timeout: float, part: Path) -> http.client.HTTPResponse:
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # The part is too long and therefore wrong: the next try starts over.
        raise


def _receive(response: http.client.HTTPResponse, part: Path, have: int) -> None:
    """Append the body to the first `have` bytes of `part`. Raises _BrokenOff if fewer bytes arrive than announced."""
    total = None if response.length is None else have + response.length
    chunk = _read(response)
    if not have and ("text/html" in response.headers.get("Content-Type", "") or looks_like_html(chunk)):
        raise _Useless("sent a web page instead of the file")
    if not chunk:
        raise _BrokenOff("sent nothing")
    with _writing(part), part.open("ab" if have else "wb") as file, _progress(part.stem, total, have) as advance:
        while chunk:
            file.write(chunk)
            have += len(chunk)
            advance(len(chunk))
            chunk = _read(response)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and have < total:
        raise _BrokenOff(f"broke off after {have} of {total} bytes")


def _read(response: http.client.HTTPResponse) -> bytes:
    with _speaking():
        return response.read(CHUNK_BYTES)


@contextmanager
def _speaking() -> Iterator[None]:
    """Convert every network failure to _BrokenOff or _Useless."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        # 4xx errors are permanent, except 408 (request timeout), 416 (range not satisfiable) and 429 (too many requests).
        passing = error.code >= 500 or error.code in (408, 416, 429)
        raise (_BrokenOff if passing else _Useless)(f"answered with status {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, socket.gaierror):
            raise _Useless("host not found") from error
        raise _BrokenOff("gave no answer in time" if isinstance(cause, TimeoutError) else str(cause)) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Convert a write failure to a FittingRoomError, and delete `path` if it is an unfinished .part file."""
    try:
        yield
    except OSError as error:
        if path.suffix == ".part":
            path.unlink(missing_ok=True)
        raise FittingRoomError(
            f"cannot write {path}: {error.strerror}: free some space, or set XDG_CACHE_HOME to another folder"
        ) from error


@contextmanager
def _taking_turns(folder: Path) -> Iterator[None]:
    """Lock `folder` with flock, which the system releases even if the process is killed. Windows has no flock."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with _writing(folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some network file systems have no locks.
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _progress(name: str, total: int | None, have: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error. Yields a function that advances it by a number of bytes."""
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, completed=have)
        yield lambda num_bytes: progress.advance(task, num_bytes)
