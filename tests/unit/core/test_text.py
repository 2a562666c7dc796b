"""Names for files: any text gives one that every file system takes, and two texts never give the same."""

from pathlib import Path

import pytest

from fittingroom.core.rundir import write_text
from fittingroom.core.text import distinct_names, epochs_text, file_name


@pytest.mark.parametrize("text", ["vit", "cnn@widths=[8,16]-seed0", "日本語", "a b (2)"])
def test_ordinary_names_stay(text: str) -> None:
    assert file_name(text) == text


@pytest.mark.parametrize("text", ["a/b", "x" * 240, "長" * 80, "bad\udcffname", "two\nlines", 'a:b*"c"', "‮.gnp"])
def test_others_are_changed_and_remain_distinct(text: str) -> None:
    found = file_name(text)
    assert len(found.encode()) <= 100 and found.isprintable() and not set(found) & set('<>:"/\\|?*')
    assert found != file_name(text + "x") != file_name(text.replace("b", "c") + "y")
    assert len(file_name(text, most=30).encode()) <= 30


def test_a_file_of_a_long_name_is_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / ("長" * 80 + ".txt")
    write_text(path, "here")
    assert path.read_text() == "here" and list(tmp_path.iterdir()) == [path]


def test_one_epoch_is_singular() -> None:
    assert [epochs_text(number) for number in (0.5, 1.0, 20)] == ["0.5 epochs", "1 epoch", "20 epochs"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["a/x.png"], ["x.png"]),
        (["a/x.png", "b/y.png"], ["x.png", "y.png"]),
        (["a/x.png", "b/x.png", "b/y.png"], ["a/x.png", "b/x.png", "y.png"]),
        (["p/a/x.png", "q/a/x.png", "r/x.png"], ["p/a/x.png", "q/a/x.png", "r/x.png"]),
        (["x.png", "a/x.png"], ["x.png", "a/x.png"]),
        (["/a/x.png", "/b/x.png"], ["a/x.png", "b/x.png"]),
        (["a/x.png", "a/x.png"], ["x.png", "x.png"]),
        (["a\n/x.png", "b/x.png"], ["a\\n/x.png", "b/x.png"]),
    ],
)
def test_names_tell_files_apart(paths: list[str], names: list[str]) -> None:
    assert distinct_names(paths) == distinct_names([Path(path) for path in paths]) == names
