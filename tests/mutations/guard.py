"""Watch what a call does: what it raises, how long it takes, which files it writes, how much memory it has at most."""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fittingroom.core.errors import FittingRoomError

MOST_SECONDS, MOST_BYTES, MOST_LETTERS = 10, 2 * 2**30, 1_000
WRITES = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
)


class TooSlow(BaseException):
    """The call took more than `MOST_SECONDS`."""


class Trains(Exception):
    """The call would start to train now: the damaged files were accepted."""


class Writes:
    """Every path below which this process has written, made known by an audit hook."""

    def __init__(self, allowed: list[Path]) -> None:
        self.allowed = tuple(f"{os.path.realpath(each)}{os.sep}" for each in allowed)
        self.outside: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self._note(path)
        elif event in WRITES:
            folders = [each for each in args[1:] if isinstance(each, int)] if event != "os.truncate" else []
            for place, path in enumerate(each for each in args[:2] if isinstance(each, str | bytes)):
                # A path may be meant from an open folder, which comes last: `shutil.rmtree` deletes so.
                last = folders[place - 2] if event in ("os.rename", "os.link") else folders[-1] if folders else -1
                self._note(path if last < 0 else os.path.join(os.readlink(f"/proc/self/fd/{last}"), os.fsdecode(path)))

    def _note(self, path: Any) -> None:
        if not isinstance(path, str | bytes) or path in ("", os.devnull):
            return
        found = os.path.realpath(os.fsdecode(path))
        if not f"{found}{os.sep}".startswith(self.allowed):
            self.outside.append(found)


@contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_bytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fault_of(call: Callable[[], Any], names: tuple[str, ...]) -> tuple[str, str]:
    """('', outcome) where the call ends well: 'read' or the message of one FittingRoomError. Otherwise (fault, details).

    A good message is one short line that names one of `names`.
    """
    try:
        with _limited():
            call()
        return "", "read"
    except FittingRoomError as error:
        message = str(error)
        if not message.isprintable():
            return "message with line breaks or control characters", message
        if len(message) > MOST_LETTERS:
            return "long message", message
        if not any(name in message for name in names):
            return "message without the file", message
        return "", message
    except Trains:
        return "", "read"
    except TooSlow:
        return f"took more than {MOST_SECONDS} s", _where()
    except BaseException as error:
        return type(error).__name__, traceback.format_exc(limit=-6)


def _where() -> str:
    return "".join(traceback.format_exc(limit=-6))
