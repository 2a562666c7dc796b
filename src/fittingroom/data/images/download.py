"""One file from the first mirror that has it, checked, resumed where it broke off, complete or absent.

Bytes go into `<name>.part` beside the target. A broken connection or Ctrl-C leaves that file, and the next try asks
for the rest of it (HTTP Range). It gets its own name only when its sha256 is right; where it is wrong, or the disk is
full, it is deleted. Two processes that want the same file take turns.
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
    """No mirror could give the file. The message says why, mirror by mirror."""


class _BrokenOff(Exception):
    """This try failed, another may succeed."""


class _Useless(Exception):
    """This mirror does not have the file."""


def download(
    urls: Sequence[str], target: Path, sha256: str, *, timeout: float = 20.0, tries: int = 3, pause: float = 0.5
) -> None:
    """Fetch `target` from the first of `urls` that gives a file with this sha256 (hex).

    `timeout` is in seconds for each wait on the network; each URL gets `tries` tries, the pauses between them doubling
    from `pause` seconds. Raises DownloadError where no URL works, FittingRoomError where the file cannot be written.
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
    """The file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _try_mirror(url: str, part: Path, sha256: str, timeout: float, tries: int, pause: float) -> None:
    """Leave a complete, checked `part`, or raise _Useless with the reason of the last try."""
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
    """Fetch what is missing of `part`. A wrong sha256 is this mirror's fault only where the whole file came from it."""
    resumed = part.exists()
    if resumed and file_sha256(part) == sha256:
        return
    _fetch(url, part, timeout)
    if file_sha256(part) != sha256:
        part.unlink()
        raise (_BrokenOff if resumed else _Useless)("sent an altered file (its sha256 is not the published one)")


def _fetch(url: str, part: Path, timeout: float) -> None:
    """One request: the rest of `part`, or the whole file where there is no part or the server ignores the range."""
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
            part.unlink(missing_ok=True)  # It is as long as the file or longer, and wrong: the next try starts afresh.
        raise


def _receive(response: http.client.HTTPResponse, part: Path, have: int) -> None:
    """Append the body to the first `have` bytes of `part`. Raises _BrokenOff where less came than was announced."""
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
    """Turn every failure of the network into _BrokenOff or _Useless."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        # 4xx is a server's last word, but for: request timed out, range beyond the end, too many requests.
        passing = error.code >= 500 or error.code in (408, 416, 429)
        raise (_BrokenOff if passing else _Useless)(f"answered with status {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, socket.gaierror):
            raise _Useless("host not found") from error
        raise _BrokenOff("gave no answer in time" if isinstance(cause, TimeoutError) else str(cause)) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into one clear line, and leave nothing half-written at `path`."""
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
    """Hold a lock on `folder` by flock, which the system lets go of however the process ends. Windows has none."""
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
    """A bar on standard error; yields the function that advances it by some bytes."""
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
