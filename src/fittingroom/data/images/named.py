"""Data sets by name that are downloaded from their makers: mnist, kmnist, cifar10. Checksums are verified.

Fashion-MNIST has a file of its own, because Debian packs its files differently.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import cache_folder
from fittingroom.data.images import idx
from fittingroom.data.images.arrays import data_of_arrays, digest_of
from fittingroom.data.images.dataset import ImageData, image_data
from fittingroom.data.images.download import DownloadError, download, file_sha256

Arrays = dict[str, np.ndarray]
IDX_FILES = {
    "images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte", "test_labels": "t10k-labels-idx1-ubyte",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Published:
    """A data set on the network."""

    name: str
    title: str
    files: dict[str, str]
    """File name -> sha256, hex."""
    mirrors: tuple[str, ...]
    """Base URLs, the official one first."""
    class_names: tuple[str, ...]
    read: Callable[[Path], Arrays]
    """The arrays in a folder that holds the files."""


def read_idx(folder: Path) -> Arrays:
    """The arrays in four idx files, gzipped or not. Raises FittingRoomError naming the file and its fault."""
    found = {}
    for key, name in IDX_FILES.items():
        packed = folder / f"{name}.gz"
        if key == "test_images" and not packed.exists() and not (folder / name).exists():
            break  # no test part
        found[key] = idx.read(packed) if packed.exists() else idx.read_plain(folder / name)
    return found


def has_idx(folder: Path) -> bool:
    """Whether a folder holds training images as an idx file."""
    return any(os.path.isfile(folder / f"{IDX_FILES['images']}{ending}") for ending in ("", ".gz"))


def open_idx(folder: Path) -> ImageData:
    """Open a folder of idx files. Raises FittingRoomError naming the file and its fault."""
    names = [folder / f"{name}{ending}" for name in IDX_FILES.values() for ending in ("", ".gz")]
    return data_of_arrays(read_idx(folder), folder, digest_of([each for each in names if each.is_file()]))


def read_cifar(folder: Path) -> Arrays:
    """The arrays in cifar-10-binary.tar.gz: a byte for the label, then 3 x 32 x 32 bytes, 10,000 times in each of six files."""
    archive = folder / "cifar-10-binary.tar.gz"
    parts = {"": [f"data_batch_{number}.bin" for number in range(1, 6)], "test_": ["test_batch.bin"]}
    found: Arrays = {}
    try:
        with tarfile.open(archive) as tar:
            members = {Path(each.name).name: each for each in tar.getmembers() if each.isfile()}
            content = {name: tar.extractfile(members[name]) for names in parts.values() for name in names}
            read = {name: file.read() for name, file in content.items() if file is not None}
        for prefix, names in parts.items():
            records = np.concatenate(
                [np.frombuffer(read[name], np.uint8).reshape(-1, 1 + 3 * 32 * 32) for name in names]
            )
            found[f"{prefix}images"] = np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32)
            found[f"{prefix}labels"] = records[:, 0].astype(np.int64)
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise FittingRoomError(f"{archive} is damaged ({error}): {idx.MEND}") from error
    return found


MNIST = Published(
    name="mnist",
    title="MNIST",
    files={
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    class_names=tuple("0123456789"),
    read=read_idx,
)
KMNIST = Published(
    name="kmnist",
    title="KMNIST",
    files={
        "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    },
    mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    read=read_idx,
)
CIFAR10 = Published(
    name="cifar10",
    title="CIFAR-10",
    files={"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    read=read_cifar,
)


@image_data("mnist")
def open_mnist(data_dir: Path | None = None) -> ImageData:
    """Find or download MNIST (LeCun et al. 1998)."""
    return open_published(MNIST, data_dir)


@image_data("kmnist")
def open_kmnist(data_dir: Path | None = None) -> ImageData:
    """Find or download Kuzushiji-MNIST (arXiv 1812.01718)."""
    return open_published(KMNIST, data_dir)


@image_data("cifar10")
def open_cifar10(data_dir: Path | None = None) -> ImageData:
    """Find or download CIFAR-10 (Krizhevsky 2009)."""
    return open_published(CIFAR10, data_dir)


def open_published(what: Published, data_dir: Path | None = None) -> ImageData:
    """Open a data set from `data_dir`, the cache or the network. Raises FittingRoomError if its files are nowhere, or altered."""
    folder = find(what, data_dir)
    arrays = {**what.read(folder), "class_names": np.array(what.class_names)}
    digest = _digest(what)
    return data_of_arrays(arrays, folder / what.name, digest, what.name, what.title)


def find(what: Published, data_dir: Path | None = None) -> Path:
    """A folder with all files, verified. Without `data_dir` that is the cache, into which missing files are downloaded."""
    if data_dir is not None:
        folder = data_dir.expanduser()
        for name, sha256 in what.files.items():
            if not (folder / name).is_file():
                raise FittingRoomError(
                    f"{folder / name} is missing: put {', '.join(what.files)} there, or omit --data-dir"
                )
            if file_sha256(folder / name) != sha256:
                raise FittingRoomError(
                    f"{folder / name} is altered (its checksum differs from the published one): {idx.MEND}"
                )
        return folder
    folder = cache_folder(what.name)
    for name, sha256 in what.files.items():
        try:
            download([mirror + name for mirror in what.mirrors], folder / name, sha256)
        except DownloadError as error:
            raise FittingRoomError(
                f"no {what.title} here, and {error}: pass --data-dir DIR with {', '.join(what.files)}, or put them into {folder}"
            ) from error
    return folder


def _digest(what: Published) -> str:
    return hashlib.sha256("".join(what.files.values()).encode()).hexdigest()[:12]
