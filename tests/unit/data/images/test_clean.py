"""The table of `--write-clean` can be read by `--data`, keeps copies together, and leaves leaks out of training."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.check import check_images
from fittingroom.data.images.clean import check_target, write_clean
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.pictures import list_pictures, open_pictures
from tests.pictures_fixture import pixels, save, write_folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def cleaned(root: Path, path: Path) -> dict[str, dict[str, str]]:
    """The rows of the clean table, by the name of the file in `root`."""
    check = check_images(str(root))
    write_clean(check.scan, check.group, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {os.path.relpath(path.parent / row["path"], root).replace(os.sep, "/"): row for row in rows}


def test_a_set_with_parts_loses_the_leaks_from_training(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", number=12, parts=("train", "val", "test"))
    save(root / "train" / "cat" / "leak.bmp", pixels(0, 203))  # test/cat/3.png
    save(root / "val" / "cat" / "leak.bmp", pixels(0, 204))  # test/cat/4.png
    Image.fromarray(pixels(1, 205)).point([round(0.9 * value) for value in range(256)] * 3).save(
        root / "train" / "dog" / "dim.png"
    )  # test/dog/5.png, darker
    save(root / "train" / "dog" / "both.png", pixels(0, 6))  # train/cat/6.png with another label
    (root / "train" / "dog" / "broken.png").write_bytes(b"")
    rows = cleaned(root, tmp_path / "tables" / "clean.csv")
    none = {name for name, row in rows.items() if row["split"] == "none"}
    assert none == {
        "train/cat/leak.bmp", "val/cat/leak.bmp", "train/dog/dim.png", "train/dog/both.png", "train/cat/6.png",
        "train/dog/broken.png",
    }  # fmt: skip
    assert rows["test/cat/3.png"]["split"] == "test" and rows["train/cat/0.png"]["split"] == "train"
    assert rows["train/dog/dim.png"]["group"] == rows["test/dog/5.png"]["group"] != ""
    assert rows["train/cat/0.png"]["group"] == ""
    data = open_pictures(tmp_path / "tables" / "clean.csv", PictureOptions())
    assert [len(part()) for part in (data.load_train, data.load_val, data.load_test) if part] == [23, 24, 24]


def test_a_set_without_parts_keeps_near_duplicates_together(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", number=12)
    for number in range(5):
        save(root / "cat" / f"again{number}.png", pixels(0, number) // 2)
    rows = cleaned(root, tmp_path / "clean.csv")
    assert {row["split"] for row in rows.values()} == {""}
    groups = {rows[f"cat/{number}.png"]["group"] for number in range(5)}
    assert len(groups) == 5 and "" not in groups
    for number in range(5):
        assert rows[f"cat/again{number}.png"]["group"] == rows[f"cat/{number}.png"]["group"]
    data = open_pictures(tmp_path / "clean.csv", PictureOptions())
    train, val = (set(part.index.tolist()) for part in (data.split(0).train, data.split(0).val))
    assert not train & val and len(train | val) + len(data.load_test()) == 29


def test_groups_of_the_user_are_kept_and_joined(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", number=12)
    save(root / "cat" / "again.png", pixels(0, 1) // 2)
    groups = {"cat/0.png": "A", "cat/1.png": "A", "cat/again.png": "B", "dog/0.png": "B", "dog/1.png": "C"}
    lines = [f"{name},{name[:3]},{groups.get(name, '')}" for name in sorted(
        str(path.relative_to(root)) for path in root.rglob("*.png")
    )]  # fmt: skip
    (root / "mine.csv").write_text("\n".join(["path,label,group", *lines]))
    check = check_images(str(root / "mine.csv"))
    write_clean(check.scan, check.group, root / "clean.csv")
    found = {each.name: each.group for each in list_pictures(root / "clean.csv", PictureOptions()).pictures}
    assert {found[name] for name in ("cat/0.png", "cat/1.png", "cat/again.png", "dog/0.png")} == {"A"}
    assert found["dog/1.png"] == "C" and found["dog/2.png"] == ""


def test_strange_names_survive_and_what_is_no_text_is_refused(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", ("cat", "größer 😀"), number=12)
    save(root / "cat" / 'a "b",\nc.png', pixels(0, 50))
    rows = cleaned(root, tmp_path / "clean.csv")
    assert len(rows) == 25 == len(list_pictures(tmp_path / "clean.csv", PictureOptions()).pictures)
    os.rename(root / "cat" / "0.png", os.fsencode(root / "cat") + b"/\xff.png")
    with pytest.raises(FittingRoomError, match="has a name that is not text"):
        cleaned(root, tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


def test_a_class_whose_name_ends_in_a_space_is_refused(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", ("cat", "dog "), number=4)
    with pytest.raises(FittingRoomError, match="'dog ' begins or ends with a space"):
        cleaned(root, tmp_path / "clean.csv")


def test_targets_that_cannot_be_are_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("x")
    np.savez(tmp_path / "own.npz", images=np.zeros((4, 2, 2)), labels=np.arange(4))
    for path, in_files, said in (
        ("old.csv", True, "exists: give another file, or delete it"),
        ("clean.npz", True, "give a .csv file"),
        ("clean.csv", False, "holds arrays"),
    ):
        with pytest.raises(FittingRoomError, match=said):
            check_target(tmp_path / path, "pets", in_files)
