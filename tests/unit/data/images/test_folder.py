"""Which pictures a folder holds: layouts, odd names, litter, links."""

import os
import re
from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import folder as folder_module
from fittingroom.data.images.folder import list_folder
from fittingroom.data.images.listing import Listing, check_classes, part_notes, with_groups


def touch(root: Path, *names: str) -> Path:
    """Empty files; listing opens none."""
    for name in names:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
    return root


def found(listing: Listing) -> list[tuple[str, str, str]]:
    return [(each.part, each.label, each.name) for each in listing.pictures]


def refused(root: Path) -> str:
    with pytest.raises(FittingRoomError) as caught:
        check_classes(list_folder(root))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_folder_is_a_class_and_its_subfolders_belong_to_it(tmp_path: Path) -> None:
    root = touch(tmp_path / "pets", "cat/1.jpg", "cat/more/2.JPEG", "dog/1.png")
    listing = list_folder(root)
    assert listing.title == "pets" and listing.class_names == ("cat", "dog")
    assert found(listing) == [("", "cat", "cat/1.jpg"), ("", "cat", "cat/more/2.JPEG"), ("", "dog", "dog/1.png")]


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Valid"])
def test_parts_are_known_by_their_names(tmp_path: Path, validation: str) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", f"{validation}/a/1.png", "test/b/1.png")
    listing = list_folder(tmp_path)
    assert [(part, label) for part, label, _ in found(listing)] == [
        ("test", "b"), ("train", "a"), ("train", "b"), ("val", "a")
    ]  # fmt: skip
    assert listing.class_names == ("a", "b")
    assert part_notes(listing) == [
        "val has no pictures of 1 of 2 classes: b",
        "test has no pictures of 1 of 2 classes: a",
    ]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    listing = list_folder(touch(tmp_path, "train/1.png", "plane/1.png"))
    assert listing.class_names == ("plane", "train") and {each.part for each in listing.pictures} == {""}


def test_classes_beside_a_test_folder_are_for_training(tmp_path: Path) -> None:
    listing = list_folder(touch(tmp_path, "a/1.png", "b/1.png", "test/a/2.png"))
    assert [(part, label) for part, label, _ in found(listing)] == [("test", "a"), ("train", "a"), ("train", "b")]


def test_folders_beside_train_are_named_and_not_used(tmp_path: Path) -> None:
    listing = list_folder(touch(tmp_path, "train/a/1.png", "train/b/1.png", "extra/x/1.png", "docs/read.txt"))
    assert listing.class_names == ("a", "b")
    assert "not used, because there is a folder train: extra" in listing.notes


def test_a_class_that_only_test_has_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/Cat/1.png", "test/dog/1.png")
    assert "no training pictures of 'Cat': add some, or correct the name" in refused(tmp_path)


def test_two_validation_folders_are_refused(tmp_path: Path) -> None:
    assert "holds both val and valid" in refused(touch(tmp_path, "train/a/1.png", "val/a/1.png", "valid/a/1.png"))


def test_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    assert list_folder(touch(tmp_path, *(f"{label}/1.png" for label in (10, 2, 0, 1)))).class_names == (
        "0",
        "1",
        "2",
        "10",
    )


def test_odd_names_become_one_line_of_text(tmp_path: Path) -> None:
    bytes_name = os.fsdecode(b"\xff\xfe")
    touch(tmp_path, "a b/1.png", "\N{CAT FACE}/1.png", "new\nline/1\t.png", f"{bytes_name}/{bytes_name}.png")
    listing = list_folder(tmp_path)
    assert listing.class_names == ("\\xff\\xfe", "a b", "new\\nline", "\N{CAT FACE}")
    assert all(Path(each.path).exists() and each.name.isprintable() for each in listing.pictures)


def test_the_two_ways_to_write_an_accent_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    listing = list_folder(touch(tmp_path, f"train/{composed}/1.png", "train/b/1.png", f"test/{decomposed}/1.png"))
    assert listing.class_names == ("b", composed)


def test_litter_hidden_and_other_files_are_no_pictures(tmp_path: Path) -> None:
    touch(
        tmp_path, "a/1.png", "a/.DS_Store", "a/Thumbs.db", "a/._1.png", "a/notes.txt", "a/x.heic", "b/1.png", ".git/x/1.png",
        "__MACOSX/a/1.png", "loose.png",
    )  # fmt: skip
    (tmp_path / "empty").mkdir()
    listing = list_folder(tmp_path)
    assert [name for _, _, name in found(listing)] == ["a/1.png", "b/1.png"]
    assert listing.notes == (
        "no pictures in empty: not counted as a class",
        "not in a class folder, so not used: 1 picture",
        "not pictures by their names: 2 files (.heic 1, .txt 1)",
    )


def test_links_in_circles_end_and_a_link_to_nothing_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", "elsewhere.d/2.png")
    (tmp_path / "elsewhere.d").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    os.symlink(tmp_path / "a", tmp_path / "a" / "self")
    os.symlink(tmp_path, tmp_path / "b" / "up")
    os.symlink("me", tmp_path / "b" / "me")
    os.symlink(tmp_path.parent / f"{tmp_path.name}-elsewhere", tmp_path / "b" / "linked")
    os.symlink("gone.jpg", tmp_path / "b" / "3.jpg")
    assert [name for _, _, name in found(list_folder(tmp_path))] == ["a/1.png", "b/1.png", "b/3.jpg", "b/linked/2.png"]


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(touch(tmp_path, "a/1.png", "b/1.png") / "a" / "2.png")
    assert len(list_folder(tmp_path).pictures) == 2


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/1.png", "b/1.png")
    scan = os.scandir

    def denied(place: str) -> object:
        if place.endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scan(place)

    monkeypatch.setattr(folder_module.os, "scandir", denied)
    assert f"{tmp_path}/b cannot be read (Permission denied)" in refused(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "holds no pictures: put the pictures of each class into a folder"),
        (("1.png", "2.png"), "holds 2 pictures, but no folders that tell their classes"),
        (("a/1.txt",), "holds no pictures, only other files (.txt)"),
        (("a/1.png",), "holds only one class ('a', 1 picture): give pictures of two classes"),
        (("img/1.png", "labels.csv"), "('img', 1 picture): if labels.csv lists the labels, use --data "),
        (("1.png", "labels.tsv"), "no folders that tell their classes: if labels.tsv lists the labels, use --data "),
        (("val/a/1.png", "val/b/1.png"), "has no training pictures: add a part named train"),
    ],
)
def test_a_folder_without_classes_is_refused(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    assert said in refused(touch(tmp_path, *names))


def test_groups_come_from_the_paths(tmp_path: Path) -> None:
    listing = list_folder(touch(tmp_path, "a/p1_x.png", "a/p1_y.png", "b/p2_x.png", "b/other.png"))
    assert [each.group for each in with_groups(listing, r"p\d").pictures] == ["p1", "p1", "", "p2"]
    assert [each.group for each in with_groups(listing, r"p(\d)_").pictures] == ["1", "1", "", "2"]
    assert with_groups(listing, r"p\d").notes[-1] == r"--group 'p\\d' matches 3 of 4 paths"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is not a regular expression"),
        ("zzz", "matches no path of .*, such as a/1.png"),
        ("[ab]/|/", "into one group"),
    ],
)
def test_a_group_pattern_that_divides_nothing_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    listing = list_folder(touch(tmp_path, "a/1.png", "a/2.png"))
    with pytest.raises(FittingRoomError, match=said):
        with_groups(listing, pattern)


def test_groups_in_two_given_parts_are_said(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/p1_x.png", "train/b/p2_x.png", "test/a/p1_y.png", "test/b/p3_y.png")
    notes = part_notes(with_groups(list_folder(tmp_path), r"p\d"))
    assert notes == ["1 of 3 groups are in more than one given part: p1"]


def test_results_where_the_data_are_are_no_class(tmp_path: Path) -> None:
    """Whoever trains in the folder of the pictures gets `runs` there, with figures in it."""
    touch(
        tmp_path,
        "cat/1.png",
        "dog/1.png",
        "runs/explain-cnn/panel.png",
        "runs/explain-cnn/explain.json",
        "state.json/1.png",
    )
    listing = list_folder(tmp_path)
    assert listing.class_names == ("cat", "dog", "state.json")
    assert listing.notes == ("results of this program, so not used: runs",)
    touch(tmp_path, "mine/panel.png", "mine/config.json", "mine/state.json", "mine/1.png")
    assert list_folder(tmp_path).class_names == ("cat", "dog", "state.json")


@pytest.mark.parametrize("between", ["", "again/"])
def test_parts_of_other_names_are_noticed(tmp_path: Path, between: str) -> None:
    for part in ("seg_train", "seg_test"):
        touch(tmp_path, *(f"{part}/{between}{label}/1.png" for label in ("sea", "wood")))
    (note,) = list_folder(tmp_path).notes
    assert note.startswith("seg_test, seg_train were taken as classes, but hold the same folders (sea, wood)")
    touch(tmp_path, "other/left/1.png", "other/right/1.png", "plain/1.png")
    assert len(list_folder(tmp_path).notes) == 1


def test_a_folder_too_many_is_told_with_the_right_path(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/cat/1.png", "pictures/dog/1.png")
    with pytest.raises(FittingRoomError, match=re.escape(f"(cat, dog), use --data {tmp_path}/pictures")):
        check_classes(list_folder(tmp_path))


def test_two_files_whose_names_look_alike_are_refused(tmp_path: Path) -> None:
    """The two ways to write an accent: a split file could not tell them apart."""
    touch(tmp_path, "cat/\u00e9.png", "cat/e\u0301.png", "dog/1.png")
    with pytest.raises(FittingRoomError, match=r"two pictures whose names look alike, 'cat/.\.png'"):
        list_folder(tmp_path)
