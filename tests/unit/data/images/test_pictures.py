"""Pictures in files as a data set: decoding, the cache, parts, groups, split files."""

import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import cache, pictures
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.images.image_file import read_image
from fittingroom.data.images.load import open_images, reopen
from fittingroom.data.images.options import PictureOptions, option_words, parse_size, picture_options
from fittingroom.data.images.pictures import open_pictures
from fittingroom.data.images.split_file import write_split
from fittingroom.data.images.stored import PixelFile
from tests.pictures_fixture import pixels, save, write_folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place / "fittingroom" / "images"


def opened(root: Path, **options: Any) -> ImageData:
    return open_pictures(root, picture_options(**options))


def refused(root: Path, **options: Any) -> str:
    with pytest.raises(FittingRoomError) as caught:
        opened(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(data: ImageData, index: torch.Tensor) -> set[str]:
    assert data.pictures is not None
    found = data.pictures()
    return {found[place].name for place in index.tolist()}


def parts_of(data: ImageData, seed: int = 0) -> dict[str, set[str]]:
    splits = data.split(seed)
    test = splits.open_test(lambda why: None, "test")
    return {
        name: names(data, part.index) for name, part in (("train", splits.train), ("val", splits.val), ("test", test))
    }


def test_pixels_labels_and_names_belong_together(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path, number=10))
    assert (
        data.pictures is not None and data.spec.class_names == ("cat", "dog") and data.spec.image_shape == (3, 12, 12)
    )
    splits = data.split(0)
    for part in (splits.train, splits.val, data.load_test()):
        for image, label, place in zip(part.read(torch.arange(len(part))), part.labels, part.index, strict=True):
            picture = data.pictures()[int(place)]
            assert picture.label == data.spec.class_names[int(label)]
            wanted = pixels(int(label), int(Path(picture.name).stem))
            assert np.array_equal(image.permute(1, 2, 0).numpy(), wanted)


def test_mean_and_deviation_are_those_of_the_training_pixels(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path))
    train = data.load_train()
    values = train.read(torch.arange(len(train))).transpose(0, 1).flatten(1).double() / 255
    assert data.spec.mean == pytest.approx(values.mean(1).tolist(), abs=1e-6)
    assert data.spec.std == pytest.approx(values.std(1, correction=0).tolist(), abs=1e-6)


def test_a_picture_gives_the_same_image_in_training_and_in_prediction(tmp_path: Path) -> None:
    for each in range(12):
        save(tmp_path / "ab"[each % 2] / f"{each}.png", pixels(each % 2, each, (40, 30 + each)))
    for rule in ("crop", "pad", "stretch"):
        data = opened(tmp_path, resize=rule, image_size=16)
        assert data.pictures is not None
        train = data.load_train()
        for image, place in zip(train.read(torch.arange(len(train))), train.index, strict=True):
            assert torch.equal(read_image(Path(data.pictures()[int(place)].path), data.spec).pixels, image)


def test_every_kind_of_picture_is_read(tmp_path: Path) -> None:
    image = pixels(0, 0, (20, 16))
    for mode, ending in (
        ("L", "png"),
        ("P", "gif"),
        ("1", "png"),
        ("LA", "png"),
        ("RGBA", "webp"),
        ("CMYK", "tif"),
        ("RGB", "bmp"),
    ):
        save(tmp_path / "a" / f"{mode}.{ending}", image, mode)
    Image.fromarray(image[..., 0].astype(np.uint16) * 257).save(tmp_path / "a" / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image.transpose(1, 0, 2)).save(tmp_path / "a" / "turned.jpg", exif=exif)
    frames = [Image.fromarray(image), Image.fromarray(255 - image)]
    frames[0].save(tmp_path / "a" / "moving.gif", save_all=True, append_images=frames[1:])
    write_folder(tmp_path, ("b",), size=(20, 16))
    data = opened(tmp_path)
    assert data.spec.image_shape == (3, 20, 16)
    assert any("frames" in note for note in data.spec.notes)


def test_pictures_that_are_all_grey_get_one_channel(tmp_path: Path) -> None:
    root = write_folder(tmp_path, channels=1)
    save(root / "cat" / "rgb.png", np.repeat(pixels(0, 50, channels=1)[..., None], 3, axis=2))
    data = opened(root)
    assert data.spec.channels == 1
    train = data.load_train()
    assert np.array_equal(
        train.read(torch.tensor([0]))[0, 0].numpy(), np.array(Image.open(root / names_in_order(data)[0]))
    )
    assert opened(root, channels=3).spec.channels == 3
    save(root / "cat" / "colour.png", pixels(0, 51))
    assert opened(root).spec.channels == 3


def names_in_order(data: ImageData) -> list[str]:
    assert data.pictures is not None
    found = data.pictures()
    return [found[place].name for place in data.load_train().index.tolist()]


def test_sixteen_bits_are_read_with_one_white_for_the_whole_set(tmp_path: Path) -> None:
    """A dark picture of 16 bits alone could be one of 12 bits."""
    for each in range(8):
        image = pixels(each % 2, each, channels=1).astype(np.uint16)
        values = image * 257 if each else image * 8
        path = tmp_path / "ab"[each % 2] / f"{each}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(values).save(path)
    data = opened(tmp_path)
    parts = (data.load_train(), data.load_test())
    found = torch.cat([part.read(torch.arange(len(part))) for part in parts])
    assert data.pictures is not None
    order = [int(Path(data.pictures()[place].name).stem) for part in parts for place in part.index.tolist()]
    for image, number in zip(found, order, strict=True):
        wanted = pixels(number % 2, number, channels=1)
        assert image.max() < 10 if number == 0 else np.array_equal(image[0].numpy(), wanted)


@pytest.mark.parametrize("factor", [257, 16, 1])
def test_prediction_takes_the_same_white_as_training(tmp_path: Path, factor: int) -> None:
    for each in range(8):
        image = pixels(each % 2, each, channels=1).astype(np.uint16) * (factor if each else 2)
        path = tmp_path / "ab"[each % 2] / f"{each}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    for data in (opened(tmp_path), opened(tmp_path)):  # the second comes from the cache
        assert data.pictures is not None
        train = data.load_train()
        for place, index in enumerate(train.index.tolist()):
            one = read_image(Path(data.pictures()[index].path), data.spec).pixels
            np.testing.assert_array_equal(one.numpy(), train.read(torch.tensor([place]))[0].numpy())
    if factor == 16:
        Image.fromarray(np.array([[5000, 9000]], np.uint16)).save(tmp_path / "new.png")
        with pytest.raises(
            FittingRoomError, match=r"new\.png holds .* up to 9000, but 4,095 is white in the pictures of"
        ):
            read_image(tmp_path / "new.png", data.spec)


# The cache


def test_pictures_are_decoded_once(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(write_folder(tmp_path))
    monkeypatch.setattr(cache, "_decode", lambda *_: pytest.fail("decoded again"))
    again = opened(tmp_path)
    assert again.spec == first.spec and parts_of(again) == parts_of(first)
    assert opened(tmp_path, skip_bad=True).spec == first.spec, "the same pixels"
    assert sorted(each.name for each in own_cache.iterdir() if each.is_dir()) == [first.spec.digest]


@pytest.mark.parametrize("change", ["content", "name", "label", "size"])
def test_a_change_of_the_data_is_another_data_set(tmp_path: Path, change: str) -> None:
    root = write_folder(tmp_path / "x")
    before = opened(root).spec.digest
    if change == "content":
        save(root / "cat" / "0.png", pixels(1, 99))
    elif change == "name":
        (root / "cat" / "0.png").rename(root / "cat" / "zero.png")
    elif change == "label":
        (root / "cat" / "0.png").rename(root / "dog" / "new.png")
    assert (opened(root, image_size=8) if change == "size" else opened(root)).spec.digest != before


def test_a_copy_elsewhere_is_the_same_data_set(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x")
    shutil.copytree(root, tmp_path / "y", copy_function=shutil.copyfile)
    assert opened(root).spec.digest == opened(tmp_path / "y").spec.digest


def test_the_same_pictures_elsewhere_have_their_own_places_and_their_own_bad_ones(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x")
    shutil.copytree(root, tmp_path / "y")
    (tmp_path / "y" / "cat" / "bad.png").touch()
    first = opened(root)
    for _ in range(2):
        assert "1 of 21 pictures cannot be read" in refused(tmp_path / "y")
        second = opened(tmp_path / "y", skip_bad=True)
        assert second.spec.digest == first.spec.digest and len(second.spec.skipped) == 1
        assert second.spec.source == str(tmp_path / "y") and second.pictures is not None
        assert all(each.path.startswith(str(tmp_path / "y")) for each in second.pictures())
        assert opened(root).spec == first.spec


def test_what_a_killed_process_left_is_not_used(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_folder(tmp_path)
    put, left = cache._put, []

    def killed(work: Path, folder: Path) -> None:
        left.append(shutil.copytree(work, work.with_name(f"{work.name[:-4]}left.tmp")))
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(root)
    monkeypatch.setattr(cache, "_put", put)
    assert left[0].exists() and opened(root).spec.num_test == 4
    assert not left[0].exists(), "the next process tidies up"


def test_a_damaged_cache_is_made_again(tmp_path: Path, own_cache: Path) -> None:
    root = write_folder(tmp_path)
    digest = opened(root).spec.digest
    (own_cache / digest / "pixels.bin").write_bytes(b"short")
    assert len(opened(root).load_train()) == 16


@pytest.mark.parametrize("content", [None, b"", b"junk", b"{}", b"[]", b'{"format": 1}', b"half"])
@pytest.mark.parametrize("name", ["set.json", "prints.npy", "KEY.json"])
def test_a_part_of_the_cache_that_is_damaged_is_made_again(
    tmp_path: Path, own_cache: Path, name: str, content: bytes | None
) -> None:
    root = write_folder(tmp_path)
    first = opened(root).spec
    (key,) = own_cache.glob("*.json")
    path = key if name == "KEY.json" else own_cache / first.digest / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content == b"half" else content)
    assert opened(root).spec == first


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    assert "cannot write the decoded pictures" in refused(write_folder(tmp_path))


def test_stored_pixels_survive_a_pickle_and_give_memory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fittingroom.data.images.stored.RELEASE_BYTES", 100)
    values = np.arange(5 * 3 * 4 * 4, dtype=np.uint8).reshape(5, 3, 4, 4)
    values.tofile(tmp_path / "pixels.bin")
    file = pickle.loads(pickle.dumps(PixelFile(tmp_path / "pixels.bin", values.shape)))
    for _ in range(3):
        assert np.array_equal(file.read(np.array([4, 0, 4])), values[[4, 0, 4]])


# Bad pictures


def spoil(root: Path) -> Path:
    (root / "cat" / "text.jpg").write_text("not a picture")
    (root / "dog" / "empty.png").touch()
    whole = (root / "dog" / "0.png").read_bytes()
    (root / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    os.symlink("nowhere", root / "dog" / "gone.png")
    return root


def test_bad_pictures_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = spoil(write_folder(tmp_path))
    said = refused(root)
    assert said.startswith(f"{root}: 4 of 24 pictures cannot be read: cat/text.jpg (") and "and 1 more" in said
    assert said.endswith("replace them, or leave them out with --skip-bad")
    monkeypatch.setattr(cache, "_decode", lambda *_: pytest.fail("decoded again"))
    data = opened(root, skip_bad=True)
    assert [each.split(":")[0] for each in data.spec.skipped] == [
        "cat/text.jpg",
        "dog/cut.png",
        "dog/empty.png",
        "dog/gone.png",
    ]
    assert any("unreadable: 4 pictures: cat/text.jpg" in note for note in data.spec.notes)
    assert sum(map(len, parts_of(data).values())) == 20


def test_a_class_of_bad_pictures_only_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path, ("cat",))
    (root / "dog").mkdir()
    (root / "dog" / "1.png").touch()
    assert "holds only one class ('cat', 10 pictures)" in refused(root, skip_bad=True)
    shutil.rmtree(root / "cat")
    (root / "cat").mkdir()
    (root / "cat" / "1.png").touch()
    assert "none of 2 pictures can be read: cat/1.png" in refused(root, skip_bad=True)


def test_a_bomb_is_a_bad_picture(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    header = struct.pack(">IIBBBBB", 12_000, 10_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000)))]
    written = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    (root / "cat" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(written))
    assert "cat/bomb.png (has 12,000 x 10,000 pixels" in refused(root)


# Parts


def test_given_parts_stay_as_they_are(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path, parts=("train", "valid", "test"), number=4))
    for seed in (0, 1):
        found = parts_of(data, seed)
        assert {part: {name.split("/")[0] for name in found[part]} for part in found} == {
            "train": {"train"}, "val": {"valid"}, "test": {"test"}
        }  # fmt: skip
        assert [len(found[part]) for part in ("train", "val", "test")] == [8, 8, 8]
    assert "own, the same for every seed" in data.spec.split_rule


def test_what_is_not_given_is_drawn(tmp_path: Path) -> None:
    whole = opened(write_folder(tmp_path / "whole", number=20))
    one, other = parts_of(whole), parts_of(whole, 1)
    assert one["test"] == other["test"] and one["val"] != other["val"]
    assert [len(one[part]) for part in ("train", "val", "test")] == [27, 5, 8]
    without_val = opened(write_folder(tmp_path / "two", parts=("train", "test"), number=10))
    assert [len(parts_of(without_val)[part]) for part in ("train", "val", "test")] == [17, 3, 20]
    without_test = opened(write_folder(tmp_path / "three", parts=("train", "val"), number=10))
    assert [len(parts_of(without_test)[part]) for part in ("train", "val", "test")] == [16, 20, 4]


def test_copies_of_given_validation_and_test_pictures_leave_training(tmp_path: Path) -> None:
    root = write_folder(tmp_path, parts=("train", "val", "test"), number=4)
    shutil.copy(root / "val" / "cat" / "0.png", root / "train" / "cat" / "copy.png")
    shutil.copy(root / "test" / "cat" / "1.png", root / "train" / "dog" / "copy.png")
    assert not any("copy" in name for name in parts_of(opened(root))["train"])


def test_a_rare_class_is_in_every_part(tmp_path: Path) -> None:
    root = write_folder(tmp_path, number=60)
    for each in range(3):
        save(root / "rare" / f"{each}.png", pixels(2, each))
    for part in parts_of(opened(root)).values():
        assert sum(name.startswith("rare/") for name in part) == 1


def test_a_class_with_too_few_pictures_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    write_folder(root, ("rare",), number=2)
    assert "1 of 3 classes have too few pictures for a training and a validation and a test part ('rare' 2)" in refused(
        root
    )


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_and_classes_keep_their_shares(tmp_path: Path, seed: int) -> None:
    for each in range(120):
        label = each % 2
        save(tmp_path / "ab"[label] / f"p{each // 3:02}_{each}.png", pixels(label, each, (6, 8)))
    data = opened(tmp_path, group=r"p\d+")
    found = parts_of(data, seed)
    groups = [{Path(name).name.split("_")[0] for name in part} for part in found.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    assert all(0.3 < sum(name.startswith("a/") for name in part) / len(part) < 0.7 for part in found.values())
    assert 18 <= len(found["test"]) <= 30 and 9 <= len(found["val"]) <= 20
    assert "without dividing a group" in data.spec.split_rule


def test_groups_that_cannot_be_divided_are_refused(tmp_path: Path) -> None:
    for each in range(12):
        save(tmp_path / "ab"[each % 2] / f"p{each // 6}_{each}.png", pixels(each % 2, each))
    assert "2 groups are too large to draw" in refused(tmp_path, group=r"p\d+")


def test_a_split_file_repeats_the_parts(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path / "x", number=12))
    splits = data.split(3)
    assert data.pictures is not None
    parts = {"train": splits.train.index[:-2], "val": splits.val.index, "test": data.load_test().index}
    write_split(tmp_path, data.pictures(), parts)
    again = opened(tmp_path / "x", split_file=tmp_path / "split.csv")
    wanted = {part: names(data, index) for part, index in parts.items()}
    assert parts_of(again, 0) == parts_of(again, 1) == wanted
    lines = (tmp_path / "split.csv").read_text().splitlines()
    assert lines[0] == "path,label,split" and sum(line.endswith(",none") for line in lines) == 2


def test_a_split_file_must_name_every_picture(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x")
    (tmp_path / "s.csv").write_text("path,split\ncat/0.png,train\n")
    assert "does not say in which part 19 of 20 pictures are: cat/1.png" in refused(root, split_file=tmp_path / "s.csv")


# Options, finding data again


@pytest.mark.parametrize(
    ("text", "size"), [("64", (64, 64)), ("48x64", (48, 64)), (32, (32, 32)), ((3, 4), (3, 4)), (None, None)]
)
def test_sizes_are_height_times_width(text: Any, size: Any) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: parse_size("big"), "--image-size 'big': give pixels"),
        (lambda: picture_options(image_size=0), "--image-size 0x0 is out of range"),
        (lambda: picture_options(image_size="9999x1"), "--image-size 9999x1 is out of range"),
        (lambda: picture_options(resize="zoom"), "--resize 'zoom': choose crop, pad or stretch"),
        (lambda: picture_options(channels=2), "--channels 2: choose auto, 1 (grey) or 3 (RGB)"),
    ],
)
def test_options_that_do_not_exist_are_named(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        make()
    assert said in str(caught.value)


def test_options_are_words_of_a_command() -> None:
    assert option_words(PictureOptions()) == []
    options = picture_options(image_size=(48, 64), resize="pad", skip_bad=True, channels=1)
    assert option_words(options) == ["--image-size", "48x64", "--resize", "pad", "--channels", "1", "--skip-bad"]


def test_options_for_pictures_do_not_suit_arrays() -> None:
    with pytest.raises(FittingRoomError, match="--image-size is for pictures in files"):
        open_images("fashion-mnist", None, picture_options(image_size=32))


def test_moved_data_is_found_in_the_cache_or_named(tmp_path: Path, own_cache: Path) -> None:
    root = write_folder(tmp_path / "x")
    spec = opened(root).spec
    root.rename(tmp_path / "y")
    assert parts_of(reopen(spec, str(root), PictureOptions())) == parts_of(opened(tmp_path / "y"))
    assert reopen(spec, str(tmp_path / "y"), PictureOptions()).spec.digest == spec.digest
    shutil.rmtree(own_cache)
    with pytest.raises(FittingRoomError, match="x is missing: put it back, or use --data to say where it is now"):
        reopen(spec, str(root), PictureOptions())


def test_a_folder_that_has_changed_is_opened_anew_in_the_same_process(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    first = open_images(str(root))
    assert open_images(str(root)) is first
    save(root / "cat" / "0.png", pixels(0, 77))
    second = open_images(str(root)).spec.digest
    save(root / "cat" / "new.png", pixels(0, 78))
    assert len({first.spec.digest, second, open_images(str(root)).spec.digest}) == 3


def test_statistics_of_a_constant_channel_have_deviation_one(tmp_path: Path) -> None:
    np.full((3, 1, 2, 2), 51, np.uint8).tofile(tmp_path / "pixels.bin")
    file = PixelFile(tmp_path / "pixels.bin", (3, 1, 2, 2))
    assert pictures.statistics(file, torch.arange(3)) == ((0.2,), (1.0,))
