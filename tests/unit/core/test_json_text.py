"""JSON that people, editors and disks may have damaged."""

from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.json_text import MOST_LEVELS, parse_json
from fittingroom.core.rundir import read_json


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_values_come_back() -> None:
    assert parse_json('{"a": [1, {"b": null}], "c": "é"}') == {"a": [1, {"b": None}], "c": "é"}
    assert parse_json(nested(MOST_LEVELS)) is not None


@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 900, 200_000])
def test_many_levels_are_refused(levels: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than 100 levels"):
        parse_json(nested(levels))
    path = tmp_path / "state.json"
    path.write_text(f'{{"a": {nested(levels)}}}')
    with pytest.raises(
        FittingRoomError, match=r"state\.json cannot be read \(more than 100 levels of brackets\): delete it"
    ):
        read_json(path)
