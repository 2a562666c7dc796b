"""Convert any picture to an image of a data set: upright, grey or RGB, in the data set's size."""

import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.data.spec import DataSpec

BRIGHT = 127  # A background counts as bright if the mean of the outermost pixels exceeds this.


def read_image(path: Path, spec: DataSpec) -> tuple[UInt8[Tensor, "channels height width"], bool]:
    """Read a picture and convert it to the data set's format. Also returns whether its colours were inverted.

    The picture is turned upright (EXIF), put on black where transparent, padded to the data set's proportions with its border
    colour, and scaled. A picture with a bright background is inverted if the data set requires it.
    Raises FittingRoomError if the file is missing or not a picture.
    """
    check_file(path, "give a PNG or JPEG picture")
    try:
        with warnings.catch_warnings(), Image.open(path) as file:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = ImageOps.exif_transpose(file).convert("RGBA")
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} does not exist: give the path of a PNG or JPEG picture") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise FittingRoomError(f"{path} has too many pixels to open safely: scale it down first") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise FittingRoomError(
            f"{path} is not a readable picture ({error}): give a complete PNG or JPEG file"
        ) from error
    return fit_picture(picture, spec)


def fit_picture(picture: Image.Image, spec: DataSpec) -> tuple[UInt8[Tensor, "channels height width"], bool]:
    """Convert an RGBA picture to the data set's format. Also returns whether its colours were inverted."""
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
    picture = picture.convert("L" if spec.channels == 1 else "RGB")
    border = _border_mean(picture)
    picture = _pad(picture, spec.width / spec.height, border).resize(
        (spec.width, spec.height), Image.Resampling.LANCZOS
    )
    pixels = torch.from_numpy(np.atleast_3d(np.array(picture)).transpose(2, 0, 1).copy())
    inverted = border > BRIGHT and spec.preprocessing.bright_ground == "invert"
    return (255 - pixels if inverted else pixels), inverted


def _border_mean(picture: Image.Image) -> int:
    """Mean brightness of the outermost pixels, 0 to 255."""
    grey = np.asarray(picture.convert("L"))
    return round(float(np.mean(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))))


def _pad(picture: Image.Image, proportion: float, fill: int) -> Image.Image:
    """Pad the picture on two sides until width / height = `proportion`."""
    width = max(picture.width, round(picture.height * proportion))
    height = max(picture.height, round(picture.width / proportion))
    colour = fill if picture.mode == "L" else (fill, fill, fill)
    padded = Image.new(picture.mode, (width, height), colour)
    padded.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return padded
