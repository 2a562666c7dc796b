"""The user's options for pictures in files: size, channels, resizing, groups, split."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.spec import Resize

MOST_PIXELS_A_SIDE = 4096


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """How pictures in files become images. What is None or auto is chosen from the data."""

    image_size: tuple[int, int] | None = None
    """Height and width, pixels."""
    resize: Resize | None = None
    """crop, pad or stretch."""
    channels: Literal["auto", "1", "3"] = "auto"
    """1: grey. 3: RGB. auto: 1 if every picture is grey."""
    group: str | None = None
    """A column of the table, or a regular expression that finds the group in the path."""
    split_file: str | None = None
    """A table with columns path and split, such as split.csv of a run."""
    skip_bad: bool = False
    """Leave out pictures that cannot be read."""

    def __post_init__(self) -> None:
        if self.image_size is not None and not all(1 <= side <= MOST_PIXELS_A_SIDE for side in self.image_size):
            raise FittingRoomError(
                f"--image-size {self.image_size[0]}x{self.image_size[1]} is out of range: choose sides from 1 to "
                f"{MOST_PIXELS_A_SIDE} pixels, such as 64 or 64x48"
            )


def parse_size(text: str | int | tuple[int, int] | None) -> tuple[int, int] | None:
    """`64` or `48x64` (height x width) as (height, width). Raises FittingRoomError for anything else."""
    if text is None:
        return None
    if isinstance(text, tuple | list):
        text = "x".join(map(str, text))
    match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", str(text).strip().lower())
    if match is None:
        raise FittingRoomError(f"--image-size {text!r}: give pixels, such as 64, or height x width, such as 48x64")
    return int(match[1]), int(match[2] or match[1])


def picture_options(
    *,
    image_size: str | int | tuple[int, int] | None = None,
    resize: str | None = None,
    channels: str | int | None = None,
    group: str | None = None,
    split_file: str | Path | None = None,
    skip_bad: bool = False,
) -> PictureOptions:
    """The options from plain values. Raises FittingRoomError for a value that is not offered."""
    if resize not in (None, "crop", "pad", "stretch"):
        raise FittingRoomError(f"--resize {resize!r}: choose crop, pad or stretch")
    known = "auto" if channels is None else str(channels)
    if known not in ("auto", "1", "3"):
        raise FittingRoomError(f"--channels {channels!r}: choose auto, 1 (grey) or 3 (RGB)")
    return PictureOptions(
        image_size=parse_size(image_size),
        resize=resize,  # type: ignore[arg-type]
        channels=known,
        group=group,
        split_file=None if split_file is None else str(split_file),
        skip_bad=skip_bad,
    )


def option_words(options: PictureOptions) -> list[str]:
    """The options as words of a command."""
    words = []
    for name, value in vars(options).items():
        if value != getattr(PictureOptions(), name):
            text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [text])
    return words
