"""What the adapters share: the settings of a foreign network, its family, and errors in one line."""

import difflib
import logging
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.models.image_size import ImageSize, check_image_size, height_width, size_text
from fittingroom.models.registry import Family, check_positive, check_rate

BUILD_ERRORS = (
    TypeError, ValueError, AssertionError, RuntimeError, AttributeError, KeyError, IndexError, NotImplementedError,
    ZeroDivisionError,
)  # fmt: skip
"""What libraries raise for settings that a network does not take."""
NUM_NEAR = 3
SECONDS = 5.0
"""How long to wait for an answer of the network."""


@config_dataclass
class ForeignConfig:
    """The settings of a network from another library. The rest of its shape is in its name."""

    img_size: ImageSize = 224
    """Size of the images, pixels: one number for squares, or [height, width]."""
    in_chans: int = 3
    """Colour channels of the images."""
    num_classes: int = 1000
    """Number of classes."""
    drop_rate: float = 0.0
    """Dropout, where the library puts it."""

    def __post_init__(self) -> None:
        check_image_size(self.img_size)
        check_positive(in_chans=self.in_chans, num_classes=self.num_classes)
        check_rate("drop_rate", self.drop_rate)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return height_width(self.img_size)


def checked_build(name: str, build: Callable[[ForeignConfig], nn.Module], config: ForeignConfig) -> nn.Module:
    """The network, after it has read one image without numbers: some take only certain sizes, and say so only then.

    Raises FittingRoomError with the library's own reason.
    """
    shape = (1, config.in_chans, *config.image_size)
    try:
        with torch.device("meta"), torch.no_grad():
            logits = build(config).eval()(torch.zeros(shape))
    except BUILD_ERRORS as error:
        raise FittingRoomError(
            f"{name} does not read images of {size_text(config.img_size)} with {config.in_chans} channels "
            f"({first_line(error)}): choose another size with --set input_size=224"
        ) from error
    if tuple(logits.shape) != (1, config.num_classes):
        raise FittingRoomError(
            f"{name} gives {tuple(logits.shape)} for one image, not one number per class: choose a classifier"
        )
    return build(config)


def family_of(model: nn.Module) -> Family:
    """vit for attention alone, cnn for convolutions alone, hybrid for both. A projection of patches is no convolution here."""
    attends = any("attention" in type(each).__name__.lower() for each in model.modules())
    convolves = any(
        isinstance(each, nn.Conv2d) and max(each.kernel_size) > max(each.stride) for each in model.modules()
    )
    return "hybrid" if attends and convolves else "vit" if attends else "cnn"


def similar_names(name: str, known: Iterable[str], where: str) -> str:
    """The end of an error message: the most similar names, or where to find all."""
    near = difflib.get_close_matches(name, list(known), n=NUM_NEAR, cutoff=0.6)
    return f"did you mean {' or '.join(repr(each) for each in near)}?" if near else where


def first_line(error: BaseException) -> str:
    """The first line of an error, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:160]


def fetch(name: str, repo: str, files: Sequence[str]) -> Path | None:
    """The first of these files of a Hugging Face repository: from the local cache, or else downloaded.

    None if the repository has none of them. Raises FittingRoomError that says where to put the file if there is no network.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    cached: Any = (try_to_load_from_cache(repo, file) for file in files)
    found = next((Path(each) for each in cached if isinstance(each, str)), None)
    if found is not None:
        return found
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it writes a line for every attempt
    try:
        _check_network()
        for file in files:
            try:
                return Path(hf_hub_download(repo, file, etag_timeout=SECONDS))
            except LocalEntryNotFoundError:  # a kind of the next one: the network has failed
                raise
            except EntryNotFoundError:
                continue
    except Exception as error:  # of the network, in many kinds
        raise cannot_fetch(name, f"https://huggingface.co/{repo}", files[0], error) from error
    finally:
        logger.setLevel(level)
    return None


def _check_network() -> None:
    """Raise OSError at once if the hub cannot be reached: its library would try for half a minute."""
    from huggingface_hub.constants import ENDPOINT

    address = urllib.parse.urlsplit(ENDPOINT)
    if urllib.request.getproxies() or not address.hostname:
        return
    socket.create_connection((address.hostname, address.port or 443), timeout=SECONDS).close()


def cannot_fetch(name: str, place: str, file: str, error: BaseException | None = None) -> FittingRoomError:
    """The error for a file that is neither in a library's cache nor on the network. `place` is its page."""
    from huggingface_hub.constants import HF_HUB_CACHE

    why = f" ({first_line(error)})" if error is not None else ""
    fix = "" if file == "config.json" else ", and name it with weights=FILE"
    also = f"its folder, and name it as hf:FOLDER: {place}" if file == "config.json" else f"{file} from {place}"
    return FittingRoomError(
        f"{file} of {name} is not in {HF_HUB_CACHE}, and cannot be downloaded{why}: on a computer with a network, get {also}{fix}"
    )
