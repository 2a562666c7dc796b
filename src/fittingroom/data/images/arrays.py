"""Images from a .npz file: `np.savez("mine.npz", images=..., labels=...)`.

    images        uint8 (N, height, width) grey, (N, height, width, 1 or 3), or (N, 1 or 3, height, width); floats 0..1 also work
    labels        (N,) whole numbers, or names
    class_names   optional: one name per label 0, 1, 2, ...
    test_images, test_labels   optional: the test part. Without it, 20 % of the images become the test part, always the same ones.

Labels are mapped to classes once, over the whole file.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fittingroom.core.archives import open_arrays
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import cache_folder, write_atomic
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.images.splits import split
from fittingroom.data.spec import DataSpec, ImageSet

TEST_SHARE, VAL_SHARE, MOST_VAL = 0.2, 0.15, 5000
FORM = "save it with np.savez(path, images=..., labels=...)"


def open_arrays_file(path: Path) -> ImageData:
    """The data set in a .npz file. Raises FittingRoomError that names the file and what is wrong with it."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise FittingRoomError(f"{path} cannot be read ({error.strerror}): give a .npz file of images") from error
    with open_arrays(path, missing=FORM, damaged=FORM) as archive:
        arrays = {name: archive[name] for name in archive.files}
    train, test, names = _parts(arrays, path)
    mean, std = _statistics(train.images)
    _, channels, height, width = train.images.shape
    spec = DataSpec(
        name=path.stem,
        title=path.stem,
        source=str(path),
        digest=digest,
        class_names=names,
        channels=channels,
        height=height,
        width=width,
        mean=mean,
        std=std,
        num_val=max(len(names), min(MOST_VAL, round(VAL_SHARE * len(train)))),
        num_test=len(test),
    )
    return ImageData(spec=spec, load_train=lambda: train, load_test=lambda: test)


def save_arrays(images: Any, labels: Any, class_names: Any = None, name: str = "images") -> Path:
    """Write arrays from memory to a file in the user's cache, named by content; returns its path.

    So child processes, and `evaluate` tomorrow, find the data again.
    """
    arrays: dict[str, Any] = {"images": np.asarray(images), "labels": np.asarray(labels)}
    if class_names is not None:
        arrays["class_names"] = np.asarray(class_names)
    content = hashlib.sha256()
    for key, array in arrays.items():
        content.update(f"{key}{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    path = cache_folder("arrays") / f"{name}-{content.hexdigest()[:12]}.npz"
    if not path.exists():
        write_atomic(path, lambda file: np.savez_compressed(file, **arrays))
    return path


def _parts(arrays: dict[str, np.ndarray], path: Path) -> tuple[ImageSet, ImageSet, tuple[str, ...]]:
    """Training file, test part, class names."""
    for key in ("images", "labels"):
        if key not in arrays:
            raise FittingRoomError(f"{path} holds no array '{key}' ({', '.join(arrays) or 'nothing'}): {FORM}")
    images, labels = _pixels(arrays["images"], f"{path}, images"), arrays["labels"]
    has_test = "test_images" in arrays
    if has_test and "test_labels" not in arrays:
        raise FittingRoomError(f"{path} holds test_images but no test_labels: save both, or neither")
    test_labels = arrays["test_labels"] if has_test else labels[:0]
    names, numbers = _classes([labels, test_labels], arrays.get("class_names"), path)
    whole = _image_set(images, numbers[0], f"{path}, labels")
    if has_test:
        test_images = _pixels(arrays["test_images"], f"{path}, test_images")
        if test_images.shape[1:] != images.shape[1:]:
            raise FittingRoomError(f"{path}: test_images have another size or number of channels than images: {FORM}")
        return whole, _image_set(test_images, numbers[1], f"{path}, test_labels"), names
    num_test = max(len(names), round(TEST_SHARE * len(whole)))
    train, test = split(whole, 0, num_test, purpose="test part")
    return train, test, names


def _pixels(images: np.ndarray, where: str) -> np.ndarray:
    """uint8 (N, channels, height, width)."""
    if images.ndim == 3:
        images = images[:, np.newaxis]
    elif images.ndim == 4 and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.ndim != 4 or images.shape[1] not in (1, 3):
        raise FittingRoomError(
            f"{where} has shape {images.shape}: give (N, height, width) or (N, height, width, 3), grey or RGB"
        )
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if (
        images.dtype.kind == "f"
        and images.size
        and np.isfinite(images).all()
        and images.min() >= 0
        and images.max() <= 1
    ):
        return np.ascontiguousarray(np.round(images * 255).astype(np.uint8))
    raise FittingRoomError(f"{where} holds {images.dtype} values: give uint8 pixels 0 to 255, or floats from 0 to 1")


def _classes(parts: list[np.ndarray], names: np.ndarray | None, path: Path) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Class names, and the labels of each part as numbers: one map for the whole file."""
    whole = np.concatenate(parts)
    if whole.ndim != 1 or whole.dtype.kind not in "iuUS" or not len(whole):
        raise FittingRoomError(
            f"{path}: labels are {whole.dtype} {whole.shape}: give one whole number or name per image"
        )
    if names is not None and whole.dtype.kind in "iu":
        known = tuple(map(str, names.tolist()))
        if whole.min() < 0 or whole.max() >= len(known):
            raise FittingRoomError(
                f"{path}: labels run from {whole.min()} to {whole.max()}, class_names has {len(known)}"
            )
        return known, [part.astype(np.int64) for part in parts]
    values = np.unique(whole)
    if len(values) < 2:
        raise FittingRoomError(f"{path} holds one class only: give images of two classes or more")
    return tuple(map(str, values.tolist())), [np.searchsorted(values, part) for part in parts]


def _image_set(images: np.ndarray, labels: np.ndarray, where: str) -> ImageSet:
    if len(images) != len(labels):
        raise FittingRoomError(f"{where}: {len(labels)} labels for {len(images)} images: give one label per image")
    return ImageSet(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)), torch.arange(len(labels)))


def _statistics(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel, pixels scaled to 0..1; a channel without variation gets deviation 1."""
    pixels = images.transpose(0, 1).flatten(1)
    means = [float(channel.double().mean() / 255) for channel in pixels]
    stds = [float(channel.double().std(correction=0) / 255) for channel in pixels]
    return tuple(round(mean, 6) for mean in means), tuple(round(std, 6) or 1.0 for std in stds)
