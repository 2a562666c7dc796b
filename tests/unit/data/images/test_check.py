"""`data check` on a user's images finds planted copies, damaged files and tiny classes, and agrees with training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.cli.image_check import image_words
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import check
from tests.pictures_fixture import pixels, save, write_folder


def check_images(source: str) -> dict[str, Any]:
    return check.check_images(source).to_dict()


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """12 pictures of each class in training and in test, all different."""
    return write_folder(tmp_path / "parts", number=12, parts=("train", "test"))


def test_clean_pictures_are_accepted(parts: Path) -> None:
    found = check_images(str(parts))
    assert found["ok"] and found["problems"] == [] and found["unreadable"] == {}
    assert found["class_counts"] == {"train": {"cat": 12, "dog": 12}, "test": {"cat": 12, "dog": 12}}
    assert found["sizes"] == {"12x12": 48} and found["tiny_classes"] == {} and found["constant"] == []
    assert found["duplicates"]["num_groups"] == 0
    assert "train and compare accept these images" in image_words(check.check_images(str(parts)))


def test_planted_faults_are_found(parts: Path) -> None:
    save(parts / "train" / "cat" / "same.bmp", pixels(0, 3))  # another format, the same pixels
    save(parts / "test" / "dog" / "leak.png", pixels(1, 4))  # a copy of a training picture
    save(parts / "train" / "cat" / "wrong.png", pixels(1, 5))  # a copy with another label
    save(parts / "train" / "dog" / "flat.png", np.full((9, 7, 3), 40, np.uint8))
    (parts / "train" / "dog" / "broken.png").write_bytes(b"")
    save(parts / "train" / "emu" / "only.png", pixels(2, 6))
    found = check_images(str(parts))
    copies = found["duplicates"]
    assert copies["within"] == {"train": 2, "test": 0}
    assert copies["across"] == {"train_test": 1}
    assert copies["num_groups_with_different_labels"] == 1
    assert found["constant"] == ["train/dog/flat.png"]
    assert found["tiny_classes"] == {"emu": 1}
    assert found["sizes"] == {"12x12": 52, "9x7": 1}
    assert "the file is empty" in found["unreadable"]["train/dog/broken.png"]
    assert not found["ok"] and "1 of 3 classes have too few pictures" in found["problems"][0]
    words = image_words(check.check_images(str(parts)))
    assert "the same picture in two parts: 1 (test/dog/leak.png = train/dog/4.png)" in words
    assert "train/cat/wrong.png (cat) = train/dog/5.png (dog)" in words
    assert "height x width: 2 sizes, heights 9 to 12, widths 7 to 12; most often 12x12 (52 images)\n" in words
    assert "cannot be read: 1" in words and "note: test has no pictures of 1 of 3 classes: emu" in words


def test_many_classes_are_summed_up(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(25)]
    root = write_folder(tmp_path / "many", classes=names, number=4)
    save(root / "class 7" / "more.png", pixels(99, 1))
    words = image_words(check.check_images(str(root)))
    assert "all: 101: from 4 (class 0) to 5 (class 7) images a class, 4 in the middle" in words
    assert "classes with fewer than 10 training pictures: 25 (class 0 4, class 1 4, class 10 4 and 22 more): " in words
    assert max(map(len, words.splitlines())) < 250


def test_arrays_are_checked_too(tmp_path: Path) -> None:
    images = np.stack([pixels(label, number) for number in range(20) for label in (0, 1)])
    images[4] = 7
    images[6] = images[8]
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(40) % 2)
    found = check_images(str(tmp_path / "own.npz"))
    assert found["num_images"] == 40 and len(found["constant"]) == 1
    assert sum(found["duplicates"]["within"].values()) + sum(found["duplicates"]["across"].values()) == 1


def test_one_class_is_a_problem_and_no_picture_an_error(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "one", classes=("cat",))
    found = check_images(str(root))
    assert not found["ok"] and "holds only one class ('cat', 10 pictures)" in found["problems"][0]
    (tmp_path / "none").mkdir()
    with pytest.raises(FittingRoomError, match="holds no pictures"):
        check_images(str(tmp_path / "none"))


def test_test_pictures_alone_are_not_counted_as_training_pictures(tmp_path: Path) -> None:
    found = check_images(str(write_folder(tmp_path / "only", parts=("test",), number=12)))
    assert found["tiny_classes"] == {"cat": 0, "dog": 0}
    assert "no training pictures" in found["problems"][0]
