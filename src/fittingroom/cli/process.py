"""Prepare this process for any environment: streams that are closed or cannot encode a sign, variables that stop libraries."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from fittingroom.core.cache import can_be_made, temporary_cache
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.machine import respect_quota

FEWEST_COLUMNS = 20
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


def prepare() -> None:
    """Call this before heavy imports. Calling it again changes nothing."""
    _open_streams()
    _escape_unknown_signs()
    _tame_libraries()


def _open_streams() -> None:
    """Connect closed standard streams to nothing. Otherwise the next file that is opened would take their number and output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:  # a lower number was free
                os.dup2(handle, number)
                os.close(handle)
        setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115


def _escape_unknown_signs() -> None:
    """Write an escape such as \\u2591 for a sign that the encoding of the output lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a notebook's stream is something else
            stream.reconfigure(errors="backslashreplace")


def _tame_libraries() -> None:
    os.environ.pop("MPLBACKEND", None)  # pictures go to files; matplotlib cannot be imported with an unknown name
    columns = os.environ.get("COLUMNS", "")
    if (
        columns.isdigit() and int(columns) < FEWEST_COLUMNS
    ):  # without a terminal, some programs set 0: tables would be empty
        del os.environ["COLUMNS"]
    for name in RANKS:  # Lightning cannot be imported with a rank that is no number
        if not os.environ.get(name, "0").isdigit():
            del os.environ[name]
    if "MPLCONFIGDIR" not in os.environ and not all(map(can_be_made, _user_folders())):
        with suppress(FittingRoomError):  # matplotlib then warns, and goes on
            os.environ["MPLCONFIGDIR"] = str(temporary_cache() / "matplotlib")
    respect_quota()


def _user_folders() -> list[Path]:
    """Where matplotlib keeps settings and fonts: it prints a warning if it cannot write there."""
    home = os.path.expanduser("~")
    bases = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}
    return [Path(os.environ.get(name) or os.path.join(home, folder)) for name, folder in bases.items()]


def check_current_folder() -> None:
    """Raise FittingRoomError if the current folder was deleted. Libraries would end the process with a message of their own."""
    try:
        os.getcwd()
    except OSError as error:
        raise FittingRoomError(f"the current folder cannot be used ({error.strerror}): cd to another one") from error


def leave_streams(*streams: TextIO) -> None:
    """Nobody reads these streams (default: output and errors): drop what is left, so that Python does not complain at its end."""
    for stream in streams or (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def as_text(word: str) -> str:
    """A word of the command line as text. In the C locale without UTF-8, Python passes bytes it does not know as surrogates."""
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        return word
