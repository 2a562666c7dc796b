"""Images in arrays, from a .npz file or .npy files: `np.savez("mine.npz", images=..., labels=...)`.

    images        uint8 (N, height, width) grey, (N, height, width, 1 or 3), or (N, 1 or 3, height, width); floats 0..1 also work
    labels        (N,) whole numbers, or names
    class_names   optional: one name per label 0, 1, 2, ...; if labels are names, this is their order
    test_images, test_labels   optional: the test part. Without it, a fixed 20 % of the images become the test part.

The mapping from labels to classes is computed once, from the whole file.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fittingroom.core.archives import DAMAGE, open_arrays
from fittingroom.core.cache import cache_folder
from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.core.rundir import write_atomic
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.images.splits import split
from fittingroom.data.spec import DataSpec, ImageSet, Preprocessing

TEST_SHARE, VAL_SHARE, MOST_VAL = 0.2, 0.15, 5000
NPY_FORM = "save images.npy and labels.npy with np.save, one label per image"
FORM = "save it with np.savez(path, images=..., labels=...)"


def open_arrays_file(path: Path) -> ImageData:
    """Open the data set in a .npz file. Raises FittingRoomError naming the file and its fault."""
    digest = digest_of([path])
    with open_arrays(path, missing=FORM, damaged=FORM) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return data_of_arrays(arrays, path, digest)


def open_array_files(path: Path) -> ImageData:
    """Open images in a .npy file, with their labels beside it. Raises FittingRoomError naming the file and its fault."""
    files = {"images": path, "labels": _beside(path, "labels")}
    tests = {f"test_{key}": file.with_name(f"test_{file.name}") for key, file in files.items()}
    files |= tests if any(each.exists() for each in tests.values()) else {}
    arrays = {key: _read_npy(file) for key, file in files.items()}
    return data_of_arrays(arrays, path, digest_of(list(files.values())))


def _beside(path: Path, what: str) -> Path:
    """The file with the labels of `images.npy`, `mine_images.npy` or `x.npy`: labels.npy, mine_labels.npy or labels.npy."""
    name = path.name.replace("images", what)
    named = path.with_name(f"{what}.npy" if name == path.name else name)
    return named if named != path else path.with_name(f"{path.stem}_{what}.npy")


def _read_npy(path: Path) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            raise ValueError("it is an archive, not one array")
        return found
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: {NPY_FORM}") from error
    except DAMAGE as error:
        raise FittingRoomError(f"{path} is damaged ({error}): {NPY_FORM}") from error


def digest_of(paths: Sequence[Path]) -> str:
    """Twelve hex digits of the SHA-256 of the files' content. Raises FittingRoomError for a file that cannot be read."""
    content = hashlib.sha256()
    for path in paths:
        check_file(path, "give a file of images")
        try:
            content.update(path.read_bytes())
        except OSError as error:
            raise FittingRoomError(f"{path} cannot be read ({error.strerror}): give a file of images") from error
    return content.hexdigest()[:12]


def data_of_arrays(
    arrays: dict[str, np.ndarray], path: Path, digest: str, name: str | None = None, title: str | None = None
) -> ImageData:
    """The data set in arrays `images`, `labels` and so on, from `path`. Raises FittingRoomError naming the fault."""
    train, test, names, whole = _parts(arrays, path)
    _check_counts(train.labels, 2, names, path)
    num_val = max(len(names), min(MOST_VAL, round(VAL_SHARE * len(train))))
    mean, std = _statistics(train.images)
    _, channels, height, width = train.images.shape
    spec = DataSpec(
        name=name or path.stem,
        title=title or path.stem,
        source=name or str(path),
        digest=digest,
        class_names=names,
        channels=channels,
        height=height,
        width=width,
        mean=mean,
        std=std,
        num_val=num_val,
        num_test=len(test),
        preprocessing=_preprocessing(arrays, path),
    )
    pool = None if whole is None else lambda: whole
    return ImageData(spec=spec, load_train=lambda: train, load_test=lambda: test, load_pool=pool)


def _preprocessing(arrays: dict[str, np.ndarray], path: Path) -> Preprocessing:
    """What `save_arrays` noted, if these images were made from pictures."""
    if "preprocessing" not in arrays:
        return Preprocessing()
    try:
        return from_dict(Preprocessing, json.loads(str(arrays["preprocessing"])))
    except (ValueError, RecursionError) as error:
        raise FittingRoomError(f"{path}: preprocessing is damaged ({error}): delete this array") from error


def save_arrays(
    images: Any,
    labels: Any,
    class_names: Any = None,
    name: str = "images",
    preprocessing: Preprocessing | None = None,
) -> Path:
    """Write arrays to a file in the user's cache, named after its content. Returns the path.

    Child processes and later commands, such as `evaluate`, read the data from this file. `preprocessing` says how pictures
    became these images.
    """
    how = None if preprocessing is None else json.dumps(to_dict(preprocessing))
    given = {"images": images, "labels": labels, "class_names": class_names, "preprocessing": how}
    arrays: dict[str, Any] = {key: _plain(values, key) for key, values in given.items() if values is not None}
    content = hashlib.sha256()
    for key, array in arrays.items():
        content.update(f"{key}{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    path = cache_folder("arrays") / f"{name}-{content.hexdigest()[:12]}.npz"
    if not path.exists():
        write_atomic(path, lambda file: np.savez_compressed(file, **arrays))
    return path


def _plain(values: Any, name: str) -> np.ndarray:
    """Convert values to an array that needs no pickle. Object arrays (from pandas) must contain only ints or only text."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise FittingRoomError(f"{name} differ in size: give one array, all of one size") from error
    if array.dtype != object:
        return array
    held = array.ravel().tolist()
    if not any(all(isinstance(value, kind) for value in held) for kind in (str, int)):
        raise FittingRoomError(f"{name} hold a mixture of Python objects: give whole numbers only, or text only")
    return np.array(held).reshape(array.shape)


def _parts(arrays: dict[str, np.ndarray], path: Path) -> tuple[ImageSet, ImageSet, tuple[str, ...], ImageSet | None]:
    """The training images (validation included), the test images, the class names, and all images if test was drawn."""
    for key in ("images", "labels"):
        if key not in arrays:
            raise FittingRoomError(f"{path} holds no array '{key}' ({', '.join(arrays) or 'nothing'}): {FORM}")
    there = [key for key in ("test_images", "test_labels") if key in arrays]
    if len(there) == 1:
        other = "test_labels" if there == ["test_images"] else "test_images"
        raise FittingRoomError(f"{path} holds {there[0]} but no {other}: save both, or neither")
    images = _pixels(arrays["images"], f"{path}, images")
    given = [_labels(arrays[key], f"{path}, {key}") for key in ("labels", "test_labels") if key in arrays]
    names, numbers = _classes(given, arrays.get("class_names"), path)
    whole = _image_set(images, numbers[0], f"{path}, labels")
    if there:
        test_images = _pixels(arrays["test_images"], f"{path}, test_images")
        if test_images.shape[1:] != images.shape[1:]:
            raise FittingRoomError(f"{path}: test_images have another size or number of channels than images: {FORM}")
        unseen = np.setdiff1d(numbers[1], numbers[0])
        if len(unseen):
            raise FittingRoomError(f"{path}: class '{names[unseen[0]]}' is in the test part only: add training images")
        return whole, _image_set(test_images, numbers[1], f"{path}, test_labels"), names, None
    num_test = max(len(names), round(TEST_SHARE * len(whole)))
    _check_counts(whole.labels, 3, names, path)
    train, test = split(whole, 0, num_test, purpose="test part")
    return train, test, names, whole


def _pixels(images: np.ndarray, where: str) -> np.ndarray:
    """Convert images to uint8 (N, channels, height, width)."""
    shape = images.shape
    if images.ndim == 3:
        images = images[:, np.newaxis]
    elif images.ndim == 4 and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape[1:]:
        raise FittingRoomError(
            f"{where} has shape {shape}: give (N, height, width) or (N, height, width, 3), grey or RGB"
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


def _labels(labels: np.ndarray, where: str) -> np.ndarray:
    """Check labels and convert them to int64 numbers or to text."""
    if labels.ndim != 1 or labels.dtype.kind not in "iuUS" or not len(labels):
        raise FittingRoomError(f"{where} are {labels.dtype} {labels.shape}: give one whole number or name per image")
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)


def _classes(parts: list[np.ndarray], names: np.ndarray | None, path: Path) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """The class names, and the labels of each part as numbers. All parts share one mapping."""
    if len({part.dtype.kind for part in parts}) > 1:
        raise FittingRoomError(
            f"{path}: labels and test_labels differ in kind: give numbers for both, or names for both"
        )
    present = np.unique(np.concatenate(parts))
    if len(present) < 2:
        raise FittingRoomError(f"{path} holds only one class: give images of two or more classes")
    if names is None:
        return tuple(map(str, present.tolist())), [np.searchsorted(present, part) for part in parts]
    known = _class_names(names, path)
    if present.dtype.kind == "U":
        unknown = sorted(set(present.tolist()) - set(known))
        if unknown:
            raise FittingRoomError(f"{path}: label '{unknown[0]}' is not in class_names ({', '.join(known)}): add it")
        number = {name: place for place, name in enumerate(known)}
        return known, [np.array([number[name] for name in part.tolist()]) for part in parts]
    if present[0] < 0 or present[-1] >= len(known):
        raise FittingRoomError(
            f"{path}: labels run from {present[0]} to {present[-1]}, class_names has {len(known)}: "
            "give one name per label, label 0 first"
        )
    return known, parts


def _class_names(names: np.ndarray, path: Path) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "iuUS":
        raise FittingRoomError(f"{path}: class_names are {names.dtype} {names.shape}: give a list of names")
    known = tuple(map(str, (np.char.decode(names, "utf-8", "replace") if names.dtype.kind == "S" else names).tolist()))
    twice = [name for name in known if known.count(name) > 1]
    if twice:
        raise FittingRoomError(f"{path}: class_names holds '{twice[0]}' twice: give each class its own name")
    return known


def _check_counts(labels: torch.Tensor, least: int, names: tuple[str, ...], path: Path) -> None:
    """Raise FittingRoomError if a class has fewer images than the parts that are drawn from it."""
    present, counts = (column.tolist() for column in labels.unique(return_counts=True))
    count, label = min(zip(counts, present, strict=True))
    if count < least:
        parts = "a training, a validation and a test part" if least > 2 else "a training and a validation part"
        raise FittingRoomError(
            f"{path}: class '{names[label]}' has {count} of {len(labels)} images, too few for {parts}: add images of that class"
        )


def _image_set(images: np.ndarray, labels: np.ndarray, where: str) -> ImageSet:
    if len(images) != len(labels):
        raise FittingRoomError(f"{where}: {len(labels)} labels for {len(images)} images: give one label per image")
    return ImageSet(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)), torch.arange(len(labels)))


def _statistics(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, with pixels scaled to 0..1. A constant channel gets deviation 1."""
    pixels = images.transpose(0, 1).flatten(1)
    means = [float(channel.double().mean() / 255) for channel in pixels]
    stds = [float(channel.double().std(correction=0) / 255) for channel in pixels]
    return tuple(round(mean, 6) for mean in means), tuple(round(std, 6) or 1.0 for std in stds)
