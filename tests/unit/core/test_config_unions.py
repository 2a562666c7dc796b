"""Fields of more than one type: strict, and clear about what they accept."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.config import config_hash, from_dict, replace, to_dict
from fittingroom.core.errors import FittingRoomError

SIZES = st.integers() | st.tuples(st.integers(), st.integers())


@dataclass(frozen=True, kw_only=True)
class Sized:
    size: int | tuple[int, int] = 28
    crop: int | tuple[int, int] | None = None
    pair: tuple[int, int] | None = None
    scale: float | str = "auto"


@given(size=SIZES, crop=st.none() | SIZES)
def test_there_and_back_is_the_same(size: int | tuple[int, int], crop: int | tuple[int, int] | None) -> None:
    config = Sized(size=size, crop=crop)
    read_back = from_dict(Sized, json.loads(json.dumps(to_dict(config))))
    assert read_back == config and type(read_back.size) is type(size)
    assert config_hash(read_back) == config_hash(config)


def test_a_set_option_may_have_either_type() -> None:
    assert replace(Sized(), {"size": "[64, 40]", "crop": "32"}) == Sized(size=(64, 40), crop=32)
    assert replace(Sized(crop=(1, 2), pair=(3, 4)), {"crop": "null", "pair": "null"}) == Sized()
    assert replace(Sized(), {"scale": "2"}).scale == 2.0
    assert replace(Sized(), {"scale": "large"}).scale == "large"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"size": "28"}, "config.size: expected a whole number or a list such as [1, 2], got '28'"),
        ({"size": 2.5}, "config.size: expected a whole number or a list such as [1, 2], got 2.5"),
        ({"size": True}, "config.size: expected a whole number or a list such as [1, 2], got True"),
        ({"size": None}, "config.size: expected a whole number or a list such as [1, 2], got None"),
        ({"size": {}}, "config.size: expected a whole number or a list such as [1, 2], got {}"),
        ({"size": [1]}, "config.size: expected 2 values, got 1"),
        ({"size": [1, 2, 3]}, "config.size: expected 2 values, got 3"),
        ({"size": [1, "x"]}, "config.size: expected a whole number, got 'x'"),
        ({"crop": [1, 2.5]}, "config.crop: expected a whole number, got 2.5"),
        ({"pair": 3}, "config.pair: expected a list such as [1, 2], got 3"),
        ({"scale": []}, "config.scale: expected a number or a word, got []"),
    ],
)
def test_a_value_of_no_type_is_one_clear_line(values: dict, said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        from_dict(Sized, values)
    assert str(caught.value) == said
