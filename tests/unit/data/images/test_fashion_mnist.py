"""Where Fashion-MNIST is found, how it is verified, and that its test split is sealed. Bad files: tests/faults."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import fashion_mnist
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.images.fashion_mnist import RELEASE, SPEC, open_fashion_mnist
from fittingroom.data.spec import digests


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept the given folder without checks: the tiny files have other checksums."""
    monkeypatch.setattr(fashion_mnist, "find", lambda data_dir: data_dir)


@pytest.fixture
def empty_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Unset FITTINGROOM_DATA and make an empty cache. Returns the folder of the cache."""
    monkeypatch.delenv("FITTINGROOM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder("fashion-mnist")


def test_the_cache_follows_xdg_and_defaults_to_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert cache_folder("fashion-mnist") == Path("/some/cache/fittingroom/fashion-mnist")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("fashion-mnist") == tmp_path / ".cache/fittingroom/fashion-mnist"


def test_the_places_are_tried_in_the_promised_order(tiny, empty_places: Path, monkeypatch, tmp_path: Path) -> None:
    named, by_variable, package = tmp_path / "named", tmp_path / "by variable", tmp_path / "package"
    release = dataclasses.replace(tiny.release, system_folder=package)
    for folder in (package, empty_places, by_variable, named):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(tiny.folder)
        if folder == by_variable:
            monkeypatch.setenv("FITTINGROOM_DATA", str(by_variable))
        data_dir = named if folder == named else None
        assert fashion_mnist.find(data_dir, release) == folder


def test_an_empty_variable_counts_as_unset(tiny, empty_places: Path, monkeypatch) -> None:
    monkeypatch.setenv("FITTINGROOM_DATA", "")
    release = dataclasses.replace(tiny.release, system_folder=tiny.folder)
    assert fashion_mnist.find(None, release) == tiny.folder


def test_an_archive_packed_anew_is_accepted_by_its_content(tiny) -> None:
    files = tuple(dataclasses.replace(file, archives=("0" * 64,)) for file in tiny.release.files)
    release = dataclasses.replace(tiny.release, files=files)
    assert fashion_mnist.find(tiny.folder, release) == tiny.folder


def test_train_images_come_as_bytes_with_labels_and_positions(tiny) -> None:
    train = fashion_mnist.load_train(tiny.folder)
    assert train.images.dtype == torch.uint8
    assert train.images.shape == (30, 1, 28, 28)
    np.testing.assert_array_equal(train.images[:, 0].numpy(), tiny.train_images)
    assert train.labels.dtype == torch.int64
    assert train.labels.tolist() == list(range(10)) * 3
    assert train.index.tolist() == list(range(30))


def test_the_test_split_opens_with_a_reason_in_the_log(tiny, unverified: None) -> None:
    reasons: list[str] = []
    test = open_fashion_mnist(tiny.folder).open_test(reasons.append, "final epoch")
    assert reasons == ["final epoch"]
    np.testing.assert_array_equal(test.read(torch.arange(len(test)))[:, 0].numpy(), tiny.test_images)


def test_a_log_that_refuses_keeps_the_test_split_shut(tmp_path: Path, unverified: None) -> None:
    def refuse(why: str) -> None:
        raise PermissionError(why)

    # The folder is empty, so opening a file before calling the log would raise a different error.
    with pytest.raises(PermissionError, match="peeking"):
        open_fashion_mnist(tmp_path).open_test(refuse, "peeking")


def test_an_empty_reason_does_not_open_the_test_split(tiny, unverified: None) -> None:
    with pytest.raises(AssertionError, match="say why"):
        open_fashion_mnist(tiny.folder).open_test(lambda why: None, " ")


def test_a_split_leaves_out_copies_of_test_images_whatever_their_labels(tiny) -> None:
    train, test = fashion_mnist.load_train(tiny.folder), fashion_mnist.load_test(tiny.folder)
    others = dataclasses.replace(test, labels=test.labels.flip(0))
    spec = dataclasses.replace(SPEC, num_val=10)
    parts = [
        ImageData(spec=spec, load_train=lambda: train, load_test=lambda held=held: held) for held in (test, others)
    ]
    first, second = (each.split(seed=0) for each in parts)
    kept = [*first.train.index.tolist(), *first.val.index.tolist()]
    assert 4 not in kept, "train image 4 is in test as image 7"
    assert not frozenset(first.train.digests()) & frozenset(digests(tiny.test_images))
    for one, other in ((first.train, second.train), (first.val, second.val)):
        assert torch.equal(one.index, other.index)


def test_files_that_do_not_belong_together_are_named(tiny) -> None:
    images, labels = (tiny.folder / f"train-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    right_labels = labels.read_bytes()
    labels.write_bytes((tiny.folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(FittingRoomError, match=r"train-labels.*one label 0\.\.9 for each of 30 images"):
        fashion_mnist.load_train(tiny.folder)
    images.write_bytes(right_labels)
    with pytest.raises(FittingRoomError, match=r"train-images.*not images of 28 x 28"):
        fashion_mnist.load_train(tiny.folder)


def test_the_real_files_have_the_published_content_and_the_known_archives_unpack_to_it() -> None:
    folder = fashion_mnist.find()
    by_content = tuple(dataclasses.replace(file, archives=()) for file in RELEASE.files)
    assert fashion_mnist.faults_in(folder, dataclasses.replace(RELEASE, files=by_content)) == {}
    assert fashion_mnist.faults_in(folder) == {}


def test_mean_and_deviation_of_the_spec_are_those_of_the_train_images() -> None:
    train = fashion_mnist.load_train(fashion_mnist.find())
    share = train.images.flatten().bincount(minlength=256).double() / train.images.numel()
    value = torch.arange(256).double() / 255
    mean = (share * value).sum()
    std = (share * (value - mean) ** 2).sum().sqrt()
    assert SPEC.mean == (pytest.approx(mean.item(), abs=5e-5),)
    assert SPEC.std == (pytest.approx(std.item(), abs=5e-5),)
    assert SPEC.num_classes == 10
    assert train.images.shape == (60_000, SPEC.channels, SPEC.height, SPEC.width)
