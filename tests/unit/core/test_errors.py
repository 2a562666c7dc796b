"""Messages of errors are one line that a terminal can show, whatever the values in them."""

import pytest

from fittingroom.core.errors import MOST_LETTERS, FittingRoomError


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
