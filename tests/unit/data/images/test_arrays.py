"""Images from .npz files and from arrays in memory: every layout, one map from labels to classes, and clear refusals."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.arrays import open_arrays_file, save_arrays
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.images.load import open_images

HEIGHT, WIDTH = 6, 5


def draw_images(number: int = 40, *shape: int, seed: int = 0) -> np.ndarray:
    """Random pixels, grey unless a shape is given."""
    return np.random.default_rng(seed).integers(0, 256, (number, *(shape or (HEIGHT, WIDTH))), dtype=np.uint8)


def labels_of(number: int = 40, num_classes: int = 2) -> np.ndarray:
    return np.arange(number) % num_classes


def write(folder: Path, **arrays: Any) -> Path:
    """The arrays as mine.npz; grey images and labels 0, 1 unless given; None leaves one out."""
    values = {"images": draw_images(), "labels": labels_of(), **arrays}
    path = folder / "mine.npz"
    np.savez(path, **{key: value for key, value in values.items() if value is not None})
    return path


def whole(data: ImageData) -> tuple[Any, Any]:
    """The training file and the test part."""
    return data.load_train(), data.load_test()


# What is read


@pytest.mark.parametrize(
    ("images", "channels"),
    [
        (draw_images(), 1),
        (draw_images(40, HEIGHT, WIDTH, 1), 1),
        (draw_images(40, 1, HEIGHT, WIDTH), 1),
        (draw_images(40, HEIGHT, WIDTH, 3), 3),
        (draw_images(40, 3, HEIGHT, WIDTH), 3),
        (np.asfortranarray(draw_images(40, HEIGHT, WIDTH, 3)), 3),
    ],
    ids=["grey", "grey, channel last", "grey, channel first", "RGB", "RGB, channels first", "RGB in Fortran order"],
)
def test_every_layout_becomes_channels_first(tmp_path: Path, images: np.ndarray, channels: int) -> None:
    data = open_arrays_file(write(tmp_path, images=images))
    train, test = whole(data)
    assert data.spec.image_shape == (channels, HEIGHT, WIDTH) == tuple(train.images.shape[1:])
    assert data.spec.num_test == len(test) == 8 and len(train) == 32
    first = images if images.ndim == 3 else images.transpose(0, 3, 1, 2) if images.shape[3] in (1, 3) else images
    restored = np.empty((40, channels, HEIGHT, WIDTH), dtype=np.uint8)
    for part in (train, test):
        restored[part.index] = part.images
    np.testing.assert_array_equal(restored, first.reshape(restored.shape))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_floats_from_0_to_1_are_the_same_images(tmp_path: Path, dtype: Any) -> None:
    train, _ = whole(open_arrays_file(write(tmp_path, images=(draw_images() / 255).astype(dtype))))
    expected, _ = whole(open_arrays_file(write(tmp_path)))
    assert torch.equal(train.images, expected.images)


def test_labels_that_are_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    data = open_arrays_file(write(tmp_path, labels=np.array([30, -2])[labels_of()]))
    train, _ = whole(data)
    assert data.spec.class_names == ("-2", "30")
    assert train.labels.tolist() == [1 - position % 2 for position in train.index.tolist()]


@pytest.mark.parametrize("kind", ["U", "S"], ids=["text", "bytes"])
def test_labels_that_are_names_are_classes_in_alphabetical_order(tmp_path: Path, kind: str) -> None:
    data = open_arrays_file(write(tmp_path, labels=np.array(["pear", "fig"])[labels_of()].astype(kind)))
    train, _ = whole(data)
    assert data.spec.class_names == ("fig", "pear")
    assert train.labels.tolist() == [1 - position % 2 for position in train.index.tolist()]


@pytest.mark.parametrize("labels", [labels_of(), np.array(["pear", "fig"])[labels_of()]], ids=["numbers", "names"])
def test_class_names_say_the_order_also_of_names(tmp_path: Path, labels: np.ndarray) -> None:
    data = open_arrays_file(write(tmp_path, labels=labels, class_names=["pear", "fig", "plum"]))
    train, _ = whole(data)
    assert data.spec.class_names == ("pear", "fig", "plum")
    assert train.labels.tolist() == [position % 2 for position in train.index.tolist()]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64])
def test_any_whole_number_type_will_do_also_a_different_one_in_the_test_part(tmp_path: Path, dtype: Any) -> None:
    own = {"test_images": draw_images(6, seed=1), "test_labels": labels_of(6).astype(dtype)}
    train, test = whole(open_arrays_file(write(tmp_path, **own)))
    assert train.labels.dtype == test.labels.dtype == torch.int64
    assert test.labels.tolist() == labels_of(6).tolist()


def test_a_test_part_of_its_own_is_the_test_part_and_all_images_train(tmp_path: Path) -> None:
    own = {"test_images": draw_images(6, seed=1), "test_labels": np.array(["b"] * 6)}
    data = open_arrays_file(write(tmp_path, labels=np.array(["c", "b"])[labels_of()], **own))
    train, test = whole(data)
    assert len(train) == 40 and data.spec.num_test == len(test) == 6
    assert data.spec.class_names == ("b", "c") and test.labels.tolist() == [0] * 6  # one map: b is 0 in both
    np.testing.assert_array_equal(test.images[:, 0], own["test_images"])


@given(
    counts=st.lists(st.integers(10, 60), min_size=2, max_size=5),
    seeds=st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)),
)
@settings(max_examples=25)
def test_the_drawn_test_part_is_a_fifth_of_each_class_and_the_same_for_every_seed(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], seeds: tuple[int, int]
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.zeros((len(labels), 2, 2), dtype=np.uint8)
    images[:, 0] = np.stack([np.arange(len(labels)) // 256, np.arange(len(labels)) % 256], axis=1)
    path = write(tmp_path_factory.mktemp("data"), images=images, labels=labels)
    parts = []
    for seed in seeds:
        torch.manual_seed(seed)
        split, reasons = open_arrays_file(path).split(seed), []
        test = split.open_test(reasons.append, "test")
        assert reasons == ["test"]
        assert len(split.val) == split.spec.num_val and len(test) == split.spec.num_test == round(0.2 * len(labels))
        assert sorted([*split.train.index.tolist(), *split.val.index.tolist(), *test.index.tolist()]) == list(
            range(len(labels))
        )
        parts.append(test)
        for label, count in enumerate(counts):
            assert abs(int((test.labels == label).sum()) - 0.2 * count) < 1
    assert torch.equal(parts[0].index, parts[1].index) and torch.equal(parts[0].images, parts[1].images)


@pytest.mark.parametrize("own", [False, True], ids=["drawn test part", "test part of its own"])
def test_no_copy_of_a_test_image_trains(tmp_path: Path, own: bool) -> None:
    images = np.concatenate([draw_images(60), draw_images(60)[:12]])
    arrays = {"test_images": images[:9], "test_labels": labels_of(9)} if own else {}
    data = open_arrays_file(write(tmp_path, images=images, labels=np.tile(labels_of(12), 6), **arrays))
    for seed in range(3):
        split = data.split(seed)
        held_back = {*split.val.digests(), *data.load_test().digests()}
        assert not held_back & set(split.train.digests())


def test_mean_and_deviation_are_those_of_the_training_file_by_channel(tmp_path: Path) -> None:
    images = draw_images(40, HEIGHT, WIDTH, 3)
    images[..., 1] //= 4
    data = open_arrays_file(write(tmp_path, images=images))
    train, _ = whole(data)
    pixels = train.images.numpy().astype(np.float64) / 255
    assert data.spec.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-6)
    assert data.spec.std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-6)
    assert data.spec.std[1] < data.spec.std[0] / 3


def test_a_channel_without_variation_has_deviation_1(tmp_path: Path) -> None:
    images = draw_images(40, HEIGHT, WIDTH, 3)
    images[..., 2] = 51
    spec = open_arrays_file(write(tmp_path, images=images)).spec
    assert spec.mean[2] == pytest.approx(0.2) and spec.std[2] == 1.0 and spec.std[0] < 0.5


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    path = write(tmp_path)
    first = open_images(str(path)).spec
    assert first.name == first.title == "mine" and first.source == str(path) and len(first.digest) == 12
    assert open_images(str(path)).spec.digest == first.digest
    write(tmp_path, images=draw_images(seed=1), extra=np.zeros(3))
    assert open_images(str(path)).spec.digest != first.digest  # a file that changed is opened again


# What is refused


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": None}, "mine.npz holds no array 'images' (labels): save it with np.savez"),
        ({"labels": None}, "mine.npz holds no array 'labels' (images): save it with np.savez"),
        ({"images": None, "labels": None}, "holds no array 'images' (nothing)"),
        ({"images": np.array(3)}, "images has shape (): give (N, height, width)"),
        ({"images": draw_images()[0]}, "images has shape (6, 5)"),
        ({"images": draw_images(40, HEIGHT, WIDTH, 4)}, "images has shape (40, 6, 5, 4)"),
        ({"images": draw_images(40, 1, 1, HEIGHT, WIDTH)}, "images has shape (40, 1, 1, 6, 5)"),
        ({"images": draw_images()[:, :0]}, "images has shape (40, 0, 5)"),
        ({"images": draw_images().astype(np.int16)}, "images holds int16 values: give uint8 pixels"),
        ({"images": draw_images() > 9}, "images holds bool values"),
        ({"images": draw_images().astype(str)}, "images holds <U3 values"),
        ({"images": draw_images() / 254}, "images holds float64 values: give uint8 pixels 0 to 255, or floats from 0 to 1"),
        ({"images": draw_images() / 255 - 1}, "images holds float64 values"),
        ({"images": np.full((40, 6, 5), np.nan)}, "images holds float64 values"),
        ({"images": draw_images(0), "labels": labels_of(0)}, "labels are int64 (0,)"),
        ({"labels": labels_of(39)}, "labels: 39 labels for 40 images: give one label per image"),
        ({"labels": np.array(1)}, "labels are int64 (): give one whole number or name per image"),
        ({"labels": np.eye(2, dtype=int)[labels_of()]}, "labels are int64 (40, 2)"),
        ({"labels": labels_of() / 1}, "labels are float64 (40,)"),
        ({"labels": labels_of() > 0}, "labels are bool (40,)"),
        ({"labels": np.array(["a", None] * 20)}, "Object arrays cannot be loaded"),
        ({"images": np.array([None, 1])}, "Object arrays cannot be loaded"),
        ({"labels": labels_of() * 0}, "holds only one class: give images of two or more classes"),
        ({"labels": labels_of() * 0, "class_names": ["a", "b"]}, "holds only one class"),
        ({"labels": np.arange(40) // 39}, "class '1' has 1 of 40 images, too few"),
        ({"labels": np.arange(40) // 38}, "class '1' has 2 of 40 images, too few"),
        ({"labels": np.array(["a", "b"])[np.arange(40) // 38]}, "class 'b' has 2 of 40 images, too few"),
        ({"images": draw_images(4), "labels": labels_of(4)}, "class '0' has 2 of 4 images, too few"),
        ({"class_names": ["a"]}, "labels run from 0 to 1, class_names has 1"),
        ({"labels": labels_of() - 1, "class_names": ["a", "b"]}, "labels run from -1 to 0, class_names has 2"),
        ({"class_names": "ab"}, "class_names are <U2 (): give a list of names"),
        ({"class_names": [["a"], ["b"]]}, "class_names are <U1 (2, 1): give a list of names"),
        ({"class_names": ["a", "a"]}, "class_names holds 'a' twice"),
        ({"labels": np.array(["a", "b"])[labels_of()], "class_names": ["a", "c"]}, "label 'b' is not in class_names (a, c)"),
        ({"test_images": draw_images(6)}, "holds test_images but no test_labels: save both, or neither"),
        ({"test_labels": labels_of(6)}, "holds test_labels but no test_images: save both, or neither"),
        ({"test_images": draw_images(6), "test_labels": labels_of(5)}, "test_labels: 5 labels for 6 images"),
        ({"test_images": draw_images(6), "test_labels": labels_of(6)[:, None]}, "test_labels are int64 (6, 1)"),
        ({"test_images": draw_images(6), "test_labels": labels_of(6).astype(str)}, "test_labels differ in kind: give"),
        ({"test_images": draw_images(6), "test_labels": labels_of(6, 3)}, "class '2' is in the test part only"),
        ({"test_images": draw_images(6, 5, 5), "test_labels": labels_of(6)}, "test_images have another size"),
        ({"test_images": draw_images(6, 6, 5, 3), "test_labels": labels_of(6)}, "test_images have another size or number"),
        ({"test_images": draw_images(0), "test_labels": labels_of(0)}, "test_labels are int64 (0,)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_in_one_line_that_names_it(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    path = write(tmp_path, **arrays)
    with pytest.raises(FittingRoomError) as caught:
        open_arrays_file(path)
    message = str(caught.value)
    assert said in message and message.startswith(str(path)) and ": " in message and "\n" not in message


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "cannot be read (No such file or directory): give a file of images"),
        (lambda path: path.write_bytes(b""), "is damaged (No data left in file): save it with np.savez"),
        (lambda path: path.write_text("label,pixels\n1,2\n"), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "is damaged"),
        (lambda path: path.write_bytes(_as_npy()), "is damaged"),
    ],
    ids=["missing", "empty", "a table", "cut short", "one array"],
)
def test_a_file_that_is_no_archive_of_arrays_is_refused(
    tmp_path: Path, damage: Callable[[Path], Any], said: str
) -> None:
    path = write(tmp_path)
    damage(path)
    with pytest.raises(FittingRoomError) as caught:
        open_images(str(path))
    assert said in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def _as_npy() -> bytes:
    file = BytesIO()
    np.save(file, draw_images())
    return file.getvalue()


@given(position=st.integers(0, 2**20), flipped=st.integers(1, 255))
@settings(max_examples=40)
def test_a_flipped_byte_is_refused_in_one_line_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, position: int, flipped: int
) -> None:
    path = write(tmp_path_factory.getbasetemp())
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= flipped
    path.write_bytes(content)
    said = ""
    try:
        open_arrays_file(path)
    except FittingRoomError as error:
        said = str(error)
    assert "\n" not in said


# From memory


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Arrays are stored below the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_arrays_from_memory_are_stored_once_and_named_by_their_content(own_cache: Path) -> None:
    images, labels = draw_images(), labels_of()
    path = save_arrays(images, labels)
    assert path.is_relative_to(own_cache) and path.suffix == ".npz"
    written = path.stat().st_mtime_ns
    assert save_arrays(images.copy(order="F"), labels.tolist()) == path
    assert path.stat().st_mtime_ns == written
    changed = images.copy()
    changed[0, 0, 0] ^= 1
    others = [
        save_arrays(changed, labels),
        save_arrays(images, labels[::-1]),
        save_arrays(images, labels, ["a", "b"]),
        save_arrays(images, labels, ["b", "a"]),
        save_arrays(images.reshape(40, 5, 6), labels),
    ]
    assert len({path, *others}) == 6
    train, test = whole(open_arrays_file(path))
    assert len(train) + len(test) == 40 and open_arrays_file(others[2]).spec.class_names == ("a", "b")


def test_text_and_numbers_that_pandas_holds_as_objects_are_what_they_are() -> None:
    names = np.array(["pear", "fig"], dtype=object)[labels_of()]
    path = save_arrays(draw_images(), names, np.array(["pear", "fig"], dtype=object))
    assert path == save_arrays(draw_images(), list(names), ["pear", "fig"])
    assert open_arrays_file(path).spec.class_names == ("pear", "fig")
    numbers = save_arrays(draw_images(), labels_of().astype(object))
    assert open_arrays_file(numbers).spec.class_names == ("0", "1")


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        ([np.zeros((2, 2)), np.zeros((3, 2))], [0, 1], "images differ in size: give one array, all of one size"),
        (draw_images(2), ["a", None], "labels hold a mixture of Python objects"),
        (draw_images(2), np.array(["a", float("nan")], dtype=object), "labels hold a mixture of Python objects"),
        (np.array([object(), object()]), [0, 1], "images hold a mixture of Python objects"),
    ],
)
def test_objects_are_refused_before_anything_is_stored(own_cache: Path, images: Any, labels: Any, said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        save_arrays(images, labels)
    assert not own_cache.exists()
