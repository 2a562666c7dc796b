"""Image sizes in configs: one number for square images, or (height, width)."""

from typing import Any

from fittingroom.core.errors import FittingRoomError

LARGEST_SIDE = 100_000

ImageSize = int | tuple[int, int]


class ImageSizeError(FittingRoomError):
    """A model that cannot read images of its `img_size`; `fix` holds the nearest settings with which it can."""

    def __init__(self, message: str, fix: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.fix = fix or {}


def height_width(img_size: ImageSize) -> tuple[int, int]:
    """Both sides, pixels."""
    return (img_size, img_size) if isinstance(img_size, int) else img_size


def size_text(img_size: ImageSize) -> str:
    """`28`, or `64x40`: height before width."""
    return str(img_size) if isinstance(img_size, int) else "x".join(map(str, img_size))


def check_image_size(img_size: ImageSize) -> None:
    """Raise FittingRoomError if a side has no pixels, or more than `LARGEST_SIDE`."""
    if min(height_width(img_size)) < 1:
        raise FittingRoomError(f"img_size {size_text(img_size)} is too small: each side needs at least 1 pixel")
    if max(height_width(img_size)) > LARGEST_SIDE:
        raise FittingRoomError(
            f"img_size {size_text(img_size)} is too large: choose at most {LARGEST_SIDE:,} pixels a side"
        )
