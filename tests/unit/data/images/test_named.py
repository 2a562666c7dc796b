"""Data sets by name from a server on this machine, with the layout of the official files; idx folders and .npy files."""

import functools
import gzip
import hashlib
import io
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.arrays import open_array_files
from fittingroom.data.images.load import is_images, is_pictures, open_images
from fittingroom.data.images.named import CIFAR10, KMNIST, MNIST, Published, find, open_published

pytestmark = pytest.mark.thorough


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL under which it is served. The cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def write_mnist(folder: Path, pack: Callable[[bytes], bytes] = gzip.compress, ending: str = ".gz") -> None:
    draw = np.random.default_rng(0)
    for prefix, number in (("train", 60), ("t10k", 20)):
        images = draw.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        labels = (np.arange(number) % 10).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte{ending}").write_bytes(pack(idx_bytes(images)))
        (folder / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(pack(idx_bytes(labels)))


def write_cifar(folder: Path) -> np.ndarray:
    """Six files of ten records; returns the first image of the first file."""
    draw = np.random.default_rng(0)
    first = None
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
            records = draw.integers(0, 256, (10, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(10)
            first = records[0, 1:].reshape(3, 32, 32) if first is None else first
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records.nbytes
            tar.addfile(member, io.BytesIO(records.tobytes()))
    assert first is not None
    return first


def from_here(what: Published, folder: Path, url: str) -> Published:
    """The data set with the checksums of the files in the folder, and the server as its only mirror."""
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in what.files}
    return replace(what, files=files, mirrors=(url,))


@pytest.mark.parametrize("what", [MNIST, KMNIST], ids=["mnist", "kmnist"])
def test_idx_sets_are_downloaded_verified_and_opened(served: tuple[Path, str], what: Published) -> None:
    folder, url = served
    write_mnist(folder)
    data = open_published(from_here(what, folder, url))
    assert (data.spec.name, data.spec.source, data.spec.class_names) == (what.name, what.name, what.class_names)
    assert data.spec.image_shape == (1, 28, 28) and (len(data.load_train()), data.spec.num_test) == (60, 20)


def test_cifar10_is_downloaded_verified_and_opened(served: tuple[Path, str]) -> None:
    folder, url = served
    first = write_cifar(folder)
    data = open_published(from_here(CIFAR10, folder, url))
    assert data.spec.image_shape == (3, 32, 32) and data.spec.class_names[9] == "truck"
    train = data.load_train()
    assert len(train) == 50 and train.labels[:10].tolist() == list(range(10))
    assert np.array_equal(train.read(train.index[:1])[0].numpy(), first)


def test_the_second_time_the_network_is_not_asked(served: tuple[Path, str]) -> None:
    folder, url = served
    write_mnist(folder)
    what = from_here(MNIST, folder, url)
    place = find(what)
    for file in folder.iterdir():
        file.unlink()
    assert find(what) == place


def test_an_altered_download_is_refused(served: tuple[Path, str]) -> None:
    folder, url = served
    write_mnist(folder)
    what = from_here(MNIST, folder, url)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(FittingRoomError, match=r"no MNIST here, and cannot download t10k-labels.*altered file"):
        open_published(what)


def test_files_of_the_user_are_verified(served: tuple[Path, str]) -> None:
    folder, url = served
    write_mnist(folder)
    what = replace(from_here(MNIST, folder, url), mirrors=())
    assert open_published(what, folder).spec.num_test == 20
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(FittingRoomError, match=r"t10k-labels-idx1-ubyte.gz is altered"):
        find(what, folder)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FittingRoomError, match=r"t10k-labels-idx1-ubyte.gz is missing"):
        find(what, folder)


def test_a_damaged_cifar_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    with pytest.raises(FittingRoomError, match=r"cifar-10-binary.tar.gz is damaged"):
        CIFAR10.read(tmp_path)


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, ".gz"), (bytes, "")], ids=["packed", "plain"])
def test_a_folder_of_idx_files_is_a_data_set(tmp_path: Path, pack: Callable[[bytes], bytes], ending: str) -> None:
    write_mnist(tmp_path, pack, ending)
    assert is_images(str(tmp_path)) and not is_pictures(str(tmp_path))
    data = open_images(str(tmp_path))
    assert data.spec.class_names == tuple("0123456789") and (len(data.load_train()), data.spec.num_test) == (60, 20)
    (tmp_path / f"train-labels-idx1-ubyte{ending}").unlink()
    with pytest.raises(FittingRoomError, match=r"train-labels-idx1-ubyte.* is missing"):
        open_images(str(tmp_path / "."))


def test_npy_files_have_their_labels_beside_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "mine_images.npy", images)
    with pytest.raises(FittingRoomError, match=r"mine_labels.npy is missing: save images.npy and labels.npy"):
        open_images(str(tmp_path / "mine_images.npy"))
    np.save(tmp_path / "mine_labels.npy", np.arange(40) % 2)
    data = open_array_files(tmp_path / "mine_images.npy")
    assert data.spec.image_shape == (3, 6, 5) and data.spec.num_test == 8
    np.save(tmp_path / "test_mine_images.npy", images[:6] + 1)
    np.save(tmp_path / "test_mine_labels.npy", np.arange(6) % 2)
    assert open_array_files(tmp_path / "mine_images.npy").spec.num_test == 6
    (tmp_path / "labels.npy").write_bytes(b"damaged")
    np.save(tmp_path / "x.npy", images)
    with pytest.raises(FittingRoomError, match=r"labels.npy is damaged"):
        open_images(str(tmp_path / "x.npy"))
