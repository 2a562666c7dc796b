"""Names to things."""

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry


def letters() -> Registry[int]:
    things: Registry[int] = Registry("thing")
    things.register("beta")(2)
    things.register("alpha")(1)
    return things


def test_names_keep_the_order_in_which_they_came() -> None:
    assert letters().get("alpha") == 1
    assert letters().names() == list(letters()) == ["beta", "alpha"]


def test_the_decorator_returns_what_it_files() -> None:
    things: Registry[type] = Registry("thing")

    @things.register("it")
    class It: ...

    assert things.get("it") is It


def test_an_unknown_name_is_told_the_nearest_or_all() -> None:
    with pytest.raises(FittingRoomError, match=r"^unknown thing 'alhpa': did you mean 'alpha'\?$"):
        letters().get("alhpa")
    with pytest.raises(FittingRoomError, match=r"^unknown thing 'zzz': known: beta, alpha$"):
        letters().get("zzz")


def test_a_name_is_taken_once() -> None:
    with pytest.raises(AssertionError, match="thing 'alpha' is registered twice"):
        letters().register("alpha")(3)
