"""Messages of errors are one line that a terminal can show, whatever the values in them."""

from pathlib import Path

import pytest

from fittingroom.core.errors import MOST_LETTERS, FittingRoomError, found_in


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("a  b.png is no picture", "a  b.png is no picture"),
        ("first\n    second\r\n", "first second"),
        ("name\x1b[2J\0\u202e\udcff", r"name\x1b[2J\x00\u202e\udcff"),
        ("写真/猫.png", "写真/猫.png"),
    ],
)
def test_a_message_is_one_printable_line(message: str, line: str) -> None:
    assert str(FittingRoomError(message)) == line


def test_the_middle_of_a_huge_value_is_left_out() -> None:
    line = str(FittingRoomError(f"config.json: model {'x' * 100_000!r} is unknown: choose vit or cnn"))
    assert len(line) == MOST_LETTERS
    assert line.startswith("config.json: model 'xxx")
    assert line.endswith("xxx' is unknown: choose vit or cnn")


def test_a_message_gets_the_name_of_its_file_once(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for message in (
        "lr -1 is out of range",
        f"{path}.lr is out of range",
        f"{tmp_path}/data.json differs from config.json",
    ):
        with pytest.raises(FittingRoomError) as caught, found_in(path):
            raise FittingRoomError(message)
        assert str(caught.value).count("config.json") == 1
        assert str(caught.value).startswith(f"{tmp_path}/")
