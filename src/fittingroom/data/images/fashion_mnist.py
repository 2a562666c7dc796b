"""Find and verify Fashion-MNIST (arXiv 1708.07747), and seal its test split.

The data set has 60,000 training and 10,000 test images of clothes: 28 x 28 grey pixels, ten classes, four gzipped IDX files.
Debian compresses the same files differently, so a file is accepted if its content is correct. The sha256 of a known archive
proves that quickly; for other archives, the sha256 of the unpacked bytes decides.
"""

import hashlib
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import idx
from fittingroom.data.images.dataset import ImageData, image_data
from fittingroom.data.images.download import DownloadError, download
from fittingroom.data.spec import DataSpec, ImageSet, Preprocessing


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of the data set and its checksums (sha256, hex)."""

    name: str
    content: str
    """Checksum of the unpacked bytes."""
    archives: tuple[str, ...]
    """Checksums of the gzip files known to have this content. The first is the file on the mirrors."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """The files of the data set and the places to look for them."""

    files: tuple[DataFile, ...]
    mirrors: tuple[str, ...]
    """Base URLs, starting with the official one."""
    system_folder: Path
    """The folder in which Debian's package installs the files."""


RELEASE = Release(
    files=(
        DataFile(
            name="train-images-idx3-ubyte.gz",
            content="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            archives=(
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            ),
        ),
        DataFile(
            name="train-labels-idx1-ubyte.gz",
            content="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            archives=(
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
            ),
        ),
        DataFile(
            name="t10k-images-idx3-ubyte.gz",
            content="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            archives=(
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            ),
        ),
        DataFile(
            name="t10k-labels-idx1-ubyte.gz",
            content="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            archives=(
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
            ),
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    system_folder=Path("/usr/share/datasets/fashion-mnist"),
)


SPEC = DataSpec(
    name="fashion-mnist",
    title="Fashion-MNIST",
    source="fashion-mnist",
    digest=hashlib.sha256("".join(file.content for file in RELEASE.files).encode()).hexdigest()[:12],
    class_names=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    channels=1,
    height=28,
    width=28,
    mean=(0.2860,),
    std=(0.3530,),
    num_val=5_000,
    num_test=10_000,
    preprocessing=Preprocessing(bright_ground="invert"),
)  # fmt: skip


@image_data("fashion-mnist")
def open_fashion_mnist(data_dir: Path | None = None) -> ImageData:
    """Find, verify and open Fashion-MNIST. Raises FittingRoomError as `find` does."""
    folder = find(data_dir)
    return ImageData(spec=SPEC, load_train=lambda: load_train(folder), load_test=lambda: load_test(folder))


def find(data_dir: Path | None = None, release: Release = RELEASE) -> Path:
    """Find a folder with all four files and verify them.

    `data_dir` or else FITTINGROOM_DATA names the only folder to search. Without them, the order is: the user's cache, Debian's
    package, a download into the cache. A damaged file in the cache is deleted and downloaded again, with a note on standard
    error. Raises FittingRoomError that names the bad file, or lists all ways to get the data if none works.
    """
    named = data_dir or os.environ.get("FITTINGROOM_DATA")
    if named:
        return _demand(Path(named).expanduser(), release)
    cache = cache_folder("fashion-mnist")
    faults = faults_in(cache, release)
    if not faults:
        return cache
    _drop_damaged(faults)
    faults = faults_in(release.system_folder, release)
    if not faults:
        return release.system_folder
    for path in _damaged(faults):
        _notice(f"{path} {faults[path]}: not used")
    _fetch_missing(cache, release)
    return cache


def faults_in(folder: Path, release: Release = RELEASE) -> dict[Path, str]:
    """The missing or wrong files of the release in `folder`, with their faults. Empty if all files are correct."""
    faults = {folder / file.name: fault_of(folder / file.name, file) for file in release.files}
    return {path: fault for path, fault in faults.items() if fault}


def fault_of(path: Path, file: DataFile) -> str | None:
    """The fault of the file at `path`, phrased to follow the file's name. None if the file is correct."""
    try:
        raw = idx.read_bytes(path)
        if hashlib.sha256(raw).hexdigest() in file.archives:
            return None
        content = idx.unpack(raw)
        if hashlib.sha256(content).hexdigest() == file.content:
            return None
        idx.parse(content)
    except idx.BadContent as error:
        return str(error)
    return "is altered or belongs to another data set (its checksum differs from the published one)"


def load_train(folder: Path) -> ImageSet:
    """The 60,000 training images and labels, in the order of the file."""
    return _load(folder, "train")


def load_test(folder: Path) -> ImageSet:
    """The 10,000 test images and labels. To open them, call `ImageData.open_test`, which logs the read."""
    return _load(folder, "t10k")


def _load(folder: Path, prefix: str) -> ImageSet:
    image_path, label_path = folder / f"{prefix}-images-idx3-ubyte.gz", folder / f"{prefix}-labels-idx1-ubyte.gz"
    images, labels = idx.read(image_path), idx.read(label_path)
    if images.shape != (len(images), SPEC.height, SPEC.width):
        raise FittingRoomError(f"{image_path} holds shape {images.shape}, not images of 28 x 28 pixels: {idx.MEND}")
    if labels.shape != (len(images),) or labels.max(initial=0) >= SPEC.num_classes:
        raise FittingRoomError(
            f"{label_path} does not hold one label 0..9 for each of {len(images)} images: {idx.MEND}"
        )
    return ImageSet(
        images=torch.from_numpy(images[:, np.newaxis]),
        labels=torch.from_numpy(labels.astype(np.int64)),
        index=torch.arange(len(images)),
    )


def _demand(folder: Path, release: Release) -> Path:
    """Return the folder. Raises FittingRoomError that names its first bad file."""
    for path, fault in faults_in(folder, release).items():
        if path.exists():
            raise FittingRoomError(f"{path} {fault}: {idx.MEND}")
        names = ", ".join(file.name for file in release.files)
        raise FittingRoomError(
            f"{path} {fault}: put the four files ({names}) into {folder}, or omit --data-dir and FITTINGROOM_DATA"
        )
    return folder


def _damaged(faults: dict[Path, str]) -> list[Path]:
    """The bad files that exist."""
    return [path for path in faults if path.exists()]


def _drop_damaged(faults: dict[Path, str]) -> None:
    for path in _damaged(faults):
        _notice(f"{path} {faults[path]}: deleting it to download it again")
        with suppress(OSError):  # A file that cannot be deleted is not used either.
            path.unlink()


def _fetch_missing(cache: Path, release: Release) -> None:
    try:
        for file in release.files:
            if fault_of(cache / file.name, file):
                download([mirror + file.name for mirror in release.mirrors], cache / file.name, file.archives[0])
    except DownloadError as error:
        raise FittingRoomError(
            f"Fashion-MNIST is not on this machine, and {error}: install it with `apt-get install dataset-fashion-mnist`, or "
            f"pass --data-dir DIR (or set FITTINGROOM_DATA) with the four .gz files, or put them into {cache}"
        ) from error


def _notice(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
